package plan

import (
	"maps"
	"slices"
	"strings"
)

// Construction is how an image is built, for one service or several. Material is what it depends on: equal material, equal image.
type Construction struct {
	Service  string   `json:"service"`
	Services []string `json:"services"`
	Build    Build    `json:"build"`
	Material string   `json:"material"`
}

// Pull is an image that a service takes as it is.
type Pull struct {
	Service   string `json:"service"`
	Reference string `json:"reference"`
}

// Kept is a committed file or folder that outlives its release.
type Kept struct {
	Source string `json:"source"`
	Hash   string `json:"hash"`
}

// images are built or pulled. One that another service builds is that build's.
func (p *planner) images() (builds []Construction, pulls []Pull) {
	builds, pulls = []Construction{}, []Pull{}
	built := map[string]bool{}
	for _, name := range p.services {
		service := p.service(name)
		if service.Build == nil {
			continue
		}
		build := *service.Build
		build.raw, _ = copied(build.raw).(object)
		for _, key := range []string{"cache_from", "cache_to", "tags"} {
			delete(build.raw, key)
		}
		modes(build.raw["secrets"])
		services := []string{name}
		for _, other := range p.services {
			if one := p.service(other); one.Build == nil && one.hasImage && service.hasImage && one.Image == service.Image {
				services = append(services, other)
			}
		}
		for _, one := range services {
			built[one] = true
		}
		builds = append(builds, Construction{name, services, build, p.material(build)})
	}
	for _, name := range p.services {
		if !built[name] {
			pulls = append(pulls, Pull{name, p.service(name).Image})
		}
	}
	return builds, pulls
}

func (p *planner) material(build Build) string {
	material := maps.Clone(build.raw)
	for _, key := range []string{"context", "no_cache", "pull"} {
		delete(material, key)
	}
	byContent := p.holds(build.Context) && build.AdditionalContexts == nil && !strings.HasPrefix(build.Dockerfile, "..") && !strings.HasPrefix(build.Dockerfile, "/")
	if byContent {
		material["content"] = p.Trees[build.Context]
	} else {
		context := build.Context
		if below(context, p.Source) {
			context = context[len(p.Source):]
		}
		material["content"] = p.Commit + " " + context
	}
	if material["secrets"] != nil {
		material["commit"] = p.Commit
	}
	// Where the checkout lies changes no image.
	return strings.ReplaceAll(asJSON(material), p.Source, ".")
}

// keptFiles are the committed files and folders that persistent services may mount.
func (p *planner) keptFiles() []Kept {
	var paths []string
	for _, name := range p.Stateful {
		for _, mount := range p.service(name).Volumes {
			if mount.Type == "bind" {
				paths = append(paths, mount.Source)
			}
		}
	}
	paths = slices.Concat(paths, slices.Collect(maps.Values(files(p.model.Secrets))), slices.Collect(maps.Values(files(p.model.Configs))))
	all := []Kept{}
	for _, path := range unique(paths) {
		if p.holds(path) {
			all = append(all, Kept{path, p.Trees[path]})
		}
	}
	return all
}
