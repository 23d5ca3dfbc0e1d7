package release

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"berth/internal/release/compose"
)

var (
	// endsTLS matches what Traefik, Caddy and nginx-proxy are configured with to get certificates or to redirect to https.
	endsTLS = regexp.MustCompile(`(?i)certificatesresolvers|redirections\.entrypoint|entrypoints\.\w+\.http\.tls|acme\.(email|tlschallenge|httpchallenge)`)
	// loadBalancer is a label by which a service says to Traefik where it answers.
	loadBalancer = regexp.MustCompile(`^traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port$`)
)

// ownTLS advises at a routed service that ends TLS itself: nginx of the server does that, and a redirect from http to https repeats the
// server's nginx there for ever.
func (f *findings) ownTLS() {
	for i, route := range f.cfg.Routes {
		service, ok := f.model.Project.Services[route.Service]
		if !ok {
			continue
		}
		line, ends := f.tlsLine(route.Service, service, route.Port)
		if !ends {
			continue
		}
		text := fmt.Sprintf("%s ends TLS itself, which nginx of the server does already: what it sends from http to https comes back to it for ever", route.Service)
		if route.Port == 443 || route.Port == 8443 {
			text = fmt.Sprintf("route %s points to port %d of %s, which speaks TLS, and nginx of the server speaks HTTP to it", route.Host+route.Path, route.Port, route.Service)
		}
		for _, mount := range service.Volumes {
			if strings.HasSuffix(mount.Source, "/docker.sock") {
				text += "; by Docker's socket it sees the containers of both releases, too"
			}
		}
		at := fmt.Sprintf("'berth:routes[%d]", i)
		if name, port := f.behind(route.Service); name != "" {
			text += fmt.Sprintf("; route to what is behind it, %s: pulumi config set --path %s.service' %s && pulumi config set --path %s.port' %s", name, at, name, at, port)
		} else {
			text += fmt.Sprintf("; have it answer with plain HTTP on a port and route to that: pulumi config set --path %s.port' PORT", at)
		}
		f.advise(aboutTLS, line, "%s", text)
	}
}

// tlsLine is the line that says that a service ends TLS.
func (f *findings) tlsLine(name string, service types.ServiceConfig, port int) (line compose.Place, ends bool) {
	for _, published := range service.Ports {
		if published.Protocol != "udp" && (published.Published == "443" || published.Target == 443) {
			return f.source.Holding("443", "services", name, "ports"), true
		}
	}
	for _, word := range slices.Concat(service.Command, service.Entrypoint) {
		if endsTLS.MatchString(word) {
			return f.source.At("services", name, "command"), true
		}
	}
	return f.source.At("services", name), port == 443
}

// behind is the service that an edge most likely forwards to, and its port, PORT if it is not given; "" for none.
func (f *findings) behind(edge string) (name, port string) {
	ports := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(f.model.Project.Services)) {
		service := f.model.Project.Services[name]
		if name == edge || slices.Contains(f.plan.Stores, name) {
			continue
		}
		ports[name] = cmp.Or(answersOn(service), "PORT")
	}
	names := f.source.Services()
	first := func(fits func(name string) bool) string {
		for _, name := range names {
			if ports[name] != "" && fits(name) {
				return name
			}
		}
		return ""
	}
	name = cmp.Or(
		first(func(name string) bool {
			return ports[name] != "PORT" && f.model.Project.Services[name].Labels["traefik.enable"] != "false"
		}),
		first(func(name string) bool {
			_, waits := f.model.Project.Services[edge].DependsOn[name]
			return waits
		}),
		first(func(string) bool { return len(ports) == 1 }))
	return name, ports[name]
}

// answersOn is the port that a service says it answers on, "" for none.
func answersOn(service types.ServiceConfig) string {
	for _, label := range slices.Sorted(maps.Keys(service.Labels)) {
		if loadBalancer.MatchString(label) {
			return service.Labels[label]
		}
	}
	if port := service.Environment["VIRTUAL_PORT"]; port != nil {
		return *port
	}
	for _, port := range service.Expose {
		return strings.TrimSuffix(port, "/tcp")
	}
	for _, port := range service.Ports {
		if port.Protocol != "udp" {
			return strconv.Itoa(int(port.Target))
		}
	}
	return ""
}
