package attackers

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// explained are findings of testssl.sh that stay, each with the reason.
var explained = map[string]string{
	"engine_problem":   "it speaks of the scanner: its OpenSSL knows no GOST",
	"security_headers": "such as Content-Security-Policy are the app's to set, and the one under load sets none",
	"cert_revocation":  "the rehearsal's authority names no list of revoked certificates; Let's Encrypt does",
	"DNS_CAArecord":    "a CAA record names a public authority, and the rehearsal's is none",
	"BREACH":           "pages are compressed on purpose; what it takes beside is a page that repeats a visitor's input next to a secret, which is the app's to avoid",
}

// TLS has testssl.sh check the site: protocols, ciphers, certificate, headers, known vulnerabilities. It sends nothing
// outside.
func (s *Scene) TLS(t *testing.T) {
	r := s.rehearsal.In(t)
	r.SSH("sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install testssl.sh")
	r.SSHInput("cat >root.pem", r.File("root.pem"))
	output := r.SSH(`rm -f findings.json; timeout 900 testssl --quiet --warnings off --color 0 --ip 127.0.0.1 --add-ca root.pem \
--protocols --std --fs --server-preference --server-defaults --headers --vulnerable --jsonfile findings.json ` + harness.Domain + `:443 >testssl.log 2>&1 || tail -n 20 testssl.log >&2
cat findings.json`)
	var findings []struct{ ID, Severity, Finding string }
	require.NoErrorf(t, json.Unmarshal([]byte(output), &findings), "%s", output)
	grades := map[string]string{}
	for _, finding := range findings {
		grades[finding.ID] = finding.Severity + " " + finding.Finding
		switch finding.Severity {
		case "OK", "INFO", "DEBUG":
		default:
			assert.Containsf(t, explained, finding.ID, "%s: %s", finding.Severity, finding.Finding)
		}
	}
	// It ran, on the right site.
	for _, seen := range []string{"TLS1_3", "cipherlist_NULL", "FS", "HSTS_time", "heartbleed", "ROBOT", "cert_chain_of_trust", "overall_grade"} {
		assert.NotEmpty(t, grades[seen], seen)
	}
	t.Logf("overall grade: %s", grades["overall_grade"])
}
