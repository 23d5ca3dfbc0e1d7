package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReason has certificate/reason.sh explain logs of certbot's, with answers as Let's Encrypt gives them.
func TestReason(t *testing.T) {
	for _, test := range []struct{ name, log, why, until string }{
		{"a limit with a header", `Received response:
HTTP 429
Retry-After: 7200
{
  "type": "urn:ietf:params:acme:error:rateLimited",
  "detail": "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s",
  "status": 429
}`, "the CA's rate limit was reached (too many certificates (5)", `72\d\d`},
		{"a limit that a sentence ends", `{
  "type": "urn:ietf:params:acme:error:rateLimited",
  "detail": "too many failed authorizations (5) for \"app.example.com\" in the last 1h0m0s, retry after 2099-01-02 03:04:05 UTC: see https://letsencrypt.org/docs/rate-limits/",
  "status": 429
}`, "it is asked again from 2099-01-02T03:04:05Z on", ""},
		{"a challenge, with a nonce that certbot sent again after it", `{
  "identifier": {"type": "dns", "value": "app.example.com"},
  "challenges": [{"type": "http-01", "status": "invalid", "error": {
    "type": "urn:ietf:params:acme:error:unauthorized", "detail": "198.51.100.7: Invalid response from http://app.example.com/.well-known/acme-challenge/x: 404", "status": 403}}]
}
{"type": "urn:ietf:params:acme:error:badNonce", "detail": "JWS has an invalid anti-replay nonce", "status": 400}
2026-11-24 23:34:11,943:ERROR:certbot._internal.log:Some challenges have failed.`, "it did not find this server behind the names (198.51.100.7: Invalid response from", "0"},
		{"CAA", `{"type": "urn:ietf:params:acme:error:caa", "detail": "CAA record for app.example.com prevents issuance", "status": 403}`, "a CAA record forbids it (CAA record for app.example.com prevents issuance)", "0"},
		{"no address", `{"type": "urn:ietf:params:acme:error:dns", "detail": "DNS problem: NXDOMAIN looking up A for app.example.com", "status": 400}`, "it did not find this server behind the names (DNS problem: NXDOMAIN", "0"},
		{"no binding of the account", `2026-11-24 23:34:11,943:ERROR:certbot._internal.log:Server requires external account binding. Please use --eab-kid and --eab-hmac-key.`,
			"pulumi config set --secret berth:acmeEabKey", "0"},
		{"no binding, as the authority says", `{"type": "urn:ietf:params:acme:error:externalAccountRequired", "detail": "external account binding is required", "status": 403}`,
			"by a key id and a key (external account binding is required)", "0"},
		{"a binding that it does not know", `JWS payload:
b'{\n  "contact": [],\n  "externalAccountBinding": {\n    "protected": "x"}}'
{"type": "urn:ietf:params:acme:error:unauthorized", "detail": "the field 'kid' references a key that is not known to the ACME server", "status": 403}`,
			"by a key id and a key (the field 'kid' references", "0"},
		{"a challenge, after an account was bound", `JWS payload:
b'{\n  "contact": [],\n  "externalAccountBinding": {\n    "protected": "x"}}'
JWS payload:
b'{\n  "identifiers": []}'
{"type": "urn:ietf:params:acme:error:unauthorized", "detail": "198.51.100.7: Invalid response", "status": 403}`,
			"it did not find this server behind the names", "0"},
		// Google's directory and ZeroSSL's say so for ever, whatever is wrong.
		{"a name, at an authority of customers", `{"newOrder": "https://acme.example.com/order", "meta": {"externalAccountRequired": true}}
{"type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "The server will not issue certificates for the identifier", "status": 403}`,
			"it signs for no such name (The server will not issue", "0"},
		{"trouble of its own", `{"type": "urn:ietf:params:acme:error:serverInternal", "detail": "Error creating new order", "status": 500}`, "is away for the moment: nothing has to be done", "0"},
		{"no way to it", `2026-11-24 23:34:11,943:ERROR:certbot._internal.log:Connection refused`, "is away for the moment: nothing has to be done", "0"},
		{"a wrong clock", `2026-11-24 23:34:11,943:ERROR:certbot._internal.log:SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid'))`,
			"the clock here (", "0"},
		{"nothing", ``, "the log says why: sudo tail", "0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(folder, "letsencrypt.log"), []byte(test.log+"\n"), 0o600))
			bash := exec.CommandContext(t.Context(), "bash", "-c", `set -euo pipefail
LOGS=$1 TLS=/nowhere
next_look() { echo soon; }
source scripts/certificate/reason.sh
source scripts/certificate/ask.sh
now=$(date +%s)
explain
printf '%s\n%s\n' "$WHY" $((UNTIL == 0 ? 0 : UNTIL - now))`, "bash", folder)
			output, err := bash.CombinedOutput()
			require.NoErrorf(t, err, "%s", output)
			assert.Contains(t, string(output), test.why)
			if test.until != "" {
				assert.Regexp(t, `\n`+test.until+`\n$`, string(output))
			}
		})
	}
}

// TestReasonIsTheLastRuns lets certbot add to its log, as it does on Debian: what a run before met is not why this one failed.
func TestReasonIsTheLastRuns(t *testing.T) {
	const (
		away    = `2026-11-24 23:34:11,943:ERROR:certbot._internal.log:Connection refused`
		refused = `{"type": "urn:ietf:params:acme:error:caa", "detail": "CAA record for app.example.com prevents issuance", "status": 403}`
		silent  = ``
	)
	for _, test := range []struct{ name, before, now, code, why string }{
		{"a refusal after an authority that was away", away, refused, "1", "a CAA record forbids it"},
		{"an authority that is away after a refusal", refused, away, "75", "is away for the moment"},
		{"nothing after a refusal", refused, silent, "1", "the log says why"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			bash := exec.CommandContext(t.Context(), "bash", "-c", `set -euo pipefail
LOGS=$1 TLS=/nowhere
next_look() { echo soon; }
say() { :; }
sleep() { :; }
source scripts/certificate/reason.sh
source scripts/certificate/ask.sh
certbot() { echo "$1" >>"$LOGS/letsencrypt.log"; return 1; }
patiently certbot "$2" || true
code=0
patiently certbot "$3" || code=$?
printf '%s %s\n' "$code" "$WHY"`, "bash", folder, test.before, test.now)
			output, err := bash.CombinedOutput()
			require.NoErrorf(t, err, "%s", output)
			assert.Regexp(t, "^"+test.code+" .*"+test.why, string(output))
		})
	}
}
