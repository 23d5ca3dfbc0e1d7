package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"berth/internal/config"
	"berth/internal/release/compose"
)

// severalServers finds what keeps an app from running on several servers.
func (f *findings) severalServers() {
	if !f.cfg.Servers.Several() {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(f.model.Project.Services)) {
		f.hostNetwork(name, f.model.Project.Services[name].NetworkMode)
	}
	// What the plan refuses may be why nothing is left.
	if len(f.plan.Spread) == 0 && len(f.plan.Problems) == 0 {
		var ties []string
		for _, route := range f.cfg.Routes {
			if tie := route.Service + ": " + f.plan.Where[route.Service]; !slices.Contains(ties, tie) {
				ties = append(ties, tie)
			}
		}
		f.problem("servers-nothing-spread", compose.Place{}, "berth:servers has several servers, and no service can run on more than the first (%s); keep files in an object store and data in a database, so that no routed service has a volume; or have one server: pulumi config set berth:servers 1", strings.Join(ties, ", "))
	}
	for _, reach := range f.plan.Reach {
		for _, name := range reach.For {
			f.inside(name, reach.Service)
		}
	}
}

// hostNetwork finds a service on the network of its server: two releases have no room there, and stop-first, by which they would, is
// for one server. What runs on the first alone is not reached there by the others.
func (f *findings) hostNetwork(name, mode string) {
	at := f.source.At("services", name, "network_mode")
	switch {
	case mode != "host":
	case f.plan.Because[name] == "":
		f.problem("servers-host-network", at, "service %s uses the host's network (network_mode: host), which does not work with several servers, where two releases run beside each other; remove it", name)
		f.better = append(f.better, fmt.Sprintf("service %s uses the host's network (network_mode: host), where two releases", name))
	case f.routed(name):
		f.problem("servers-route-to-host-network", at, "a route uses service %s, which runs on the first server and uses its network (network_mode: host), where the other servers do not reach it; remove that, so that it is in a network of the compose file", name)
	}
}

// inside finds a service on every server that would not get out to one on the first.
func (f *findings) inside(name, needs string) {
	for network := range f.model.Project.Services[name].Networks {
		if !f.model.Project.Networks[network].Internal {
			return
		}
	}
	f.problem("servers-internal-network", f.source.At("services", name, "networks"), "service %s runs on every server and is only on networks with internal: true, from which it does not reach %s on the first server; add a network without it, or keep the service on the first server: labels: {berth.servers: first}", name, needs)
}

func (f *findings) routed(service string) bool {
	return slices.ContainsFunc(f.cfg.Routes, func(route config.Route) bool { return route.Service == service })
}

// usualNames is how many names a certificate of ACM has where the account's quota was not raised. Source: ACM User Guide, "Quotas".
const usualNames = 10

// scratch are places that hold nothing of a visitor's.
var scratch = []string{"/dev", "/run", "/var/run", "/var/cache", "/var/lock"}

// ofEachServer names what is another one on each server.
func (f *findings) ofEachServer() {
	if !f.cfg.Servers.Several() {
		return
	}
	for _, name := range f.plan.Spread {
		if places := ownPlaces(f.model.Project.Services[name]); len(places) > 0 && !f.cfg.Servers.Sticky {
			sticky := f.cfg.Servers
			sticky.Sticky = true
			f.advise(aboutData, f.source.At("services", name), "%s runs on every server, and what it writes to %s is on that server alone, while the next request of a visitor may go to another one; keep sessions in a database and uploads in an object store; or, if only sessions are there, have a visitor stay at one server: %s", name, strings.Join(places, ", "), sticky.Command())
		}
	}
	if names := len(f.cfg.Names()); names > usualNames {
		f.advise(aboutNames, compose.Place{}, "the load balancer's certificate would have %d names, and an account may have %d in one of ACM's where that quota was not raised; make doctor asks AWS, and has the command that raises it", names, usualNames)
	}
	times := f.cfg.Servers.Max
	if !f.cfg.Servers.First {
		times--
	}
	for i, route := range f.cfg.Routes {
		if route.RateLimit != nil && times > 1 {
			f.advise(aboutOrder, compose.Place{}, "the rateLimit of route %s counts on each server separately, so that an address may send up to %d times as many requests; set it accordingly: pulumi config set --path 'berth:routes[%d].rateLimit' %s", route.Host+route.Path, times, i, fmt.Sprintf("%d/%s", max(route.RateLimit.Requests/times, 1), route.RateLimit.Per))
		}
	}
}

// ownPlaces are where a service writes to what is neither in its image nor kept: file systems in memory, and volumes without a name.
func ownPlaces(service types.ServiceConfig) (places []string) {
	for _, target := range service.Tmpfs {
		path, _, _ := strings.Cut(target, ":")
		places = append(places, path)
	}
	for _, mount := range service.Volumes {
		if mount.Type == types.VolumeTypeTmpfs || mount.Type == types.VolumeTypeVolume && mount.Source == "" {
			places = append(places, mount.Target)
		}
	}
	return slices.DeleteFunc(places, func(path string) bool {
		return slices.ContainsFunc(scratch, func(folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") })
	})
}
