package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// maxNames is how many names one certificate of Let's Encrypt may hold. Source: letsencrypt.org, "Rate Limits".
const maxNames = 100

// profileNames is how many a certificate of a profile may hold, where that is fewer. Source: letsencrypt.org, "Profiles".
var profileNames = map[string]int{"shortlived": 25, "tlsserver": 25}

// label is one label of a DNS host name (RFC 1123), in lower case.
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (l *loader) domain() {
	c := l.config
	c.Domain = l.raw("domain")
	if c.Domain == "" {
		l.problem("domain-missing", "domain", "", "the site's name is required, such as app.example.com", set("domain", "app.example.com"))
	} else {
		l.name("domain", c.Domain)
	}
}

func (l *loader) aliases() {
	c := l.config
	c.Aliases, _ = l.list("aliases", "a list of names", setAnew("aliases", "aliases[0]", "www.example.com"))
	seen := map[string]bool{c.Domain: true}
	for i, alias := range c.Aliases {
		path := fmt.Sprintf("aliases[%d]", i)
		l.name(path, alias)
		if seen[alias] {
			l.problem("alias-twice", path, alias, "the name is there already", remove(path))
		}
		seen[alias] = true
	}
}

// zone reads the zone and checks that it holds all names.
func (l *loader) zone() {
	c := l.config
	if c.Zone = l.raw("zone"); c.Zone == "" {
		c.Zone = l.registrable()
	} else if reason := validName(c.Zone); reason != "" {
		l.problem("zone-invalid", "zone", c.Zone, reason, set("zone", "example.com"))
	}
}

// registrable is the part of the domain that one registers: the zone where no other is set.
func (l *loader) registrable() string {
	zone, err := publicsuffix.EffectiveTLDPlusOne(l.config.Domain)
	switch {
	case validName(l.config.Domain) != "":
		return ""
	case err != nil:
		l.problem("zone-unknown", "zone", "", fmt.Sprintf("no zone follows from the domain %s; name the Route 53 zone that holds it", l.config.Domain), set("zone", l.config.Domain))
		return ""
	}
	return zone
}

// parent is the zone that most likely holds a name.
func parent(name string) string {
	if registrable, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return registrable
	}
	return name
}

func (l *loader) name(path, name string) {
	if reason := validName(name); reason != "" {
		l.problem("name-invalid", path, name, reason, set(path, suggestName(name)))
	}
}

// validName says what is wrong with a host name, "" for nothing.
func validName(name string) string {
	labels := strings.Split(name, ".")
	bad := func(text string) bool { return !label.MatchString(text) }
	switch {
	case strings.Contains(name, "://") || strings.Contains(name, "/"):
		return "a name is required, not a URL"
	case strings.HasPrefix(name, "*."):
		return "a wildcard cannot be validated over HTTP; list the names one by one"
	case len(name) > 253 || len(labels) < 2 || slices.ContainsFunc(labels, bad):
		return "a DNS name is required: labels of a-z, 0-9 and hyphens, 63 characters each and 253 in all, in lower case, without a final dot"
	case strings.Trim(labels[len(labels)-1], "0123456789") == "":
		return "a DNS name is required, not an address"
	}
	return ""
}

// suggestName is what a misspelt name most likely means.
func suggestName(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if _, rest, found := strings.Cut(name, "://"); found {
		name = rest
	}
	name, _, _ = strings.Cut(name, "/")
	name = strings.TrimPrefix(strings.TrimSuffix(name, "."), "*.")
	if validName(name) != "" {
		return "app.example.com"
	}
	return name
}
