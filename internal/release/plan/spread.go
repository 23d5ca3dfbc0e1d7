package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Reach is a service of the first server that others need from afar: services that run on every server, by a network that both are
// in, or nginx, by a route.
type Reach struct {
	Service    string `json:"service"`
	Persistent bool   `json:"persistent"`
	// Names are those that the others know it by, For the services on every server that use one of its networks; none where only a
	// route uses it.
	Names []string `json:"names"`
	For   []string `json:"for"`
}

// The values of the label berth.servers.
const (
	onAll   = "all"
	onFirst = "first"
)

// caches hold in memory what all who use them have to find there: a second one would hold something else.
var caches = strings.Fields("centrifugo gearman gearmand hazelcast memcache memcached mercure soketi")

// spread says which services run on every server, and why each one runs where it does. It is the same for any number of servers.
func (p *planner) spread() {
	p.Where = p.tied()
	wanted := p.wanted(p.Where)
	p.Spread = append([]string{}, sorted(wanted)...)
	for _, name := range p.services {
		switch {
		case has(wanted, name):
			p.Where[name] = wanted[name]
		case !has(p.Where, name):
			p.Where[name] = "no route uses it, and nothing that runs on every server depends on it"
		}
	}
	p.Reach = p.reach()
}

// tied says of services why they cannot leave the first server.
func (p *planner) tied() map[string]string {
	all := map[string]string{}
	for _, name := range p.services {
		if why := p.tiedBecause(name); why != "" {
			all[name] = why
		}
	}
	// What is in a namespace of another service is where that one is.
	for range p.services {
		for _, name := range p.services {
			for _, owner := range p.owners(name) {
				if has(all, owner) && !has(all, name) {
					all[name] = "it shares a namespace of " + owner + ", which runs there"
				}
			}
		}
	}
	return all
}

// tiedBecause says why a service itself cannot leave the first server, "" where it can.
func (p *planner) tiedBecause(name string) string {
	service := p.service(name)
	image := service.Image
	if service.Build != nil {
		image = p.baseOf(name, service).image
	}
	switch {
	case p.persistent(name):
		return "it is persistent, because " + p.Because[name]
	case p.isOnce(name):
		return "it runs once"
	case slices.Contains(p.Alone, name):
		return "it never runs twice (" + overlap + ")"
	case knownStore(image) || hasWord(words(imageName(image)), caches...) && !hasWord(words(imageName(image)), companions...):
		return "its image is " + image + ", and all who use it have to find the same there"
	}
	for _, mount := range service.Volumes {
		if why := p.onFirstAlone(mount); why != "" {
			return why
		}
	}
	if read := slices.Concat(p.EnvFiles[name], p.LabelFiles[name], p.filesOf(service)); len(read) > 0 {
		return "it reads " + read[0] + ", a file of the first server"
	}
	for _, network := range sorted(service.networks()) {
		if p.model.externalNetwork(network) {
			return "it is in the external network " + network
		}
	}
	if service.label(onServers) == onFirst {
		return "it is labelled " + onServers + ": " + onFirst
	}
	return ""
}

// onFirstAlone says why what is mounted is on the first server only, "" where every server has it: files of the commit, and what
// each system has.
func (p *planner) onFirstAlone(mount Mount) string {
	switch {
	case mount.named():
		return "it has the named volume " + mount.Source
	case mount.Type != "bind" || p.holds(mount.Source) || systemPath.MatchString(mount.Source):
		return ""
	}
	return "it mounts " + p.shown(mount.Source) + " of the first server"
}

// filesOf are the files of secrets and configs of a service that are the server's own.
func (p *planner) filesOf(service *Service) (all []string) {
	for _, kind := range []struct {
		used []any
		of   map[string]object
	}{{service.Secrets, p.model.Secrets}, {service.Configs, p.model.Configs}} {
		paths := files(kind.of)
		for _, used := range kind.used {
			one, _ := used.(object)
			if path := paths[asText(one["source"])]; path != "" && !below(path, p.Source) {
				all = append(all, path)
			}
		}
	}
	return all
}

