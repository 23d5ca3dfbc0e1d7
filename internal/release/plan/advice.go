package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// advice is what would better be otherwise.
func (p *planner) advice(late []late) []Advice {
	all := []Advice{}
	for _, name := range p.services {
		for _, advise := range []func(string, *Service) []Advice{
			p.adviseName, p.adviseMounts, p.adviseScheduler, p.adviseRestart, p.advisePassword, p.adviseHealth, p.adviseFiles,
		} {
			all = append(all, advise(name, p.service(name))...)
		}
	}
	for _, one := range late {
		if one.waits || one.proxy {
			continue
		}
		instead := ""
		if p.routed(one.service) {
			instead = fmt.Sprintf("route to %s itself, or ", one.on)
		}
		all = append(all, Advice{one.service, "depends_on", fmt.Sprintf("%[1]s is persistent, because %[2]s, and depends on %[3]s, which every release replaces: %[1]s starts before it, and stays when it is replaced; if that is wrong, %[4]swrite labels: {berth.stateful: \"false\"} at %[1]s, or \"true\" at %[3]s",
			one.service, p.Because[one.service], one.on, instead)})
	}
	for _, pull := range p.Pulls {
		tag := tagged.MatchString(pull.Reference) && !strings.HasSuffix(pull.Reference, ":latest")
		if !tag && !strings.Contains(pull.Reference, "@sha256:") {
			all = append(all, Advice{pull.Service, "image", fmt.Sprintf("the image %s of %s can be another one tomorrow; name a version or a digest", pull.Reference, pull.Service)})
		}
	}
	return all
}

var (
	tagged = regexp.MustCompile(`:[^/]+$`)
	// ended matches restart policies by which a service may stay down.
	ended = regexp.MustCompile(`^(no|on-failure)`)
	// rootPassword matches variables as databases have them.
	rootPassword = regexp.MustCompile(`(^|_)(ROOT|SA)_PASSWORD(_FILE)?$`)
)

func (p *planner) adviseName(name string, service *Service) (all []Advice) {
	if _, ok := service.raw["container_name"].(string); ok && !p.persistent(name) {
		all = append(all, Advice{name, "container_name", fmt.Sprintf("the container_name %s of %s is only a name on its networks here, since two releases run side by side; other services may use it or the service's own name", service.ContainerName, name)})
	}
	if len(service.Ports) > 0 {
		all = append(all, Advice{name, "ports", fmt.Sprintf("the published ports of %s stay closed on the server, where the site is reached through its routes; publish them in compose.override.yaml, which stays on the laptop", name)})
	}
	return all
}

func (p *planner) adviseMounts(name string, service *Service) (all []Advice) {
	add := func(format string, args ...any) {
		all = append(all, Advice{name, "volumes", fmt.Sprintf(format, args...)})
	}
	overBuild := func(source string) bool {
		return service.Build != nil && (below(source, service.Build.Context) || below(service.Build.Context, source))
	}
	for _, mount := range service.Volumes {
		if mount.Type == "volume" && mount.Source == "" && !p.persistent(name) {
			add("%s has an anonymous volume at %s, which starts empty with every release; a named volume keeps its content", name, mount.Target)
		}
	}
	for _, mount := range service.Volumes {
		// Of what lies over its own build the sentence below speaks.
		if mount.Type != "bind" || mount.ReadOnly || !slices.Contains(p.Folders, mount.Source) || !p.committed(mount.Source) || overBuild(mount.Source) {
			continue
		}
		if p.fixed(mount) {
			add("%s mounts %s, a folder of the commit, and cannot write there; write :ro, and keep what it is to write in a named volume; or, if it has to write to the commit's files and you trust the repository: pulumi config set --path 'berth:allow[%d]' host-mounts", name, p.shown(mount.Source), len(p.Allow))
		} else {
			add("%s can write to %s, a folder of the commit, and what it writes there is lost with the next commit; mount it with :ro, and keep what is to stay in a named volume", name, p.shown(mount.Source))
		}
	}
	for _, mount := range service.Volumes {
		if mount.Type == "bind" && p.holds(mount.Source) && overBuild(mount.Source) {
			add("%s mounts committed files over what its image holds at %s, so what was built is not what runs; if its Dockerfile copies them, move the mount to compose.override.yaml, which stays on the laptop", name, mount.Target)
		}
	}
	return all
}

