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
	_, err := Load(map[string]string{"berth:volumeSize": "4", "berth:instanceType": "m5.huge", "aws:region": "x"}, allSecret)
	var problems *Problems
	require.ErrorAs(t, err, &problems)
	var settings []string
	for _, problem := range problems.List {
		settings = append(settings, problem.Setting)
	}
	assert.ElementsMatch(t, []string{"berth:domain", "berth:operatorCidrs", "berth:instanceType", "berth:volumeSize", "berth:repository", "berth:routes", "berth:acmeEmail"}, settings)
}

// TestRoutesHaveOptions, and a stream has the site's timeout for the silence of visitors.
func TestRoutesHaveOptions(t *testing.T) {
	cfg, err := Load(with("timeout", "120", "auth", `{"alice":"a password"}`, "routes", `[{"path":"/","service":"web","port":80},{"path":"/up/","service":"web","port":80,"maxBody":256,"timeout":7,"buffering":true},
		{"path":"/stream/","service":"web","port":80,"buffering":false,"maxBody":1048576},{"path":"/rpc/","service":"web","port":50051,"protocol":"grpc"},{"path":"/x/","service":"web","port":80,"protocol":"http","allowFrom":"10.0.0.0/8","rateLimit":"10/minute","auth":false},
		{"path":"/y/","service":"web","port":80,"allowFrom":["10.0.0.0/8","2001:db8::/32"],"rateLimit":{"requests":5,"per":"second","burst":9}}]`), allSecret)
	require.NoError(t, err)
	yes, no := true, false
	assert.Equal(t, []Route{
		{Path: "/", Service: "web", Port: 80}, {Path: "/up/", Service: "web", Port: 80, MaxBody: 256, Timeout: 7, Buffering: &yes},
		{Path: "/stream/", Service: "web", Port: 80, MaxBody: 1048576, Timeout: 120, Buffering: &no}, {Path: "/rpc/", Service: "web", Port: 50051, Timeout: 120, Protocol: "grpc"},
		{Path: "/x/", Service: "web", Port: 80, Protocol: "http", AllowFrom: Networks{"10.0.0.0/8"}, RateLimit: &RateLimit{10, "minute", 10}, Auth: &no},
		{Path: "/y/", Service: "web", Port: 80, AllowFrom: Networks{"10.0.0.0/8", "2001:db8::/32"}, RateLimit: &RateLimit{5, "second", 9}},
	}, cfg.Routes)
}

// TestAlarmsNeedAPathThatRoute53MayAsk, which has no password and comes from everywhere.
func TestAlarmsNeedAPathThatRoute53MayAsk(t *testing.T) {
	const users = `{"alice":"a password"}`
	for _, c := range []struct {
		auth, routes string
		sound        bool
	}{
		{"", "web:80", true},
		{users, "web:80", false},
		{users, `[{"path":"/","service":"web","port":80,"auth":false}]`, true},
		{users, `[{"path":"/","service":"web","port":80,"health":"/healthz?x=y"},{"path":"/healthz","service":"web","port":80,"auth":false}]`, true},
		{users, `[{"path":"/","service":"web","port":80,"health":"/healthz"},{"path":"/health","service":"web","port":80,"auth":false}]`, false},
		{"", `[{"path":"/","service":"web","port":80,"allowFrom":"10.0.0.0/8"}]`, false},
		{"", `[{"path":"/","service":"web","port":80},{"path":"/admin/","service":"web","port":80,"allowFrom":"10.0.0.0/8"}]`, true},
		{"", `[{"host":"api.example.com","path":"/","service":"web","port":80,"allowFrom":"10.0.0.0/8"},{"path":"/","service":"web","port":80}]`, true},
		{"", `[{"host":"api.example.com","path":"/","service":"web","port":80},{"path":"/","service":"web","port":80,"allowFrom":"10.0.0.0/8"}]`, false},
	} {
		_, err := Load(with("alarmEmail", "you@example.com", "auth", c.auth, "routes", c.routes), allSecret)
		if c.sound {
			require.NoError(t, err, c.routes)
		} else {
			require.ErrorContains(t, err, "health-path-protected", c.routes)
		}
	}
	_, err := Load(with("alarmEmail", "you@example.com", "onlyTrustedProxies", "true", "trustedProxies", `["cloudflare"]`), allSecret)
	require.ErrorContains(t, err, "alarms-behind-proxies")
}
