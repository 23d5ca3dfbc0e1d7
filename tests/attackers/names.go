package attackers

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

const domain = harness.Domain

// said finds the status of every answer in what came back.
var said = regexp.MustCompile(`(?m)^HTTP/1\.[01] (\d{3}) `)

// statuses are those of the answers, "closed" where there was none.
func statuses(answer string) []string {
	found := []string{}
	for _, match := range said.FindAllStringSubmatch(answer, -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		return []string{"closed"}
	}
	return found
}

// attempt is bytes for the edge and what it may answer.
type attempt struct {
	name, request string
	// allowed are the statuses that are sane; anything else is not.
	allowed []string
}

func get(target, host string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
}

func (s *Scene) try(t *testing.T, port, name string, attempts []attempt) int {
	t.Helper()
	for _, a := range attempts {
		answer := s.exchange(t, port, name, strings.NewReader(a.request))
		assert.Subsetf(t, a.allowed, statuses(answer), "%s on %s: %.300s", a.name, port, answer)
		for _, secret := range []string{"root:x:", "PRIVATE KEY", "This site is being set up", "X-Injected: yes\r\n"} {
			assert.NotContainsf(t, answer, secret, "%s on %s", a.name, port)
		}
	}
	return len(attempts)
}

// Names asks for the site by names that are not its own.
func (s *Scene) Names(t *testing.T) {
	const path = "/smuggled/name"
	refused, own := []string{"400", "421", "closed"}, []string{"200", "308", "404", "405"}
	attempts := []attempt{
		{"an unknown name", get(path, "evil.test"), refused},
		{"a name that begins like the site's", get(path, domain+".evil.test"), refused},
		{"a name that ends like the site's", get(path, "evil"+domain), refused},
		{"a parent", get(path, "example.test"), refused},
		{"the address", get(path, s.address), refused},
		{"an IPv6 address", get(path, "["+s.v6+"]"), refused},
		{"localhost", get(path, "localhost"), refused},
		{"no name", "GET " + path + " HTTP/1.1\r\nConnection: close\r\n\r\n", refused},
		{"an empty name", get(path, ""), refused},
		{"a wildcard", get(path, "*"), refused},
		{"two names", "GET " + path + " HTTP/1.1\r\nHost: " + domain + "\r\nHost: evil.test\r\nConnection: close\r\n\r\n", refused},
		{"a path in the name", get(path, domain+"/../evil"), refused},
		{"a user in the name", get(path, domain+"@evil.test"), refused},
		{"NUL in the name", get(path, domain+"\x00.evil.test"), refused},
		{"a name of 1 MB", get(path, strings.Repeat("a", 1<<20)), append(refused, "414", "431")},
		{"another site in absolute form", get("http://evil.test"+path, domain), refused},
		{"another site in absolute form, with the scheme", get("https://evil.test"+path, domain), refused},
		{"CRLF in the target", get("/%0d%0aX-Injected:%20yes", domain), own},
		{"the site's name with its port", get("/", domain+":443"), own},
		{"the site's name with a dot", get("/", domain+"."), own},
		{"the site's name in capitals", get("/", strings.ToUpper(domain)), own},
		{"the site in absolute form, another name beside it", get("http://"+domain+"/", "evil.test"), own},
	}
	asked := s.try(t, "443", domain, attempts) + s.try(t, "80", "", attempts)
	for _, name := range []string{"", "evil.test", "app.example.test.evil.test", s.address, strings.Repeat("a", 60000)} {
		_, err := s.secure(name)
		require.Errorf(t, err, "%.80s", name)
		asked++
	}
	conn, err := s.secure(domain)
	require.NoError(t, err, "the site's own name is served")
	require.NoError(t, conn.Close())
	s.nothingArrived(t)
	report.Add(t, section, "Hostile Host headers and TLS names", fmt.Sprintf("%d tried, 0 reached the app", asked))
}

// Paths tries to leave the folder of the authority's challenges, which is the only one that nginx itself serves.
func (s *Scene) Paths(t *testing.T) {
	const folder = "/.well-known/acme-challenge/"
	r := s.rehearsal.In(t)
	r.SSH("echo there | sudo tee /var/lib/berth/acme" + folder + "token")
	defer r.SSH("sudo rm -f /var/lib/berth/acme" + folder + "token")
	require.Contains(t, s.exchange(t, "80", "", strings.NewReader(get(folder+"token", domain))), "there")
	sane := []string{"308", "400", "403", "404", "405", "414"}
	var attempts []attempt
	for _, path := range []string{
		"", ".", "..", "../", "../../../pages/starting.html", "..%2f..%2f..%2fpages%2fstarting.html", "%2e%2e/%2e%2e/%2e%2e/pages/starting.html",
		"%2e%2e%2f%2e%2e%2f%2e%2e%2fpages/starting.html", "%252e%252e%252f%252e%252e%252fpages/starting.html", "..\\..\\..\\pages\\starting.html",
		"..%5c..%5cpages", "//../../../pages/starting.html", "/etc/passwd", "//etc/passwd", "....//....//....//pages/starting.html", "..;/..;/pages/starting.html",
		"token%00", "token%00.html", "%00", "%c0%ae%c0%ae/%c0%ae%c0%ae/pages/starting.html", "../acme-challenge../pages/starting.html",
		strings.Repeat("../", 1000) + "etc/passwd", strings.Repeat("a", 7000), "?../../etc/passwd", "#/../../etc/passwd", "../.well-known/../../pages/starting.html",
		"%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/data/releases/current/.env.production", "../../../../../../data/tls/current/privkey.pem",
	} {
		attempts = append(attempts, attempt{path, get(folder+path, domain), sane})
	}
	for _, path := range []string{"/.well-known/acme-challenge../", "/.well-known//acme-challenge/../../../../etc/passwd", "/.well-known/acme-challenge", "/.WELL-KNOWN/acme-challenge/../../pages/starting.html"} {
		attempts = append(attempts, attempt{path, get(path, domain), sane})
	}
	attempts = append(attempts,
		attempt{"a POST", "POST " + folder + "token HTTP/1.1\r\nHost: " + domain + "\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", sane},
		attempt{"a PUT", "PUT " + folder + "token HTTP/1.1\r\nHost: " + domain + "\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", sane})
	tried := s.try(t, "80", "", attempts)
	for i := range attempts {
		attempts[i].allowed = append(attempts[i].allowed, "200", "502")
	}
	tried += s.try(t, "443", domain, attempts)
	report.Add(t, section, "Path tricks around the authority's challenges", fmt.Sprintf("%d tried, 0 left the folder", tried))
}
