package plan

import (
	"slices"
	"strings"
)

// File is a compose file.
type File struct {
	Name     string            `json:"name"`
	Services map[string]object `json:"services"`
	Networks map[string]any    `json:"networks"`
	Volumes  map[string]any    `json:"volumes"`
	Secrets  map[string]any    `json:"secrets"`
	Configs  map[string]any    `json:"configs"`
}

// Join is a network of a release that a persistent service is in, by these names.
type Join struct {
	Service string   `json:"service"`
	Network string   `json:"network"`
	Aliases []string `json:"aliases"`
}

// split makes the two compose files.
func (p *planner) split() {
	p.App = File{Name: releaseProject, Services: map[string]object{}, Networks: map[string]any{}, Volumes: map[string]any{},
		Secrets: filed(p.model.Secrets, nil), Configs: filed(p.model.Configs, nil)}
	p.Data = File{Name: project, Services: map[string]object{}, Networks: map[string]any{}, Volumes: map[string]any{},
		Secrets: filed(p.model.Secrets, p.byContent), Configs: filed(p.model.Configs, p.byContent)}
	var volumes []string
	for _, name := range p.Stateless {
		service := p.service(name)
		p.App.Services[name] = p.replaced(name)
		for network := range service.networks() {
			p.App.Networks[network] = p.ownNetwork(network)
		}
		for _, mount := range service.Volumes {
			if mount.named() {
				docker := p.model.volumeName(mount.Source)
				p.App.Volumes[mount.Source] = object{"name": docker, "external": true}
			}
		}
	}
	for _, volume := range sorted(p.App.Volumes) {
		volumes = append(volumes, p.model.volumeName(volume))
	}
	p.Plan.Volumes = append([]string{}, volumes...)
	for _, name := range p.Stateful {
		service := p.service(name)
		p.Data.Services[name] = p.kept(name)
		for network := range service.networks() {
			p.Data.Networks[network] = orEmpty(p.model.Networks[network])
		}
		for _, mount := range service.Volumes {
			if mount.named() {
				p.Data.Volumes[mount.Source] = orEmpty(p.model.Volumes[mount.Source])
			}
		}
	}
	p.Join = p.join()
}

// ownNetwork is a network as each release has it, by a name and with addresses of its own; an external one is shared.
func (p *planner) ownNetwork(name string) any {
	network := p.model.Networks[name]
	if p.model.externalNetwork(name) {
		return network
	}
	own, _ := copied(orEmpty(network)).(object)
	delete(own, "name")
	delete(own, "ipam")
	return own
}

func orEmpty(value object) any {
	if value == nil {
		return object{}
	}
	return value
}

// filed are secrets or configs: of a release by names of its own, of persistent services by the content of their files.
func filed(of map[string]object, byContent func(string) string) map[string]any {
	all := map[string]any{}
	for name, one := range of {
		if one == nil {
			all[name] = nil
			continue
		}
		own, _ := copied(one).(object)
		if file, ok := own["file"].(string); ok && byContent != nil {
			own["file"] = byContent(file)
		}
		if byContent == nil {
			delete(own, "name")
		}
		all[name] = own
	}
	return all
}

// common is what both projects do to a service: no build, no published ports but the routed ones, no pull.
func (p *planner) common(name string) object {
	definition := p.service(name).definition()
	delete(definition, "build")
	delete(definition, "profiles")
	definition["pull_policy"] = "never"
	// Docker's own is that of builds.
	if parent, ok := definition["cgroup_parent"]; !ok || parent == nil {
		definition["cgroup_parent"] = "system.slice"
	}
	definition["ports"] = p.published(name)
	labels, _ := definition["labels"].(object)
	if labels == nil {
		labels = object{}
	}
	delete(labels, "berth.release")
	definition["labels"] = labels
	// What the server's own files say, only its Compose can read.
	for _, path := range p.EnvFiles[name] {
		files, _ := definition["env_file"].([]any)
		definition["env_file"] = append(files, object{"path": strings.ReplaceAll(path, "$", "$$"), "required": true})
	}
	impatient(p.service(name), definition)
	older(definition)
	return definition
}

