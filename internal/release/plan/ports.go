package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Upstream is a route and the loopback port that it points to: the first of as many as there are replicas, one where none is said.
type Upstream struct {
	Route
	Upstream string `json:"upstream"`
	Replicas int    `json:"replicas,omitempty"`
}

// Port is one of a service that routes point to. Which loopback port it gets, the server knows: one that is free for this release
// ("release"), the one that a persistent service has ("kept"), or its own where the service uses the host's network ("host").
type Port struct {
	Service string `json:"service"`
	Port    int    `json:"port"`
	Of      string `json:"of"`
	// Replicas is how many ports in a row it gets, one where none is said.
	Replicas int `json:"replicas,omitempty"`
}

// slotPorts is how many loopback ports a release has.
const slotPorts = 100

// name is the placeholder of a loopback port.
func (p Port) name() string { return placeholder(fmt.Sprintf("PORT:%s:%d", p.Service, p.Port)) }

// ports are those of services that routes point to, each once.
func (p *planner) ports() []Port {
	all := []Port{}
	for _, route := range p.Given.Routes {
		one := Port{Service: route.Service, Port: route.Port, Of: "release", Replicas: p.balanced(route.Service)}
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
		all = append(all, Upstream{route, Port{Service: route.Service, Port: route.Port}.name(), p.balanced(route.Service)})
	}
	return all
}

// balanced is how many containers of a routed service take requests, 0 for one. Each has a loopback port of its own for each of its
// ports; which of them it is, Docker chooses, and nginx need not know.
func (p *planner) balanced(name string) int {
	if service := p.service(name); service != nil && service.replicas() > 1 && service.NetworkMode != "host" && !p.persistent(name) {
		return int(service.replicas())
	}
	return 0
}

// replicaProblems are about services whose containers cannot be distinguished, and about more ports than a release has.
func (p *planner) replicaProblems() (all []Problem) {
	for _, name := range p.services {
		service := p.service(name)
		if service.replicas() <= 1 {
			continue
		}
		key, value := "deploy", "deploy.replicas"
		if service.Scale != nil {
			key, value = "scale", "scale"
		}
		switch {
		case p.persistent(name) && (p.routed(name) || p.isStore(name)):
			all = append(all, problem("replicas-of-persistent", keys("services", name, key), "service %s is persistent, because %s, so it never runs twice, and %s is %g; take that out; or, if several may use its files at the same time, have every release replace it: labels: {%s: \"false\"}", name, p.Because[name], value, service.replicas(), stateful))
		case p.routed(name) && service.NetworkMode == "host":
			all = append(all, problem("replicas-in-host-network", keys("services", name, key), "service %s uses the host's network, where only one of its %g containers can have its port; take %s out, or network_mode", name, service.replicas(), value))
		}
	}
	ports := 0
	for _, port := range p.Plan.Ports {
		if port.Of == "release" {
			ports += max(port.Replicas, 1)
		}
	}
	if ports > slotPorts {
		all = append(all, problem("ports-too-many", nil, "the routed services have %d ports with all of their replicas, and a release has %d loopback ports; lower deploy.replicas or scale of a routed service, or route to fewer ports: pulumi config get berth:routes", ports, slotPorts))
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
