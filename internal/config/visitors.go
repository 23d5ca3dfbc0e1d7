package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxNetworks is how many networks a setting may list, maxUsers how many may log in; maxPassword in bytes is more than anybody types.
const maxNetworks, maxUsers, maxPassword = 200, 200, 200

// maxSnippet in bytes is more than a server has in directives.
const maxSnippet = 32 * 1024

// Vendors are the proxies whose networks the server knows, and keeps up to date.
var Vendors = []string{"cloudflare", "cloudfront"}

var (
	userText = regexp.MustCompile(`^[A-Za-z0-9._@+-]{1,64}$`)
	rateText = regexp.MustCompile(`^([0-9]{1,6})/(second|minute)$`)
)

// Networks are networks in CIDR notation; as JSON, one network may be a text.
type Networks []string

// UnmarshalJSON reads a text or a list of texts.
func (n *Networks) UnmarshalJSON(value []byte) error {
	var one string
	if json.Unmarshal(value, &one) == nil {
		*n = Networks{one}
		return nil
	}
	return json.Unmarshal(value, (*[]string)(n))
}

// valid says whether there is a network, and all are.
func (n Networks) valid() bool {
	return len(n) > 0 && len(n) <= maxNetworks && !slices.ContainsFunc(n, func(text string) bool { return notNetwork(text) != "" })
}

// notNetwork says why a text is no network that one may name, "" where it is one.
func notNetwork(text string) string {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return "a network in CIDR notation is required, such as 203.0.113.0/24"
	case prefix.Addr().Is4In6():
		return "an IPv4 network is required in its own notation, such as 203.0.113.0/24"
	case prefix.Bits() == 0:
		return "that is everyone"
	case prefix != prefix.Masked():
		return "its host bits are set; the network is " + prefix.Masked().String()
	}
	return ""
}

// RateLimit is how many requests an address may send to a route, and how many of them at once. As JSON it may be "10/minute", with
// as many at once.
type RateLimit struct {
	Requests int    `json:"requests"`
	Per      string `json:"per"`
	Burst    int    `json:"burst"`
}

// UnmarshalJSON reads a text such as 10/minute, or an object.
func (r *RateLimit) UnmarshalJSON(value []byte) error {
	var text string
	if json.Unmarshal(value, &text) == nil {
		match := rateText.FindStringSubmatch(text)
		if match == nil {
			return fmt.Errorf("%q is no rate", text)
		}
		requests, err := strconv.Atoi(match[1])
		*r = RateLimit{requests, match[2], requests}
		return err
	}
	type plain RateLimit
	var limit struct {
		plain
		Burst *int `json:"burst"`
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&limit); err != nil {
		return err
	}
	*r = RateLimit(limit.plain)
	r.Burst = r.Requests
	if limit.Burst != nil {
		r.Burst = *limit.Burst
	}
	return nil
}

// valid says whether nginx can hold to it: a second has at most 1000, a minute 60000.
func (r *RateLimit) valid() bool {
	most := map[string]int{"second": 1000, "minute": 60000}[r.Per]
	return r.Requests >= 1 && r.Requests <= most && r.Burst >= 1 && r.Burst <= 100000
}

// nginx reads the site's own directives.
func (l *loader) nginx() {
	c := l.config
	c.Nginx = strings.TrimSpace(strings.ReplaceAll(l.raw("nginx"), "\r\n", "\n"))
	if len(c.Nginx) > maxSnippet || strings.Contains(c.Nginx, "\x00") {
		l.problem("nginx-text-invalid", "nginx", "", fmt.Sprintf("a text of at most %d bytes without NUL is required: directives for the site's server", maxSnippet), "cat snippet.conf | pulumi config set berth:nginx")
	}
}