// scheduler matches images and commands of what runs others at set times.
var scheduler = regexp.MustCompile(`(^|[/\s"])((ofelia|supercronic|crond|yacron|go-crond)([:@\s"]|$)|cron["\s,]+-f)`)

// adviseScheduler points at what the server does itself.
func (p *planner) adviseScheduler(name string, service *Service) []Advice {
	if !scheduler.MatchString(service.Image) && !scheduler.MatchString(asJSON(service.raw["command"])) && !scheduler.MatchString(asJSON(service.raw["entrypoint"])) {
		return nil
	}
	return []Advice{{name, "image", fmt.Sprintf("%s looks like a scheduler; Berth runs commands at set times itself, one at a time, says which one failed, and lets a job finish while a release goes out: pulumi config set --path 'berth:jobs[0].name' NAME, with schedule, service and command", name)}}
}

func (p *planner) adviseRestart(name string, service *Service) []Advice {
	if service.Restart == "" && !p.routed(name) && !p.isOnce(name) && !p.isStore(name) {
		what := "stays down after a crash or a reboot"
		if p.persistent(name) {
			what = "is started again whenever it ends, since it is persistent"
		}
		return []Advice{{name, "restart", fmt.Sprintf("%s has no restart policy, so it %s; add to it: restart: unless-stopped; or, if it is a job that runs once: restart: \"no\"", name, what)}}
	}
	if ended.MatchString(service.Restart) && (p.routed(name) || p.isStore(name)) {
		return []Advice{{name, "restart", fmt.Sprintf("%s has the restart policy %s, so it may stay down after a crash or a reboot; unless that is meant: restart: unless-stopped", name, service.Restart)}}
	}
	return nil
}

// advisePassword points at what has a password as databases have, and would be replaced. An env file that all share is in
// everybody's environment.
func (p *planner) advisePassword(name string, service *Service) []Advice {
	if p.persistent(name) || service.label(stateful) != "" || p.routed(name) || p.isOnce(name) {
		return nil
	}
	for _, variable := range sorted(service.Environment) {
		if !rootPassword.MatchString(variable) {
			continue
		}
		if slices.ContainsFunc(p.Stores, func(store string) bool { return has(p.service(store).Environment, variable) }) {
			return nil
		}
		return []Advice{{name, "environment", fmt.Sprintf("%s has %s, as databases have, and starts empty with every release; if it keeps data, give it a named volume, or labels: {berth.stateful: \"true\"}; if not: {berth.stateful: \"false\"}", name, variable)}}
	}
	return nil
}

func (p *planner) adviseHealth(name string, service *Service) []Advice {
	if service.Healthcheck != nil && !service.Healthcheck.Disable {
		return nil
	}
	switch {
	case p.isStore(name):
		return []Advice{{name, "healthcheck", name + " has no health check, so nothing waits until it is ready; give it a healthcheck: and let others depend on it with condition: service_healthy"}}
	case p.routed(name):
		return []Advice{{name, "healthcheck", name + " has no health check, so it counts as ready when it answers on its port; a healthcheck: in the compose file is surer"}}
	}
	return nil
}

func (p *planner) adviseFiles(name string, service *Service) []Advice {
	if service.Build == nil || !p.persistent(name) || service.label(stateful) == "true" || p.isStore(name) {
		return nil
	}
	return []Advice{{name, "volumes", fmt.Sprintf("%s never runs twice, because %s: a release that changes it stops it before the new one starts; if two may use its files at the same time, let it take over without a gap: labels: {berth.stateful: \"false\"}", name, p.Because[name])}}
}
