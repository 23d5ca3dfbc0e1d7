package plan

import (
	"fmt"
	"reflect"
	"slices"
)

// definition is what a stateful service is, comparable between two plans.
func (p *Plan) definition(service string) []any {
	parts := []any{p.Data.Services[service]}
	for _, build := range p.Builds {
		if slices.Contains(build.Services, service) {
			parts = append(parts, build.Material)
		}
	}
	for _, pull := range p.Pulls {
		if pull.Service == service {
			parts = append(parts, pull.Reference)
		}
	}
	return parts
}

// change is what happens to a service, and why.
type change struct{ service, what, why string }

// Changes is a table of what this plan does to the services of the one before, nil for none: a line a service.
func (p *Plan) Changes(before *Plan) []string {
	changes := p.changes(before)
	service, what := widths(changes)
	lines := []string{}
	for _, name := range sorted(changes) {
		one := changes[name]
		lines = append(lines, fmt.Sprintf("%-*s  %-*s  %s", service, one.service, what, one.what, one.why))
	}
	return lines
}

// ChangesOnServers is Changes with where each service runs, and why there.
func (p *Plan) ChangesOnServers(before *Plan) []string {
	changes := p.changes(before)
	service, what := widths(changes)
	lines := []string{}
	for _, name := range sorted(changes) {
		one := changes[name]
		// Why a persistent service is one, its line says already.
		if where := p.Where[name]; where != "" && !slices.Contains(p.Stateful, name) {
			one.why += "; runs there because " + where
		}
		lines = append(lines, fmt.Sprintf("%-*s  %-*s  %-*s  %s", service, one.service, what, one.what, len(everyServer), p.server(name), one.why))
	}
	return lines
}

// widths are those of a table's first columns.
func widths(changes map[string]change) (service, what int) {
	for _, one := range changes {
		service, what = max(service, len(one.service)), max(what, len(one.what))
	}
	return service, what
}

func (p *Plan) changes(before *Plan) map[string]change {
	was := before
	if was == nil {
		was = &Plan{}
	}
	changes := map[string]change{}
	for _, name := range slices.Concat(was.Stateless, was.Stateful) {
		changes[name] = change{name, "stops", "it is no longer in the compose file; volumes stay"}
	}
	for _, name := range p.Stateless {
		changes[name] = change{name, "starts", "it keeps no data, so every release replaces it"}
		if slices.Contains(was.Stateless, name) {
			changes[name] = change{name, "is replaced", "it keeps no data: the new one starts beside it and takes over"}
		}
		if before != nil && (slices.Contains(p.Alone, name) || slices.Contains(was.Alone, name)) && has(changes, name) && changes[name].what == "is replaced" {
			changes[name] = change{name, "is replaced", "it is stopped before the new one starts, because berth.overlap is false"}
		}
	}
	for _, name := range p.Stateful {
		changes[name] = p.persists(name, was)
	}
	return changes
}

// persists is what happens to a persistent service.
func (p *Plan) persists(name string, before *Plan) change {
	because := p.Because[name]
	if !slices.Contains(before.Stateful, name) {
		if other, volume := p.takesOver(name, before); other != "" {
			return change{name, "TAKES OVER", fmt.Sprintf("the volume %s of %s, which is STOPPED FIRST, after its dump if it is a database; what needs them waits until the new one is ready, at most berth:healthyWithin", volume, other)}
		}
		return change{name, "starts", "it is persistent, because " + because}
	}
	if !reflect.DeepEqual(p.definition(name), before.definition(name)) {
		return change{name, "is STOPPED AND RECREATED", fmt.Sprintf("its definition changed, and what needs it waits; it is persistent, because %s", because)}
	}
	return change{name, "stays", fmt.Sprintf("it is persistent, because %s, and recreated only if a variable of its changed", because)}
}

// takesOver is the service of the plan before that has gone and whose volume a service writes to, and that volume; "" for none.
func (p *Plan) takesOver(service string, before *Plan) (other, volume string) {
	mine := p.writes(service)
	for _, other := range before.Stateful {
		if slices.Contains(p.Stateful, other) {
			continue
		}
		for _, volume := range before.writes(other) {
			if slices.Contains(mine, volume) {
				return other, volume
			}
		}
	}
	return "", ""
}

// writes are the volumes and folders that a persistent service can write to.
func (p *Plan) writes(service string) (places []string) {
	mounts, _ := p.Data.Services[service]["volumes"].([]any)
	for _, mount := range mounts {
		mount, _ := mount.(object)
		source, _ := mount["source"].(string)
		if source == "" || mount["read_only"] == true {
			continue
		}
		if volume, _ := p.Data.Volumes[source].(object); mount["type"] == "volume" && volume["name"] != nil {
			source = asText(volume["name"])
		}
		places = append(places, source)
	}
	return places
}