// proxies reads what is between visitors and the server.
func (l *loader) proxies() {
	c := l.config
	texts, _ := l.list("trustedProxies", "a list of networks, cloudflare or cloudfront", setAnew("trustedProxies", "trustedProxies[0]", "cloudflare"))
	if len(texts) > maxNetworks {
		l.problem("trusted-proxies-too-many", "trustedProxies", "", fmt.Sprintf("at most %d networks are allowed; there are %d", maxNetworks, len(texts)), remove(fmt.Sprintf("trustedProxies[%d]", maxNetworks)))
	}
	for i, text := range texts {
		path := fmt.Sprintf("trustedProxies[%d]", i)
		if reason := notNetwork(text); reason != "" && !slices.Contains(Vendors, text) {
			l.problem("trusted-proxy-invalid", path, text, "one of "+strings.Join(Vendors, ", ")+" or a network of your own proxies is required; "+reason, set(path, "cloudflare"))
		}
		if slices.Contains(texts[:i], text) {
			l.problem("trusted-proxy-twice", path, text, "it is there already", remove(path))
		}
	}
	c.TrustedProxies = texts
}

// onlyProxies reads whether all others are refused.
func (l *loader) onlyProxies() {
	c := l.config
	if c.OnlyTrustedProxies = l.boolean("onlyTrustedProxies"); c.OnlyTrustedProxies && len(c.TrustedProxies) == 0 {
		l.problem("trusted-proxies-missing", "trustedProxies", "", "onlyTrustedProxies is set, and without a proxy nobody would get in", set("trustedProxies[0]", "cloudflare"))
	}
}

// users reads who may log in, and which routes ask.
func (l *loader) users() {
	c := l.config
	c.Auth, _ = l.texts("auth", setSecret)
	l.encrypted("auth", "pulumi config rm berth:auth && "+setSecret("auth.USER"))
	if len(c.Auth) > maxUsers {
		l.problem("auth-too-many", "auth", "", fmt.Sprintf("at most %d users are allowed; there are %d", maxUsers, len(c.Auth)), "pulumi config rm berth:auth")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Auth)) {
		path := pathInto("auth", name)
		switch password := c.Auth[name]; {
		case !userText.MatchString(name):
			l.problem("auth-user-invalid", path, "", "a user's name has 1 to 64 letters, digits and . _ @ + -", remove(path))
		case password == "" || len(password) > maxPassword || strings.ContainsAny(password, "\x00\r\n"):
			l.problem("auth-password-invalid", path, "", fmt.Sprintf("a password is one line of 1 to %d bytes", maxPassword), setSecret(path))
		}
	}
	for i, route := range l.declared {
		if route.Auth != nil && len(c.Auth) == 0 {
			at := fmt.Sprintf("routes[%d].auth", i)
			l.problem("route-auth-without-users", at, fmt.Sprint(*route.Auth), "berth:auth has no user", setSecret("auth.USER"))
		}
	}
}

// alarmsAsk refuses a health check of Route 53, for the health path asked of the setting at, that would never get an answer: it has no
// password, no address of its own, and comes by no proxy.
func (l *loader) alarmsAsk(at, asked string) {
	c := l.config
	if c.OnlyTrustedProxies {
		l.problem("alarms-behind-proxies", "onlyTrustedProxies", "true", "with alarmEmail Route 53 asks the server itself, by no proxy, and would be refused", remove("onlyTrustedProxies"))
	}
	path, _, _ := strings.Cut(asked, "?")
	var of *Route
	for i := range c.Routes {
		route := &c.Routes[i]
		if c.Leads(route, c.Domain) && strings.HasPrefix(folder(path), folder(route.Path)) && (of == nil || len(folder(route.Path)) > len(folder(of.Path))) {
			of = route
		}
	}
	if of != nil && (len(of.AllowFrom) > 0 || len(c.Auth) > 0 && (of.Auth == nil || *of.Auth)) {
		l.problem("health-path-protected", at, asked, "with alarmEmail Route 53 asks for the health path of the domain's first route, from addresses and without a password that "+asked+
			" does not let in; name one that lies in a route with auth: false and without allowFrom, which answers nothing that is worth protecting", set(at, "/healthz"))
	}
}
