package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Names are all names of the site, the domain first: aliases, further hosts of routes, and those that redirect. The certificate holds
// them.
func (c *Config) Names() []string {
	all := append([]string{c.Domain}, c.Aliases...)
	for _, route := range c.Routes {
		if route.Host != "" {
			all = append(all, route.Host)
		}
	}
	return different(append(all, slices.Sorted(maps.Keys(c.Redirects))...))
}

// Records are the names whose records Berth makes.
func (c *Config) Records() []string {
	return slices.DeleteFunc(c.Names(), func(name string) bool { return slices.Contains(c.ExternalHosts, name) })
}

// Common are the names that routes without a host are for: the domain and its aliases.
func (c *Config) Common() []string {
	return slices.DeleteFunc(append([]string{c.Domain}, c.Aliases...), func(name string) bool { return c.Redirects[name] != "" })
}

// First is the first route that the domain has, nil for none: Route 53's health check asks for it.
func (c *Config) First() *Route {
	for i := range c.Routes {
		if route := &c.Routes[i]; c.Leads(route, c.Domain) {
			return route
		}
	}
	return nil
}

// Leads says whether requests for a name reach a route: it is the name's own, or it has no host and no own route of the name is there.
func (c *Config) Leads(route *Route, name string) bool {
	if route.Host != "" {
		return route.Host == name
	}
	return !slices.ContainsFunc(c.Routes, func(own Route) bool {
		return own.Host == name && strings.HasPrefix(folder(route.Path), folder(own.Path))
	})
}

