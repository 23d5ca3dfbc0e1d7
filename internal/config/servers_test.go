package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServersAreANumberOrAnObject(t *testing.T) {
	for value, want := range map[string]Servers{
		"":                          {1, 1, 60, true, false, 0},
		"1":                         {1, 1, 60, true, false, 0},
		"3":                         {3, 3, 60, true, false, 0},
		"20":                        {20, 20, 60, true, false, 0},
		"{}":                        {1, 1, 60, true, false, 0},
		`{"min":3}`:                 {3, 3, 60, true, false, 0},
		`{"max":4}`:                 {2, 4, 60, true, false, 0},
		`{"min":2,"max":4}`:         {2, 4, 60, true, false, 0},
		`{"min":20,"max":20}`:       {20, 20, 60, true, false, 0},
		`{"max":2,"cpu":10}`:        {2, 2, 10, true, false, 0},
		`{"max":2,"cpu":90}`:        {2, 2, 90, true, false, 0},
		`{"max":2,"accessLogs":30}`: {2, 2, 60, true, false, 30},
		`{"sticky":true}`:           {1, 1, 60, true, true, 0},
		`{"min":1,"max":1}`:         {1, 1, 60, true, false, 0},
		` {"min":2,"max": 2} `:      {2, 2, 60, true, false, 0},
		`{"min":2,"max":4,"cpu":50,"first":false,"sticky":true}`: {2, 4, 50, false, true, 0},
	} {
		cfg, err := Load(with("servers", value), allSecret)
		require.NoError(t, err, value)
		assert.Equal(t, want, cfg.Servers, value)
		assert.Equal(t, want.Max > 1, cfg.Servers.Several(), value)
	}
	assert.False(t, Servers{}.Several(), "a configuration of a test")
}

// TestWhatIsNotSoundIsOneServer: nothing else is refused for a number that is wrong itself.
func TestWhatIsNotSoundIsOneServer(t *testing.T) {
	for _, value := range []string{"21", "many", `{"min":5,"max":4}`, `{"max":4,"sticky":1}`} {
		cfg, problems := Parse("berth", with("servers", value, "http3", "true"), allSecret)
		require.NotNil(t, problems, value)
		assert.Len(t, problems.List, 1, value)
		assert.Equal(t, oneServer, cfg.Servers, value)
	}
}

func TestTheCommandOfServersSetsThem(t *testing.T) {
	assert.Equal(t, "pulumi config set berth:servers 3", Servers{3, 3, 60, true, false, 0}.Command())
	assert.Equal(t, "pulumi config rm berth:servers && pulumi config set --path berth:servers.min 2 && pulumi config set --path berth:servers.max 4", Servers{2, 4, 60, true, false, 0}.Command())
	assert.Equal(t, "pulumi config rm berth:servers && pulumi config set --path berth:servers.min 3 && pulumi config set --path berth:servers.max 3 && pulumi config set --path berth:servers.sticky true",
		Servers{3, 3, 60, true, true, 0}.Command())
	assert.Equal(t, "pulumi config rm berth:servers && pulumi config set --path berth:servers.min 2 && pulumi config set --path berth:servers.max 3 && pulumi config set --path berth:servers.cpu 50 && pulumi config set --path berth:servers.first false && pulumi config set --path berth:servers.accessLogs 30",
		Servers{2, 3, 50, false, false, 30}.Command())
}

// TestSeveralServersRefuse what one server takes.
func TestSeveralServersRefuse(t *testing.T) {
	const grpc = `[{"path":"/","service":"web","port":80},{"path":"/shop.Orders/","service":"orders","port":50051,"protocol":"grpc"}]`
	const slow = `[{"path":"/","service":"web","port":80},{"path":"/live/","service":"web","port":80,"timeout":4001}]`
	const one = "pulumi config set berth:servers 1"
	for _, test := range []struct {
		id, fix  string
		settings []string
	}{
		{"subnet-of-one-server", one, []string{"subnetId", "subnet-0123456789abcdef0"}},
		{"external-hosts-with-servers", one, []string{"aliases", `["shop.example.org"]`, "externalHosts", `["shop.example.org"]`}},
		{"stop-first-with-servers", "pulumi config set berth:releaseStrategy blue-green", []string{"releaseStrategy", "stop-first"}},
		{"http3-with-servers", "pulumi config rm --path berth:http3", []string{"http3", "true"}},
		{"only-proxies-with-servers", "pulumi config rm --path berth:onlyTrustedProxies", []string{"trustedProxies", `["cloudfront"]`, "onlyTrustedProxies", "true"}},
		{"cloudflare-header-with-servers", "pulumi config rm --path berth:trustedProxies", []string{"trustedProxies", `["cloudflare"]`}},
		{"timeout-with-servers", "pulumi config set berth:timeout 4000", []string{"timeout", "4001"}},
		{"route-timeout-with-servers", "pulumi config set --path 'berth:routes[1].timeout' 4000", []string{"routes", slow}},
		{"grpc-with-servers", one, []string{"routes", grpc}},
		{"domain-too-long-for-acm", one, []string{"domain", strings.Repeat("a", 53) + ".example.com"}},
	} {
		_, err := Load(with(test.settings...), allSecret)
		require.NoError(t, err, "%s: with one server", test.id)
		for _, servers := range []string{"2", `{"min":2,"max":3}`} {
			_, problems := Parse("berth", with(append(test.settings, "servers", servers)...), allSecret)
			require.NotNil(t, problems, test.id)
			require.Len(t, problems.List, 1, test.id)
			assert.Equal(t, test.id, problems.List[0].ID)
			assert.Equal(t, test.fix, problems.List[0].Fix)
		}
	}
	for _, settings := range [][]string{
		{"trustedProxies", `["cloudflare","10.0.0.0/8"]`}, {"trustedProxies", `["cloudfront"]`}, {"timeout", "4000"}, {"domain", strings.Repeat("a", 52) + ".example.com"},
	} {
		_, err := Load(with(append(settings, "servers", "3")...), allSecret)
		assert.NoError(t, err, settings)
	}
}
