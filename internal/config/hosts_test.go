package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	front    = `{"path":"/","service":"web","port":80}`
	frontOf  = `{"host":"%","path":"/","service":"api","port":8000}`
	elseHost = "shop.other.org"
)

func of(host string) string { return strings.Replace(frontOf, "%", host, 1) }

// TestNamesOfTheSite: records, the certificate and what nginx answers for follow from them.
func TestNamesOfTheSite(t *testing.T) {
	cfg, err := Load(with("aliases", `["www.example.com","`+elseHost+`"]`, "externalHosts", `["`+elseHost+`"]`,
		"routes", `[`+front+`,`+of("api.example.com")+`,`+of("www.example.com")+`,{"host":"api.example.com","path":"/v2/","service":"api","port":80,"stripPrefix":true}]`,
		"redirects", `{"old.example.com":"older.example.com","older.example.com":"www.example.com","news.example.com":"news.elsewhere.net"}`), allSecret)
	require.NoError(t, err)
	assert.Equal(t, []string{"app.example.com", "www.example.com", elseHost, "api.example.com", "news.example.com", "old.example.com", "older.example.com"}, cfg.Names())
	assert.Equal(t, []string{"app.example.com", "www.example.com", "api.example.com", "news.example.com", "old.example.com", "older.example.com"}, cfg.Records())
	assert.Equal(t, []string{"app.example.com", "www.example.com", elseHost}, cfg.Common())
	assert.Equal(t, map[string]string{"old.example.com": "www.example.com", "older.example.com": "www.example.com", "news.example.com": "news.elsewhere.net"}, cfg.Redirects, "each straight to the last")
	assert.True(t, cfg.Routes[3].StripPrefix)

	cfg, err = Load(with("routes", "web:80", "aliases", `["www.example.com"]`, "redirects", `{"www.example.com":"app.example.com"}`), allSecret)
	require.NoError(t, err)
	assert.Equal(t, []string{"app.example.com", "www.example.com"}, cfg.Names())
	assert.Equal(t, []string{"app.example.com"}, cfg.Common(), "an alias may redirect")

	cfg, err = Load(with("routes", `[`+of("api.example.com")+`,`+of("app.example.com")+`]`), allSecret)
	require.NoError(t, err, "every name has its own")
	assert.Equal(t, "app.example.com", cfg.First().Host)
}

func TestHostsAndRedirectsAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		settings []string
		id, path string
		fix      string
	}{
		"a host that is no name":            {[]string{"routes", `[` + front + `,` + of("API.example.com") + `]`}, "route-host-invalid", "routes[1].host", "pulumi config set --path 'berth:routes[1].host' api.example.com"},
		"an empty host":                     {[]string{"routes", `[` + front + `,` + of("") + `]`}, "route-host-invalid", "routes[1].host", "api.example.com"},
		"a wildcard":                        {[]string{"routes", `[` + front + `,` + of("*.example.com") + `]`}, "route-host-invalid", "routes[1].host", "api.example.com"},
		"a host for nginx's configuration":  {[]string{"routes", `[` + front + `,` + of("a;}.example.com") + `]`}, "route-host-invalid", "routes[1].host", "api.example.com"},
		"a host of another kind":            {[]string{"routes", `[` + front + `,{"host":["a.example.com"],"path":"/","service":"a","port":1}]`}, "route-host-invalid", "routes[1].host", "api.example.com"},
		"a host outside the zone":           {[]string{"routes", `[` + front + `,` + of(elseHost) + `]`}, "host-outside-zone", "routes[1].host", "pulumi config set --path 'berth:externalHosts[0]' " + elseHost},
		"a redirect from outside the zone":  {[]string{"redirects", `{"` + elseHost + `":"app.example.com"}`}, "host-outside-zone", `redirects["` + elseHost + `"]`, "pulumi config set --path 'berth:externalHosts[0]' " + elseHost},
		"a further host without a front":    {[]string{"routes", `[` + front + `,{"host":"api.example.com","path":"/v1","service":"api","port":8000}]`}, "route-host-none-at-root", "routes[1].host", "pulumi config set --path 'berth:routes[2].host' api.example.com && pulumi config set --path 'berth:routes[2].path' / && pulumi config set --path 'berth:routes[2].service' api && pulumi config set --path 'berth:routes[2].port' 8000"},
		"a domain without a front":          {[]string{"routes", `[` + of("api.example.com") + `]`}, "route-none-at-root", "routes", "pulumi config set --path 'berth:routes[1].path' /"},
		"an alias without a front":          {[]string{"aliases", `["www.example.com"]`, "routes", `[` + of("app.example.com") + `]`}, "route-none-at-root", "routes", "pulumi config set --path 'berth:routes[1].path' /"},
		"a path of a host twice":            {[]string{"routes", `[` + front + `,` + of("api.example.com") + `,{"host":"api.example.com","path":"/a","service":"b","port":1},{"host":"api.example.com","path":"/a/","service":"b","port":1}]`}, "route-path-twice", "routes[3].path", "pulumi config rm --path 'berth:routes[3]'"},
		"a route that nobody gets to":       {[]string{"routes", `[` + front + `,` + of("app.example.com") + `]`}, "route-unreachable", "routes[0].path", "pulumi config rm --path 'berth:routes[0]'"},
		"a prefix that is no boolean":       {[]string{"routes", `[` + front + `,{"path":"/a","service":"b","port":1,"stripPrefix":"yes"}]`}, "route-strip-prefix-invalid", "routes[1].stripPrefix", "pulumi config set --path 'berth:routes[1].stripPrefix' false"},
		"a prefix at the root":              {[]string{"routes", `[{"path":"/","service":"b","port":1,"stripPrefix":true}]`}, "route-strip-prefix-invalid", "routes[0].stripPrefix", "false"},
		"health beside a stripped prefix":   {[]string{"routes", `[` + front + `,{"path":"/api","service":"b","port":1,"stripPrefix":true,"health":"/healthz"}]`}, "route-health-outside", "routes[1].health", "pulumi config set --path 'berth:routes[1].health' /api/healthz"},
		"redirects that are a list":         {[]string{"redirects", `["www.example.com"]`}, "setting-wrong-kind", "redirects", `pulumi config rm berth:redirects && pulumi config set --path 'berth:redirects["www.example.com"]' app.example.com`},
		"a redirect to itself":              {[]string{"redirects", `{"a.example.com":"a.example.com"}`}, "redirect-loop", `redirects["a.example.com"]`, `pulumi config rm --path 'berth:redirects["a.example.com"]'`},
		"redirects in a circle":             {[]string{"redirects", `{"a.example.com":"b.example.com","b.example.com":"c.example.com","c.example.com":"a.example.com"}`}, "redirect-loop", `redirects["b.example.com"]`, "pulumi config rm"},
		"a redirect into a circle":          {[]string{"redirects", `{"a.example.com":"b.example.com","b.example.com":"b.example.com"}`}, "redirect-loop", `redirects["a.example.com"]`, "pulumi config rm"},
		"a redirect of the domain":          {[]string{"redirects", `{"app.example.com":"www.example.com"}`}, "redirect-of-domain", `redirects["app.example.com"]`, "pulumi config rm"},
		"a redirect of a name with routes":  {[]string{"redirects", `{"api.example.com":"app.example.com"}`, "routes", `[` + front + `,` + of("api.example.com") + `]`}, "redirect-of-routes", `redirects["api.example.com"]`, "pulumi config rm"},
		"a redirect from what is no name":   {[]string{"redirects", `{"https://a.example.com":"app.example.com"}`}, "redirect-name-invalid", `redirects["https://a.example.com"]`, "pulumi config rm"},
		"a redirect to a URL":               {[]string{"redirects", `{"a.example.com":"https://app.example.com/x"}`}, "redirect-target-invalid", `redirects["a.example.com"]`, `pulumi config set --path 'berth:redirects["a.example.com"]' app.example.com`},
		"a redirect to what nginx reads":    {[]string{"redirects", `{"a.example.com":"$host"}`}, "redirect-target-invalid", `redirects["a.example.com"]`, "pulumi config set"},
		"an external host that nobody uses": {[]string{"externalHosts", `["` + elseHost + `"]`}, "external-host-unused", "externalHosts[0]", "pulumi config rm --path 'berth:externalHosts[0]'"},
		"an external domain":                {[]string{"externalHosts", `["app.example.com"]`}, "external-host-domain", "externalHosts[0]", "pulumi config rm"},
		"an external host twice":            {[]string{"aliases", `["` + elseHost + `"]`, "externalHosts", `["` + elseHost + `","` + elseHost + `"]`}, "external-host-twice", "externalHosts[1]", "pulumi config rm"},
		"an external host that is no name":  {[]string{"externalHosts", `["shop"]`}, "external-host-invalid", "externalHosts[0]", "pulumi config set"},
		"more names than a certificate has": {[]string{"acmeProfile", "shortlived", "aliases", names(23), "routes", `[` + front + `,` + of("api.example.com") + `]`, "redirects", `{"old.example.com":"app.example.com"}`}, "names-too-many", "redirects", `pulumi config rm --path 'berth:redirects["old.example.com"]'`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(with(test.settings...), allSecret)
			var problems *Problems
			require.ErrorAs(t, err, &problems)
			var found bool
			for _, problem := range problems.List {
				if problem.ID == test.id && problem.Setting == "berth:"+test.path {
					found = true
					assert.Contains(t, problem.Fix, test.fix)
				}
			}
			assert.True(t, found, "%v", err)
		})
	}
}

// TestAllThatIsWrongWithNamesIsSaidAtOnce.
func TestAllThatIsWrongWithNamesIsSaidAtOnce(t *testing.T) {
	_, err := Load(with("routes", `[`+front+`,`+of(elseHost)+`,`+of("bad_name.example.com")+`,{"host":"v.example.com","path":"/v","service":"b","port":0}]`,
		"redirects", `{"app.example.com":"www.example.com","`+elseHost+`":"app.example.com"}`), allSecret)
	require.Error(t, err)
	for _, id := range []string{"host-outside-zone", "route-host-invalid", "route-port-invalid", "route-host-none-at-root", "redirect-of-domain", "redirect-of-routes"} {
		assert.Contains(t, err.Error(), "["+id+"]")
	}
}
