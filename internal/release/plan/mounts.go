package plan

import (
	"cmp"
	"slices"
	"strings"
)

// Mountpoint is a place in a mount that is only read, where Docker cannot make one for another mount. Source is what is mounted
// there, "" for a folder of Docker's.
type Mountpoint struct {
	Path   string `json:"path"`
	Source string `json:"source"`
}

// mount is what of the server's files a container sees, by where it is in the end. shown is how the compose file has it.
type mount struct {
	service, source, shown, target string
	writable, fixed                bool
}

// mounts are those of all services.
func (p *planner) mounts() []mount {
	return append(p.mountsOf(p.Stateless, p.App), p.mountsOf(p.Stateful, p.Data)...)
}

func (p *planner) mountsOf(services []string, file File) (all []mount) {
	add := func(one mount) {
		one.source, one.target, one.shown = straight(one.source), straight(one.target), p.shown(one.shown)
		all = append(all, one)
	}
	for _, name := range services {
		volumes, _ := file.Services[name]["volumes"].([]any)
		for i, from := range p.service(name).Volumes {
			volume, _ := volumes[i].(object)
			if from.Type == "bind" {
				source, _ := volume["source"].(string)
				add(mount{service: name, source: source, shown: from.Source, target: from.Target, writable: volume["read_only"] != true, fixed: p.fixed(from)})
			}
		}
		for _, kind := range []struct {
			used []any
			of   map[string]any
		}{{p.service(name).Configs, file.Configs}, {p.service(name).Secrets, file.Secrets}} {
			for _, one := range kind.used {
				used, _ := one.(object)
				source, _ := used["source"].(string)
				definition, _ := kind.of[source].(object)
				if path, ok := definition["file"].(string); ok {
					target, _ := used["target"].(string)
					add(mount{service: name, source: path, shown: path, target: cmp.Or(target, "/run/secrets/"+source)})
				}
			}
		}
	}
	return all
}

// nest is a mount that lies in another one, while a container may write there.
type nest struct{ writer, upper, lower mount }

// nested are mounts in each other: a container that may write to a folder could make a link of what another mount starts from,
// and Docker would follow it as root when that one starts. Of the server's own files (host-mounts) one that is only read may hold
// others: it makes no link.
func nested(given *Given, mounts []mount) (all []nest) {
	ofTheApp := func(path string) bool {
		return below(path, given.Source) || below(path, given.Binds) || below(path, given.Files)
	}
	for _, writer := range mounts {
		if !writer.writable {
			continue
		}
		for _, other := range mounts {
			switch {
			case inside(other.source, writer.source):
				all = append(all, nest{writer, writer, other})
			case inside(writer.source, other.source) && ofTheApp(other.source):
				all = append(all, nest{writer, other, writer})
			}
		}
	}
	return all
}

// Fixed is a folder of the commit that a container only reads, and where; Inner are the places of other mounts in it.
type Fixed struct {
	Service string   `json:"service"`
	Source  string   `json:"source"`
	Target  string   `json:"target"`
	Inner   []string `json:"inner"`
}

func (p *planner) fixedFolders(mounts []mount) []Fixed {
	all := []Fixed{}
	for _, outer := range mounts {
		if !outer.fixed || !slices.Contains(p.Folders, p.Source+"/"+outer.shown) && !slices.Contains(p.Folders, outer.shown) {
			continue
		}
		var inner []string
		for _, between := range p.service(outer.service).Volumes {
			if inside(straight(between.Target), outer.target) {
				inner = append(inner, straight(between.Target))
			}
		}
		all = append(all, Fixed{outer.service, outer.source, outer.target, unique(inner)})
	}
	return all
}

// mountpoints are the places of mounts in folders of the commit that are only read.
func (p *planner) mountpoints(mounts []mount) []Mountpoint {
	all := []Mountpoint{}
	for _, outer := range p.Fixed {
		for _, inner := range p.inners(outer.Service, mounts) {
			// The place is that of the nearest.
			nearer := slices.ContainsFunc(outer.Inner, func(between string) bool { return inside(inner.target, between) })
			if inside(inner.target, outer.Target) && !nearer {
				all = append(all, Mountpoint{outer.Source + strings.TrimPrefix(inner.target, strings.TrimSuffix(outer.Target, "/")), inner.source})
			}
		}
	}
	slices.SortFunc(all, func(a, b Mountpoint) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Source, b.Source)) })
	return slices.Compact(all)
}

// inners is all that is mounted in a container of a service: its source, "" for what is not of the server's files.
func (p *planner) inners(name string, mounts []mount) (all []mount) {
	for _, one := range mounts {
		if one.service == name {
			all = append(all, one)
		}
	}
	service := p.service(name)
	for _, volume := range service.Volumes {
		if volume.Type != "bind" {
			all = append(all, mount{target: straight(volume.Target)})
		}
	}
	for _, tmpfs := range service.Tmpfs {
		all = append(all, mount{target: straight(atEnd.ReplaceAllString(tmpfs, ""))})
	}
	for _, path := range p.volumesOf(name, service) {
		all = append(all, mount{target: straight(path)})
	}
	return all
}
