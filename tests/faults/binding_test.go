package faults

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

const (
	customer = "kid-customer-1"
	// customersKey is a canary as well: 32 bytes in base64url.
	customersKey = "Y2FuYXJ5LWJpbmRpbmctNWY3ZC1jYW5hcnktYmluZGk"
)

// canaryFile holds the key on the host. It is root's: systemd-logind removes a user's files in /dev/shm when the last session ends.
const canaryFile = "/run/canary"

// watchProcesses has the server look through every process' command line, which everyone can read, until a file says to stop.
const watchProcesses = `sudo systemd-run --quiet --collect --unit watch-processes bash -c '
while [ ! -e /run/watched ]; do grep -slF -f ` + canaryFile + ` /proc/[0-9]*/cmdline | sed "s|^|seen in |" >>/run/seen || true; done'`

// TestTheAuthorityHasCustomersAlone is the first update against an authority that registers an account by a binding alone, which
// the real Pebble checks: it says so, and the binding gets the certificate, without showing its key to anyone.
func TestTheAuthorityHasCustomersAlone(t *testing.T) {
	r := harness.New(t, "berth-faults")
	r.Run("preview") // The authority runs from now on.
	settings := filepath.Join(r.Dir, "acme", "pebble.json")
	pebble := strings.Replace(r.File("acme/pebble.json"), `"externalAccountBindingRequired": false`,
		`"externalAccountBindingRequired": true, "externalAccountMACKeys": {"`+customer+`": "`+customersKey+`"}`, 1)
	require.Contains(t, pebble, customer)
	require.NoError(t, os.WriteFile(settings, []byte(pebble), 0o600))
	docker(t, "restart", r.Name+"-acme")

	output, err := r.Try("up")
	require.Error(t, err, "a rehearsal wants a certificate that it can trust")
	for _, sentence := range []string{
		"it registers accounts of its customers alone, by a key id and a key",
		"pulumi config set berth:acmeEabKeyId KEY_ID; pulumi config set --secret berth:acmeEabKey; then run 'pulumi up'",
		"the site answers with a self-signed certificate",
	} {
		assert.Contains(t, output, sentence)
	}
	// The key is looked for without naming it in a command, where it would be found.
	r.SSHInput("sudo install -m 600 /dev/stdin "+canaryFile, customersKey)
	r.SSH(watchProcesses)
	wrong := strings.ToUpper(customersKey)
	output, err = r.Try("up", "--set", "acmeEabKeyId="+customer, "--set", "!acmeEabKey="+wrong)
	require.Error(t, err)
	assert.Contains(t, output, "it registers accounts of its customers alone", "the authority checks the key")
	assert.NotContains(t, output, wrong)
	output = r.Run("up", "--set", "!acmeEabKey="+customersKey)
	assert.Contains(t, output, "https://"+harness.Domain+"/ answers 200")
	assert.NotContains(t, output, customersKey)
	assert.NotContains(t, r.Backend(), customersKey)
	r.SSH("sudo touch /run/watched; until ! systemctl --quiet is-active watch-processes; do sleep 0.2; done")
	assert.Empty(t, r.SSH("sudo cat /run/seen"), "no process shows the key")
	assert.Empty(t, r.SSH("sudo journalctl --no-pager | sudo grep -F -f "+canaryFile+" || true"))
	assert.Empty(t, r.SSH("sudo grep -rlF -f "+canaryFile+" /var/log /opt/berth || true"))
	for _, file := range strings.Fields(r.SSH("sudo grep -rlF -f " + canaryFile + " /etc || true")) {
		assert.Equal(t, "600 root", r.SSH("sudo stat --format '%a %U' "+file), file)
	}
	assert.Contains(t, r.Run("up"), "SSH connections opened: 0")
	report.Add(t, noCertificate, "The authority registers customers' accounts alone, at a first update",
		"said what to do; the site went on with the placeholder; key id and key got the certificate; no process, log or output showed the key")
}
