package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Upstream is a route and the loopback port that it leads to.
type Upstream struct {
	Route
	Upstream int `json:"upstream"`
}

// firstKept is the first loopback port of persistent services; below those of releases.
const firstKept = 19000

func portName(service string, port int) string { return fmt.Sprintf("%s:%d", service, port) }

func (p *planner) onHost(service string) bool {
	one := p.service(service)
	return one != nil && one.NetworkMode == "host"
}

// assignPorts gives each routed port of a service a loopback port. A persistent service keeps the one it has.
func (p *planner) assignPorts() {
	all, kept, next := map[string]int{}, map[string]int{}, p.Base
	names := map[string]bool{}
	for _, route := range p.Given.Routes {
		names[portName(route.Service, route.Port)] = true
	}
	for _, name := range sorted(names) {
		service, port, _ := strings.Cut(name, ":")
		switch {
		case p.onHost(service):
			all[name], _ = strconv.Atoi(port)
		case !p.persistent(service):
			all[name] = next
			next++
		default:
			had, ok := p.Given.Ports[name]
			if !ok {
				had = free(slices.Concat(slices.Collect(maps.Values(kept)), slices.Collect(maps.Values(p.Given.Ports))))
			}
			all[name], kept[name] = had, had
		}
	}
	p.Plan.Ports = kept
	p.Plan.Routes = []Upstream{}
	for _, route := range p.Given.Routes {
		p.Plan.Routes = append(p.Plan.Routes, Upstream{route, all[portName(route.Service, route.Port)]})
	}
}

// free is the first port for persistent services that is not used.
func free(used []int) int {
	port := firstKept
	for slices.Contains(used, port) {
		port++
	}
	return port
}

// published are the loopback ports of a service as Compose takes them.
func (p *planner) published(service string) []any {
	all := []any{}
	if p.onHost(service) {
		return all
	}
	ports := map[string]Upstream{}
	for _, route := range p.Plan.Routes {
		if route.Service == service {
			ports[portName(service, route.Port)] = route
		}
	}
	for _, name := range sorted(ports) {
		all = append(all, object{"mode": "ingress", "host_ip": "127.0.0.1", "target": ports[name].Port, "published": strconv.Itoa(ports[name].Upstream), "protocol": "tcp"})
	}
	return all
}
