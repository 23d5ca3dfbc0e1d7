package config

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func allSecret(string) bool { return true }

// good is the least that a stack has to set.
func good() map[string]string {
	return map[string]string{
		"berth:domain":        "app.example.com",
		"berth:operatorCidrs": `["203.0.113.7/32"]`,
		"berth:repository":    "https://github.com/you/app.git",
		"berth:routes":        `[{"path":"/","service":"web","port":80}]`,
		"berth:acmeEmail":     "you@example.com",
	}
}

// with is good with changes.
func with(pairs ...string) map[string]string {
	settings := good()
	for i := 0; i < len(pairs); i += 2 {
		settings["berth:"+pairs[i]] = pairs[i+1]
	}
	return settings
}

func newKey(t testing.TB) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block))
}

func TestLoadFillsInDefaults(t *testing.T) {
	cfg, err := Load(with("aliases", "[]", "zone", "", "tags", "{}"), allSecret)
	require.NoError(t, err)
	assert.Equal(t, "example.com", cfg.Zone)
	assert.Equal(t, "eu-central-1a", cfg.AvailabilityZone)
	assert.Equal(t, letsEncryptStaging, cfg.ACME.StagingDirectory)
	assert.Equal(t, []string{"app.example.com"}, cfg.Names())

	cfg, err = Load(with("repository", "git@github.com:you/app.git", "deployKey", newKey(t)), allSecret)
	require.NoError(t, err)
	assert.Equal(t, knownHosts["github.com"], cfg.RepositoryHostKey)

	cfg, err = Load(with("acmeDirectory", "https://ca.example.com/dir"), allSecret)
	require.NoError(t, err)
	assert.Equal(t, cfg.ACME.Directory, cfg.ACME.StagingDirectory)
}

// TestWhatPulumiNewAsksForIsText: its prompts know no lists.
func TestWhatPulumiNewAsksForIsText(t *testing.T) {
	cfg, err := Load(with("operatorCidrs", "203.0.113.7/32", "routes", "web:8080"), allSecret)
	require.NoError(t, err)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")}, cfg.OperatorCIDRs)
	assert.Equal(t, []Route{{Path: "/", Service: "web", Port: 8080}}, cfg.Routes)
}

// TestACommandThatLooksLikeANumberIsOne: pulumi config set --path writes true and 1 without quotes.
func TestACommandThatLooksLikeANumberIsOne(t *testing.T) {
	cfg, err := Load(with("migration", `{"service":"api","command":true}`), allSecret)
	require.NoError(t, err)
	assert.Equal(t, &Migration{Service: "api", Command: "true"}, cfg.Migration)
}

func TestLoadTellsEverythingAtOnce(t *testing.T) {
	_, err := Load(map[string]string{"berth:volumeSize": "4", "berth:instanceType": "m5.large", "aws:region": "x"}, allSecret)
	var problems *Problems
	require.ErrorAs(t, err, &problems)
	var settings []string
	for _, problem := range problems.List {
		settings = append(settings, problem.Setting)
	}
	assert.ElementsMatch(t, []string{"berth:domain", "berth:operatorCidrs", "berth:instanceType", "berth:volumeSize", "berth:repository", "berth:routes", "berth:acmeEmail"}, settings)
}
