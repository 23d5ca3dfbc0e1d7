package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Version is that of the document. It changes when a server that knows another one would do something wrong with it.
const Version = 2

// Document is a plan as it goes to the server. docs/plan.md describes its fields.
type Document struct {
	Version int    `json:"version"`
	Commit  string `json:"commit"`
	// Trees are git's hashes of what the commit holds at the paths that the plan is about, "" for nothing.
	Trees []Tree `json:"trees"`
	*Plan
	// Persistent are other plans, for images that declare volumes which the preview did not know, by the services' names with blanks between.
	Persistent map[string]*Plan `json:"persistent"`
}

// Tree is what the commit holds at a path.
type Tree struct {
	Path string `json:"path"`
	Hash string `json:"hash"`
}

// mark begins a text that the server fills in. Nothing of an app's has it: no argument, variable or path holds a zero byte.
const mark = "\x00"

func placeholder(name string) string { return mark + name }

// The names of what the server alone knows: the release, its compose project, its checkout.
var (
	releaseID      = placeholder("ID")
	releaseProject = placeholder("PROJECT")
)

// most is of how many services every combination has a plan of its own; of more, each alone has.
const most = 3

// MakeDocument plans a release for a server that has its images not yet.
func MakeDocument(model *Model, given *Given) *Document {
	document := &Document{Version: Version, Commit: given.Commit, Trees: []Tree{}, Plan: Make(model, given), Persistent: map[string]*Plan{}}
	for _, path := range sorted(given.Trees) {
		document.Trees = append(document.Trees, Tree{path, given.Trees[path]})
	}
	for _, services := range combinations(sorted(document.Watched)) {
		other := *given
		other.ImageVolumes = map[string][]string{}
		for service, volumes := range given.ImageVolumes {
			other.ImageVolumes[service] = volumes
		}
		for _, service := range services {
			other.ImageVolumes[service] = []string{"@VOLUME:" + service + "@"}
		}
		made := Make(model, &other)
		made.Advice = []Advice{}
		document.Persistent[strings.Join(services, " ")] = made
	}
	return document
}

// combinations are those of some names: all, where they are few, and of each name alone otherwise.
func combinations(names []string) (all [][]string) {
	if len(names) > most {
		for _, name := range names {
			all = append(all, []string{name})
		}
		return all
	}
	for bits := 1; bits < 1<<len(names); bits++ {
		var some []string
		for i, name := range names {
			if bits&(1<<i) != 0 {
				some = append(some, name)
			}
		}
		all = append(all, some)
	}
	return all
}

// Text is the document as JSON, of an app that lies in a folder which the server does not have. A text that begins with @ is one
// that the server fills in; what the app has so, begins with another @.
func (d *Document) Text(folder string) (string, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("write the plan: %w", err)
	}
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		return "", fmt.Errorf("read the plan: %w", err)
	}
	named := asJSON(named(whole, folder))
	if strings.Contains(named, folder+"/") || strings.Contains(named, folder+`"`) {
		return "", fmt.Errorf("the compose file names %s in a way that is not known on the server; name what lies in the repository by a relative path", folder)
	}
	return named, nil
}

// named is decoded JSON with placeholders in place of what the server knows.
func named(value any, folder string) any {
	switch value := value.(type) {
	case object:
		for key, one := range value {
			value[key] = named(one, folder)
		}
	case []any:
		for i, one := range value {
			value[i] = named(one, folder)
		}
	case string:
		name, filled := strings.CutPrefix(value, mark)
		switch {
		case filled:
			return "@" + name + "@"
		case folder != "" && below(value, folder):
			return "@SOURCE@" + strings.TrimPrefix(value, folder)
		case strings.HasPrefix(value, "@"):
			return "@" + value
		}
	}
	return value
}

// watched are the services that a volume which their images declare would make persistent, with the places that are covered.
func (p *planner) watched() map[string][]string {
	all := map[string][]string{}
	for _, name := range p.Stateless {
		if service := p.service(name); service.label(stateful) == "" && !p.isOnce(name) {
			all[name] = unique(covered(service))
		}
	}
	return all
}

// Address is a range of addresses of a network of the app's.
type Address struct {
	Network string `json:"network"`
	Range   string `json:"range"`
}

// addresses are those that no network of the server may have.
func (p *planner) addresses() []Address {
	all := []Address{}
	if p.allows("host-namespaces") {
		return all
	}
	for _, name := range sorted(p.model.Networks) {
		ipam, _ := p.model.Networks[name]["ipam"].(object)
		configs, _ := ipam["config"].([]any)
		for _, config := range configs {
			config, _ := config.(object)
			for _, key := range []string{"subnet", "ip_range", "gateway"} {
				if text, ok := config[key].(string); ok {
					all = append(all, Address{name, text})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b Address) int { return strings.Compare(a.Network+" "+a.Range, b.Network+" "+b.Range) })
	return slices.Compact(all)
}