// different are the different ones of some names, in their order.
func different(names []string) (all []string) {
	for _, name := range names {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// named is a name of the site, and the setting that has it.
type named struct{ at, name string }

// named are the names of the site as Names has them.
func (l *loader) named() (all []named) {
	note := func(at, name string) {
		if name != "" && !slices.ContainsFunc(all, func(one named) bool { return one.name == name }) {
			all = append(all, named{at, name})
		}
	}
	note("domain", l.config.Domain)
	for i, alias := range l.config.Aliases {
		note(fmt.Sprintf("aliases[%d]", i), alias)
	}
	for i, route := range l.declared {
		note(fmt.Sprintf("routes[%d].host", i), route.Host)
	}
	for _, from := range slices.Sorted(maps.Keys(l.config.Redirects)) {
		note(pathInto("redirects", from), from)
	}
	return all
}

// hosts reads whose records somebody else makes, and checks all names of the site, and what each is routed to.
func (l *loader) hosts() {
	l.externalHosts()
	l.countNames()
	l.inZone()
	l.tables()
}

// redirects reads which names redirect to which others, each to where it ends.
func (l *loader) redirects() {
	c := l.config
	given, _ := l.texts("redirects", func(path string) string {
		if path == "redirects.NAME" {
			path = pathInto("redirects", "www.example.com")
		}
		return set(path, cmp.Or(c.Domain, "example.com"))
	})
	c.Redirects = map[string]string{}
	for _, from := range slices.Sorted(maps.Keys(given)) {
		at, to := pathInto("redirects", from), given[from]
		chain := []string{from}
		for to != "" && !slices.Contains(chain, to) && given[to] != "" {
			chain = append(chain, to)
			to = given[to]
		}
		routed := slices.IndexFunc(l.declared, func(route Route) bool { return route.Host == from })
		switch reason := validName(from); {
		case reason != "":
			l.problem("redirect-name-invalid", at, from, reason, remove(at))
			continue
		case validName(given[from]) != "":
			l.problem("redirect-target-invalid", at, given[from], "the name that it redirects to is required: "+validName(given[from]), set(at, suggestName(given[from])))
		case from == c.Domain:
			l.problem("redirect-of-domain", at, given[from], "the site's own name answers itself; for the other way round make that name the domain, and redirect from this one", remove(at))
		case routed >= 0:
			l.problem("redirect-of-routes", at, given[from], fmt.Sprintf("berth:routes[%d] is for this name, which either answers or redirects", routed), remove(at))
		case slices.Contains(chain, to):
			l.problem("redirect-loop", at, given[from], "it redirects to itself: "+strings.Join(append(chain, to), " -> "), remove(at))
		}
		c.Redirects[from] = to
	}
}

// externalHosts reads the names whose records somebody else makes.
func (l *loader) externalHosts() {
	c := l.config
	c.ExternalHosts, _ = l.list("externalHosts", "a list of names", setAnew("externalHosts", "externalHosts[0]", "shop.example.org"))
	broken := (&Problems{l.problems}).Concern("aliases", "routes", "redirects")
	for i, host := range c.ExternalHosts {
		at := fmt.Sprintf("externalHosts[%d]", i)
		switch reason := validName(host); {
		case reason != "":
			l.problem("external-host-invalid", at, host, reason, set(at, suggestName(host)))
		case host == c.Domain:
			l.problem("external-host-domain", at, host, "the domain's records are made in the zone", remove(at))
		case slices.Contains(c.ExternalHosts[:i], host):
			l.problem("external-host-twice", at, host, "the name is there already", remove(at))
		case !broken && !slices.ContainsFunc(l.named(), func(one named) bool { return one.name == host }):
			l.problem("external-host-unused", at, host, "no alias, route or redirect has this name", remove(at))
		}
	}
}

// countNames checks that one certificate holds all names.
func (l *loader) countNames() {
	most, kind := maxNames, "a certificate"
	if limit, limited := profileNames[l.raw("acmeProfile")]; limited {
		most, kind = limit, "a certificate of the profile "+l.raw("acmeProfile")
	}
	if all := l.named(); len(all) > most {
		at := strings.TrimSuffix(all[most].at, ".host")
		l.problem("names-too-many", root(at), "", fmt.Sprintf("%s holds at most %d names; there are %d", kind, most, len(all)), remove(at))
	}
}

// inZone checks that the records of all names can be made in the zone.
func (l *loader) inZone() {
	c := l.config
	if c.Zone == "" || validName(c.Zone) != "" {
		return
	}
	further := len(c.ExternalHosts)
	for _, one := range l.named() {
		const elsewhere = "; if its DNS is elsewhere, list it in berth:externalHosts, and make the records yourself"
		switch {
		case validName(one.name) != "" || one.name == c.Zone || strings.HasSuffix(one.name, "."+c.Zone):
		case one.at == "domain":
			l.problem("domain-outside-zone", "domain", one.name, "it lies outside the zone "+c.Zone, set("zone", parent(one.name)))
		case slices.Contains(c.ExternalHosts, one.name):
		case root(one.at) == "aliases":
			l.problem("alias-outside-zone", one.at, one.name, "it lies outside the zone "+c.Zone+", which holds the site's names"+elsewhere, remove(one.at))
		default:
			l.problem("host-outside-zone", one.at, one.name, "it lies outside the zone "+c.Zone+", which holds the site's names"+elsewhere, set(fmt.Sprintf("externalHosts[%d]", further), one.name))
			further++
		}
	}
}

// tables checks that every name leads somewhere, and every route is for some name. What a name's own routes do not answer, those
// without a host do, where the name is the domain or an alias.
func (l *loader) tables() {
	if len(l.declared) == 0 {
		return
	}
	covered := func(host, path string) bool {
		return slices.ContainsFunc(l.declared, func(route Route) bool {
			return route.Host == host && strings.HasPrefix(folder(path), folder(route.Path))
		})
	}
	common := l.config.Common()
	var nowhere []string
	for _, name := range common {
		if !covered("", "/") && !covered(name, "/") {
			nowhere = append(nowhere, cmp.Or(name, "the domain"))
		}
	}
	next := len(l.declared)
	if len(nowhere) > 0 {
		l.problem("route-none-at-root", "routes", "", fmt.Sprintf("no route begins at / for %s, so requests for it would get no answer", strings.Join(nowhere, ", ")), setRoute(next, "/", "web", "80"))
		next++
	}
	said := slices.Clone(common)
	for i, route := range l.declared {
		at := fmt.Sprintf("routes[%d]", i)
		switch {
		case route.Host != "" && validName(route.Host) == "" && !slices.Contains(said, route.Host) && !covered(route.Host, "/"):
			l.problem("route-host-none-at-root", at+".host", route.Host, "no route of this host begins at /; those without a host are for the domain and its aliases alone",
				set(fmt.Sprintf("routes[%d].host", next), route.Host)+" && "+setRoute(next, "/", cmp.Or(route.Service, "web"), fmt.Sprint(cmp.Or(route.Port, 80))))
			said = append(said, route.Host)
			next++
		case route.Host == "" && route.Path != "" && !slices.ContainsFunc(common, func(name string) bool { return !covered(name, route.Path) }):
			l.problem("route-unreachable", at+".path", route.Path, "every name of the site has a route of its own there, so no request comes to this one", remove(at))
		}
	}
}
