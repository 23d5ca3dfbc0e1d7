package plan

import "strings"

// once are the services that others wait for until they have run.
func (p *planner) once() []string {
	var names []string
	for _, service := range p.model.Services {
		for name, dependency := range service.DependsOn {
			if dependency.Condition == "service_completed_successfully" {
				names = append(names, name)
			}
		}
	}
	return unique(names)
}

// because says why services are persistent: by themselves, or as a job that a persistent service waits for, which goes with
// it, or it would run after it.
func (p *planner) because() map[string]string {
	all := map[string]string{}
	for _, name := range p.services {
		if why := p.statefulBecause(name); why != "" {
			all[name] = why
		}
	}
	for {
		jobs := p.jobsBefore(all)
		if len(jobs) == 0 {
			return all
		}
		for name, why := range jobs {
			all[name] = why
		}
	}
}

// jobsBefore are the jobs, not yet among them, that persistent services wait for.
func (p *planner) jobsBefore(because map[string]string) map[string]string {
	jobs := map[string]string{}
	for _, name := range sorted(because) {
		for _, job := range sorted(p.service(name).DependsOn) {
			service := p.service(job)
			if service == nil || has(because, job) || service.label(stateful) == "false" || p.routed(job) {
				continue
			}
			if p.isOnce(job) || service.Restart == "no" {
				jobs[job] = "it runs before " + name + ", which is persistent"
			}
		}
	}
	return jobs
}

// statefulBecause says why a service itself is persistent, "" where it is not.
func (p *planner) statefulBecause(name string) string {
	service := p.service(name)
	switch service.label(stateful) {
	case "true":
		return "it is labelled berth.stateful"
	case "false":
		return ""
	}
	for _, mount := range service.Volumes {
		if mount.named() {
			return "it has the named volume " + mount.Source
		}
	}
	for _, mount := range service.Volumes {
		if p.keepsFiles(mount) {
			return "it keeps files in " + p.shown(mount.Source)
		}
	}
	if service.Build == nil && knownStore(service.Image) {
		return "its image is " + service.Image
	}
	if built := p.baseOf(name, service); service.Build != nil && knownStore(built.image) {
		return "its image is built from " + built.image
	}
	if p.isOnce(name) {
		return ""
	}
	if paths := p.uncovered(name, service); len(paths) > 0 {
		return "its image declares the volume " + paths[0]
	}
	return ""
}

// late is what a persistent service depends on and every release replaces.
type late struct {
	service, on string
	// waits says that the service waits until the other is ready, proxy that it answers for it.
	waits, proxy bool
}

func (p *planner) late() (all []late) {
	for _, name := range p.Stateful {
		service := p.service(name)
		for _, on := range sorted(service.DependsOn) {
			dependency := service.DependsOn[on]
			if p.service(on) == nil || p.persistent(on) || dependency.Required != nil && !*dependency.Required || service.NetworkMode == "service:"+on {
				continue
			}
			all = append(all, late{service: name, on: on, proxy: p.routed(name) && p.isProxy(name),
				waits: dependency.Condition == "service_healthy" || dependency.Condition == "service_completed_successfully"})
		}
	}
	return all
}

// isProxy tells a proxy by its image or its name.
func (p *planner) isProxy(name string) bool {
	service := p.service(name)
	for _, text := range []string{imageName(service.Image), imageName(p.baseOf(name, service).image), strings.ToLower(name)} {
		if hasWord(words(text), proxies...) {
			return true
		}
	}
	return false
}