// owners are the services in whose namespaces a service is.
func (p *planner) owners(name string) (all []string) {
	service := p.service(name)
	for _, shares := range []string{service.NetworkMode, asText(service.raw["pid"]), asText(service.raw["ipc"])} {
		if owner, ok := strings.CutPrefix(shares, "service:"); ok && p.service(owner) != nil {
			all = append(all, owner)
		}
	}
	return all
}

// wanted says which of the services that are not tied to the first server run on every one, and why.
func (p *planner) wanted(tied map[string]string) map[string]string {
	all := map[string]string{}
	var open []string
	want := func(name, why string) {
		if p.service(name) != nil && !has(tied, name) && !has(all, name) {
			all[name] = why
			open = append(open, name)
		}
	}
	for _, name := range p.services {
		if p.service(name).label(onServers) == onAll {
			want(name, "it is labelled "+onServers+": "+onAll)
		} else if p.routed(name) {
			want(name, "a route uses it")
		}
	}
	for len(open) > 0 {
		name := open[0]
		open = open[1:]
		for _, on := range sorted(p.service(name).DependsOn) {
			want(on, name+" depends on it, and runs on every server")
		}
		for _, owner := range p.owners(name) {
			want(owner, name+" shares a namespace of it, and runs on every server")
		}
		for _, other := range p.services {
			if slices.Contains(p.owners(other), name) {
				want(other, "it shares a namespace of "+name+", which runs on every server")
			}
		}
	}
	return all
}

// reach are the services that are needed from afar.
func (p *planner) reach() []Reach {
	all := []Reach{}
	for _, name := range p.services {
		if slices.Contains(p.Spread, name) || p.isOnce(name) {
			continue
		}
		names, users := []string{name}, []string{}
		mine := p.service(name).networks()
		for _, user := range p.Spread {
			theirs := p.service(user).networks()
			for _, network := range sorted(mine) {
				if has(theirs, network) {
					names = append(names, aliases(mine[network])...)
					users = append(users, user)
				}
			}
		}
		if len(users) == 0 && (mine == nil || !p.routed(name)) {
			continue
		}
		if len(users) > 0 {
			service := p.service(name)
			names = slices.Concat(names, p.linkedAs(name), []string{service.ContainerName, asText(service.raw["hostname"])})
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
		all = append(all, Reach{name, p.persistent(name), unique(names), unique(users)})
	}
	return all
}

// placementProblems are about a label that says where a service runs.
func (p *planner) placementProblems(name string, value any) []Problem {
	at := keys("services", name, "labels")
	switch why := p.Where[name]; {
	case value != onAll && value != onFirst:
		return []Problem{problem("label-servers-invalid", at, "service %s has the label %s: %s, which takes all or first; write: labels: {%[2]s: \"all\"}, or \"first\"", name, onServers, asJSON(value)).holding(onServers)}
	case value == onAll && !slices.Contains(p.Spread, name):
		return []Problem{problem("label-servers-all", at, "service %s has the label %s: \"all\", but runs on the first server alone, because %s; take the label out, or what ties the service to one server", name, onServers, why).holding(onServers)}
	}
	return nil
}

// Placement is a table of where each service runs with several servers, and why.
func (p *Plan) Placement() (lines []string) {
	longest := 0
	for name := range p.Where {
		longest = max(longest, len(name))
	}
	for _, name := range sorted(p.Where) {
		lines = append(lines, fmt.Sprintf("%-*s  %-*s  %s", longest, name, len(everyServer), p.server(name), p.Where[name]))
	}
	return lines
}

const everyServer, firstServer = "every server", "first server"

// server is where a service runs, as a preview says it; "" for one that is not in the plan.
func (p *Plan) server(name string) string {
	switch {
	case slices.Contains(p.Spread, name):
		return everyServer
	case has(p.Where, name):
		return firstServer
	}
	return ""
}
