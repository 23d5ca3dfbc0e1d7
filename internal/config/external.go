package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// external reads which services of the compose file run elsewhere, and at which host.
func (l *loader) external() {
	const example = "shop.abc123.eu-central-1.rds.amazonaws.com"
	c := l.config
	c.External, _ = l.texts("external", func(path string) string { return set(path, example) })
	for _, service := range slices.Sorted(maps.Keys(c.External)) {
		path := pathInto("external", service)
		if !serviceText.MatchString(service) {
			l.problem("external-service-invalid", path, "", "the name is none of a service", remove(path))
		}
		if reason := externalHost(c.External[service]); reason != "" {
			l.problem("external-host-address-invalid", path, c.External[service], reason, set(path, example))
		}
	}
	l.notExternal()
}

// externalHost says what keeps a text from being a host that containers can reach, "" for nothing.
func externalHost(host string) string {
	address, err := netip.ParseAddr(host)
	if err != nil {
		if reason := validName(host); reason != "" {
			return "a host is required, a DNS name in lower case or an IPv4 address, without a port"
		}
		return ""
	}
	if !address.Is4() || address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsUnspecified() || address.IsMulticast() {
		return "the IPv4 address of another machine is required"
	}
	return ""
}

// notExternal refuses settings that need a container of a service which has none here.
func (l *loader) notExternal() {
	c := l.config
	needed := func(path, service, what, fix string) {
		if c.External[service] != "" {
			l.problem("external-service-needed", path, service, what+" a container, and "+pathInto("external", service)+" says that the service runs elsewhere", fix)
		}
	}
	for i, route := range c.Routes {
		needed(fmt.Sprintf("routes[%d].service", i), route.Service, "a route needs", set(fmt.Sprintf("routes[%d].service", i), "web"))
	}
	for i, job := range c.Jobs {
		needed(fmt.Sprintf("jobs[%d].service", i), job.Service, "a job needs", set(fmt.Sprintf("jobs[%d].service", i), "web"))
	}
	if c.Migration != nil {
		needed("migration.service", c.Migration.Service, "a migration needs", set("migration.service", "web"))
	}
	if c.Database != nil {
		needed("database.service", c.Database.Service, "a dump needs", "pulumi config rm berth:database")
	}
	for _, service := range slices.Sorted(maps.Keys(c.Images)) {
		needed(pathInto("images", service), service, "an image is for", remove(pathInto("images", service)))
	}
}
