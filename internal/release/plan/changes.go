package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
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

// Changes says in sentences what this plan does to the services of the one before, nil for none.
func (p *Plan) Changes(before *Plan) []string {
	lines := []string{}
	if len(p.Stateless) > 0 {
		lines = append(lines, "start beside those that run, and take over: "+strings.Join(p.Stateless, ", "))
	}
	var untouched []string
	for _, service := range p.Stateful {
		switch {
		case before == nil || !slices.Contains(before.Stateful, service):
			if other, volume := p.takesOver(service, before); other != "" {
				lines = append(lines, fmt.Sprintf("takes over the volume %s of %s, which is STOPPED FIRST, after its dump if it is a database, and what needs them waits until the new one is ready, at most berth:healthyWithin: %s", volume, other, service))
				continue
			}
			lines = append(lines, fmt.Sprintf("starts as a persistent service, because %s: %s", p.Because[service], service))
		case !reflect.DeepEqual(p.definition(service), before.definition(service)):
			lines = append(lines, fmt.Sprintf("is STOPPED AND RECREATED, since its definition changed, and what needs it waits: %s (stateful: %s)", service, p.Because[service]))
		default:
			untouched = append(untouched, service)
		}
	}
	if len(untouched) > 0 {
		lines = append(lines, "stay as they are, unless a variable of theirs changed: "+strings.Join(untouched, ", "))
	}
	if before != nil {
		for _, service := range slices.Concat(before.Stateless, before.Stateful) {
			if !slices.Contains(p.Stateless, service) && !slices.Contains(p.Stateful, service) {
				lines = append(lines, "is no longer in the compose file and stops; volumes stay: "+service)
			}
		}
	}
	return lines
}

// takesOver is the service of the plan before that has gone and whose volume a service writes to, and that volume; "" for none.
func (p *Plan) takesOver(service string, before *Plan) (other, volume string) {
	if before == nil {
		return "", ""
	}
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
