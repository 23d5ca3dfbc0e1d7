package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Upstream is a route and the loopback port that it leads to.
type Upstream struct {
	Route
	Upstream string `json:"upstream"`
}

// Port is one of a service that routes lead to. Which loopback port it gets, the server knows: one that is free for this release
// ("release"), the one that a persistent service has ("kept"), or its own where the service uses the host's network ("host").
type Port struct {
	Service string `json:"service"`
	Port    int    `json:"port"`
	Of      string `json:"of"`
}

// name is the placeholder of a loopback port.
func (p Port) name() string { return placeholder(fmt.Sprintf("PORT:%s:%d", p.Service, p.Port)) }

// ports are those of services that routes lead to, each once.
func (p *planner) ports() []Port {
	all := []Port{}
	for _, route := range p.Given.Routes {
		one := Port{route.Service, route.Port, "release"}
		switch service := p.service(route.Service); {
		case service != nil && service.NetworkMode == "host":
			one.Of = "host"
		case p.persistent(route.Service):
			one.Of = "kept"
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Port) int { return strings.Compare(a.name(), b.name()) })
	return slices.Compact(all)
}

func (p *planner) upstreams() []Upstream {
	all := []Upstream{}
	for _, route := range p.Given.Routes {
		all = append(all, Upstream{route, Port{Service: route.Service, Port: route.Port}.name()})
	}
	return all
}

// published are the loopback ports of a service as Compose takes them.
func (p *planner) published(service string) []any {
	all := []any{}
	for _, port := range p.Ports {
		if port.Service == service && port.Of != "host" {
			all = append(all, object{"mode": "ingress", "host_ip": "127.0.0.1", "target": port.Port, "published": port.name(), "protocol": "tcp"})
		}
	}
	return all
}