// replaced is a service as each release has it.
func (p *planner) replaced(name string) object {
	service, definition := p.service(name), p.common(name)
	definition["labels"].(object)["berth.release"] = releaseID
	delete(definition, "container_name")
	without(definition, p.Stateful)
	if service.NetworkMode == "" {
		networks := object{}
		for network, settings := range service.networks() {
			own, _ := copied(settings).(object)
			if service.ContainerName != "" {
				own["aliases"] = anyOf(unique(append(aliases(settings), service.ContainerName)))
			}
			networks[network] = own
		}
		definition["networks"] = networks
	}
	if p.routed(name) && p.balanced(name) == 0 {
		delete(definition, "scale")
		if deploy, _ := definition["deploy"].(object); service.Deploy.Replicas != nil {
			delete(deploy, "replicas")
		}
	}
	p.place(service, definition, func(source string) string { return source })
	restarts(definition, p.routed(name) && !p.isOnce(name))
	return definition
}

// kept is a persistent service. The release that it came with is no part of what it is.
func (p *planner) kept(name string) object {
	definition := p.common(name)
	without(definition, p.Stateless)
	p.place(p.service(name), definition, p.byContent)
	restarts(definition, !p.isOnce(name))
	return definition
}

// place has mounts of the commit only read, and of uncommitted files name the place where those are kept.
func (p *planner) place(service *Service, definition object, committed func(string) string) {
	volumes, _ := definition["volumes"].([]any)
	for i, mount := range service.Volumes {
		volume, _ := volumes[i].(object)
		if p.fixed(mount) {
			volume["read_only"] = true
		}
		switch {
		case p.dataBind(mount):
			volume["source"] = p.moved(mount.Source)
		case mount.Source != "":
			volume["source"] = committed(mount.Source)
		}
	}
}

// without takes services of the other project out of what a service waits for or is linked to.
func without(definition object, others []string) {
	if dependsOn, ok := definition["depends_on"].(object); ok {
		for _, name := range others {
			delete(dependsOn, name)
		}
	}
	if links, ok := definition["links"].([]any); ok {
		definition["links"] = append([]any{}, slices.DeleteFunc(links, func(link any) bool {
			name, _, _ := strings.Cut(asText(link), ":")
			return slices.Contains(others, name)
		})...)
	}
}

// restarts: a kept release must not start with the server; what has to run all the time must, unless the
// file says otherwise.
func restarts(definition object, must bool) {
	if policy := asText(definition["restart"]); policy == "always" || must && policy == "" {
		definition["restart"] = "unless-stopped"
	}
}

// impatient: how soon a release goes out hangs on how often Docker asks a service whether it is healthy: while it starts, three
// times a second. What its own settings say of the time after stays.
func impatient(service *Service, definition object) {
	check := service.Healthcheck
	if check == nil || check.Disable || len(check.Test) == 0 || check.Test[0] == "NONE" {
		return
	}
	own := definition["healthcheck"].(object)
	own["start_interval"] = "300ms"
	if own["start_period"] == nil {
		own["start_period"] = "30s"
	}
}

func aliases(network object) (all []string) {
	list, _ := network["aliases"].([]any)
	for _, one := range list {
		all = append(all, asText(one))
	}
	return all
}

func anyOf(texts []string) []any {
	all := make([]any, 0, len(texts))
	for _, text := range texts {
		all = append(all, text)
	}
	return all
}

// join are the release's networks that persistent services have to be in, with the names that others know them by.
func (p *planner) join() []Join {
	all := []Join{}
	for _, name := range p.Stateful {
		networks := p.service(name).networks()
		for _, network := range sorted(networks) {
			if has(p.App.Networks, network) && !p.model.externalNetwork(network) {
				names := append([]string{name}, aliases(networks[network])...)
				all = append(all, Join{name, network, unique(append(names, p.linkedAs(name)...))})
			}
		}
	}
	return all
}

// linkedAs are the names by which links of other services know a service.
func (p *planner) linkedAs(name string) (names []string) {
	for _, service := range p.model.Services {
		for _, link := range service.Links {
			if linked, as, ok := strings.Cut(link, ":"); ok && linked == name {
				names = append(names, as)
			}
		}
	}
	return names
}
