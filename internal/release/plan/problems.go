package plan

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Problem is a sentence about what keeps an app from being released, and where in the compose file that is. In a document it is the
// sentence alone.
type Problem struct {
	// At is a path of keys, and Holds a text below it, both as far as they tell.
	At    []string
	Holds string
	Text  string
}

// MarshalText gives the sentence.
func (p Problem) MarshalText() ([]byte, error) { return []byte(p.Text), nil }

// UnmarshalText takes it.
func (p *Problem) UnmarshalText(text []byte) error {
	*p = Problem{Text: string(text)}
	return nil
}

func (p Problem) String() string { return p.Text }

func (p Problem) holding(text string) Problem {
	p.Holds = text
	return p
}

func keys(path ...string) []string { return path }

// problem is one of a kind (docs/problems.md), whose identifier ends the sentence, before the fix.
func problem(id string, at []string, format string, args ...any) Problem {
	reason, fix, found := strings.Cut(format, "; ")
	if found {
		fix = "; " + fix
	}
	return Problem{At: at, Text: fmt.Sprintf(reason+" ["+id+"]"+fix, args...)}
}

// problems are sentences about what keeps the app from being released.
func (p *planner) problems(kinds map[string]string, nested []nest, late []late) []Problem {
	all := []Problem{}
	if len(p.services) == 0 {
		all = append(all, problem("services-none", nil, "the compose file has no service that runs"))
	}
	all = append(all, p.unknownServices()...)
	all = append(all, p.labelProblems()...)
	all = append(all, p.linksInKeptFiles()...)
	for _, name := range sorted(kinds) {
		if kinds[name] != "mysql" || p.hasDatabase(name) {
			continue
		}
		if variable := p.service(name).unknownRoot(); variable != "" {
			all = append(all, problem("database-root-password-unknown", keys("services", name, "environment"), "service %[1]s has %[2]s, so its root password is unknown, and without it not all that it holds can be dumped; take that out of the compose file and write MYSQL_ROOT_PASSWORD: ${MYSQL_ROOT_PASSWORD:?} there: pulumi config set --secret --path berth:secrets.MYSQL_ROOT_PASSWORD (a database that is there already keeps the password it has, so set it in there, too); or name commands that dump what its own user may see: pulumi config set --path berth:database.service %[1]s && pulumi config set --path berth:database.dump COMMAND && pulumi config set --path berth:database.restore COMMAND", name, variable).holding(variable))
		}
	}
	all = append(all, p.servicesOut()...)
	all = append(all, p.tooNew()...)
	for _, one := range nested {
		all = append(all, problem("mounts-nested", keys("services", one.lower.service, "volumes"), "service %s mounts %s, and service %s mounts %s, which lies in it, while %s may write there: by a link it could have Docker mount any file of the server; mount the same folder in both, or two that lie beside each other, or a named volume",
			one.upper.service, one.upper.shown, one.lower.service, one.lower.shown, one.writer.service).holding(path.Base(one.lower.shown)))
	}
	all = append(all, p.targets()...)
	all = append(all, p.filesOut()...)
	all = append(all, p.volumesOut()...)
	for _, one := range late {
		all = append(all, p.lateProblem(one)...)
	}
	all = append(all, p.sharedVolumes()...)
	all = append(all, p.replicaProblems()...)
	for _, name := range sorted(p.Images) {
		if p.service(name) == nil {
			all = append(all, problem("image-of-unknown-service", nil, "berth:images names service %[1]s, which the compose file does not have; Fix: pulumi config rm --path 'berth:images[\"%[1]s\"]'", name))
		}
	}
	for _, name := range p.services {
		all = append(all, p.acrossReleases(name)...)
	}
	return all
}

// unknownServices are names in the settings of services that the compose file does not have.
func (p *planner) unknownServices() (all []Problem) {
	there := strings.Join(p.services, ", ")
	for i, route := range p.Given.Routes {
		if p.service(route.Service) == nil {
			all = append(all, problem("route-to-unknown-service", nil, "route %s names service %s, which the compose file does not have; it has: %s; Fix: pulumi config set --path 'berth:routes[%d].service' NAME", route.Host+route.Path, route.Service, there, i))
		}
	}
	settings := map[string]string{}
	if p.Database != nil {
		settings["database"] = p.Database.Service
	}
	if p.Migration != nil {
		settings["migration"] = p.Migration.Service
	}
	for _, key := range sorted(settings) {
		if p.service(settings[key]) == nil {
			all = append(all, problem("setting-names-unknown-service", nil, "berth:%[1]s names service %[2]s, which the compose file does not have; it has: %[3]s; Fix: pulumi config set --path berth:%[1]s.service NAME", key, settings[key], there))
		}
	}
	return all
}

func ours(label string) bool { return strings.HasPrefix(strings.ToLower(label), "berth.") }

// The labels by which a compose file overrides what is planned for a service.
const (
	stateful  = "berth.stateful"
	overlap   = "berth.overlap"
	onServers = "berth.servers"
)

// takes are the labels, and what each takes.
var takes = map[string]string{stateful: "true or false", overlap: "true or false", onServers: "all or first"}

// nearestLabel is the one that a label which does not exist is most likely meant for.
func nearestLabel(label string) string {
	nearest := stateful
	for _, other := range []string{overlap, onServers} {
		if levenshtein.Similarity(label, other, nil) > levenshtein.Similarity(label, nearest, nil) {
			nearest = other
		}
	}
	return nearest
}

// labelProblems are about labels that look like Berth's own and are not, or are where they mean nothing.
func (p *planner) labelProblems() (all []Problem) {
	const right = "labels: {berth.stateful: \"true\"}"
	for _, name := range p.services {
		labels := p.service(name).Labels
		for _, label := range sorted(labels) {
			value := labels[label]
			switch {
			case !ours(label):
			case takes[label] == "":
				all = append(all, problem("label-unknown", keys("services", name, "labels"), "service %s has the label %s, which does not exist; the nearest is %s, which takes %s", name, label, nearestLabel(label), takes[nearestLabel(label)]).holding(label))
			case label == onServers:
				all = append(all, p.placementProblems(name, value)...)
			case value != "true" && value != "false" && value != true && value != false:
				all = append(all, problem("label-value-invalid", keys("services", name, "labels"), "service %s has the label %s: %s, which takes true or false; write: labels: {%[2]s: \"true\"}, or \"false\"", name, label, asJSON(value)).holding(label))
			case label == overlap:
				all = append(all, p.overlapProblems(name)...)
			}
		}
		for _, label := range sorted(p.service(name).Deploy.Labels) {
			if ours(label) {
				all = append(all, problem("label-below-deploy", keys("services", name, "deploy", "labels"), "service %s has the label %s below deploy, where it means nothing; write it below the service itself: %s", name, label, right).holding(label))
			}
		}
	}
	for _, kind := range []struct {
		name string
		of   map[string]object
	}{{"network", p.model.Networks}, {"volume", p.model.Volumes}} {
		for _, name := range sorted(kind.of) {
			labels, _ := kind.of[name]["labels"].(object)
			for _, label := range sorted(labels) {
				if ours(label) {
					all = append(all, problem("label-not-of-service", keys(kind.name+"s", name, "labels"), "%[1]s %[2]s has the label %[3]s, which is none of a %[1]s; write it at the service: %[4]s", kind.name, name, label, right).holding(label))
				}
			}
		}
	}
	return all
}

// overlapProblems are about a label by which a service does or does not run twice.
func (p *planner) overlapProblems(name string) (all []Problem) {
	if p.service(name).label(overlap) == "true" {
		if p.persistent(name) {
			all = append(all, problem("overlap-of-persistent", keys("services", name, "labels"), "service %s has the label %s: \"true\", but is persistent, because %s, so it never runs twice; take the label out, or have every release replace the service: labels: {%s: \"false\"}", name, overlap, p.Because[name], stateful).holding(overlap))
		}
		return all
	}
	if p.routed(name) {
		all = append(all, problem("overlap-of-routed", keys("services", name, "labels"), "service %s has the label %s: \"false\", and a route uses it, so visitors would get no answer between the old one and the new; take the label out, or move what must not run twice to a service of its own", name, overlap).holding(overlap))
	}
	if p.persistent(name) {
		return all // It never runs twice.
	}
	for _, other := range p.services {
		for _, shares := range []struct{ key, value string }{{"network_mode", p.service(other).NetworkMode}, {"pid", asText(p.service(other).raw["pid"])}} {
			if shares.value == "service:"+name && !slices.Contains(p.Alone, other) {
				all = append(all, problem("overlap-of-shared", keys("services", other, shares.key), "service %s has %s: %s, and goes down when %s is stopped before the new one starts (%s: \"false\"); give %[1]s the same label, or take %[2]s out", other, shares.key, shares.value, name, overlap))
			}
		}
	}
	return all
}

// linksInKeptFiles: copies of these outlive the release; a link in one would point elsewhere on the server.
func (p *planner) linksInKeptFiles() (all []Problem) {
	for _, kept := range p.Plan.Files {
		folder := strings.TrimPrefix(strings.TrimPrefix(kept.Source, p.Source), "/")
		at := slices.IndexFunc(p.Links, func(link string) bool { return folder == "" || strings.HasPrefix(link, folder+"/") })
		if at < 0 {
			continue
		}
		if folder == "" {
			folder = "."
		}
		all = append(all, problem("link-in-persistent-files", nil, "the folder %s, which a persistent service mounts, holds the symbolic link %s; Fix: commit the file or folder itself there, or build the folder into the service's image", folder, p.Links[at]))
	}
	return all
}

// servicesOut: by "..", where nothing is that the commit or the server could hold.
func (p *planner) servicesOut() (all []Problem) {
	add := func(key, format, name, from string) {
		if p.outside(from) {
			shown := relative(from, p.Source)
			all = append(all, problem("path-outside-repository", keys("services", name, key), format+", which is outside the repository; name a folder of the repository, a named volume, or an absolute path", name, shown).holding(shown))
		}
	}
	for _, name := range p.services {
		service := p.service(name)
		for _, mount := range service.Volumes {
			if mount.Type == "bind" {
				add("volumes", "service %s mounts %s", name, mount.Source)
			}
		}
		if build := service.Build; build != nil {
			add("build", "service %s is built from %s", name, build.Context)
			for _, context := range sorted(build.AdditionalContexts) {
				add("build", "service %s is built from %s", name, build.AdditionalContexts[context])
			}
			add("build", "service %s is built from %s", name, build.Dockerfile)
		}
	}
	return all
}

var drive = regexp.MustCompile(`^[A-Za-z]:`)

// targets are places in containers that are no absolute paths.
func (p *planner) targets() (all []Problem) {
	for _, name := range p.services {
		for _, mount := range p.service(name).Volumes {
			if strings.HasPrefix(mount.Target, "/") {
				continue
			}
			fix := "; write where in the container it belongs, beginning with /"
			if drive.MatchString(mount.Target) {
				fix = ": Compose takes a name of one letter for a Windows drive; give the volume a longer name"
			}
			all = append(all, problem("mount-target-relative", keys("services", name, "volumes"), "service %s mounts %s, which is no absolute path%s", name, mount.Target, fix).holding(mount.Target))
		}
	}
	return all
}

// filesOut are files of secrets and configs that point outside the repository.
func (p *planner) filesOut() (all []Problem) {
	for _, kind := range []struct {
		name string
		of   map[string]object
	}{{"config", p.model.Configs}, {"secret", p.model.Secrets}} {
		paths := files(kind.of)
		for _, name := range sorted(paths) {
			if p.outside(paths[name]) {
				all = append(all, problem("file-outside-repository", keys(kind.name+"s", name, "file"), "%s %s is the file %s, which is outside the repository; name a file of the repository", kind.name, name, relative(paths[name], p.Source)))
			}
		}
	}
	return all
}

// volumesOut are volumes that keep their files in the checkout, or beside it.
func (p *planner) volumesOut() (all []Problem) {
	for _, volume := range sorted(p.model.Volumes) {
		options, _ := p.model.Volumes[volume]["driver_opts"].(object)
		device, kind := asText(options["device"]), asText(options["type"])
		binds := kind == "none" || kind == "bind"
		for _, option := range strings.Split(asText(options["o"]), ",") {
			binds = binds || option == "bind" || option == "rbind"
		}
		of := ""
		if users := p.users(volume); len(users) > 0 {
			of = " (of " + strings.Join(users, ", ") + ")"
		}
		absolute := strings.HasPrefix(device, "/")
		switch {
		case p.outside(device) || binds && strings.HasPrefix(device, ".."):
			if absolute {
				device = relative(device, p.Source)
			}
			all = append(all, problem("volume-outside-repository", keys("volumes", volume, "driver_opts", "device"), "the volume %s%s keeps its files in %s, which is outside the repository; leave driver_opts out, and Docker keeps them", volume, of, device))
		case below(device, p.Source) || binds && device != "" && !absolute:
			device = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(device, p.Source), "/"), "./")
			all = append(all, problem("volume-in-checkout", keys("volumes", volume, "driver_opts", "device"), "the volume %s%s keeps its files in ./%s of the checkout, which goes with the release; leave driver_opts out, and Docker keeps them", volume, of, device))
		}
	}
	return all
}

// users are the services that mount a volume.
func (p *planner) users(volume string) (names []string) {
	for _, name := range p.services {
		if slices.ContainsFunc(p.service(name).Volumes, func(mount Mount) bool { return mount.named() && mount.Source == volume }) {
			names = append(names, name)
		}
	}
	return names
}

// lateProblem: what a persistent service waits for has to be there before it, and what it answers for has to change with it.
func (p *planner) lateProblem(one late) []Problem {
	because := p.Because[one.service]
	switch {
	case one.proxy:
		route := slices.IndexFunc(p.Given.Routes, func(route Route) bool { return route.Service == one.service })
		return []Problem{problem("route-to-persistent-proxy", keys("services", one.service, "depends_on"), "service %[1]s is persistent, because %[2]s, and depends on %[3]s, which every release replaces, so no switch from one to the next would be without errors; route to %[3]s itself: pulumi config set --path 'berth:routes[%[4]d].service' %[3]s, with its port; or let every release replace %[1]s, too: labels: {berth.stateful: \"false\"} in the compose file", one.service, because, one.on, route).holding(one.on)}
	case one.waits:
		return []Problem{problem("persistent-waits-for-release", keys("services", one.service, "depends_on"), "service %[1]s is persistent, because %[2]s, and waits for %[3]s, which every release replaces, so %[1]s would start before it; if %[3]s runs once, make it the migration: pulumi config set --path berth:migration.service %[3]s && pulumi config set --path berth:migration.command COMMAND, and take it out of depends_on; if it runs all the time, give %[3]s labels: {berth.stateful: \"true\"}, or %[1]s \"false\"", one.service, because, one.on).holding(one.on)}
	}
	return nil
}

// sharedVolumes: two servers on the same files damage them.
func (p *planner) sharedVolumes() (all []Problem) {
	users := map[string][]string{}
	for _, name := range p.Stores {
		for _, mount := range p.service(name).Volumes {
			if mount.named() && !mount.ReadOnly {
				place := mount.Source + ":" + mount.Volume.Subpath
				users[place] = append(users[place], name)
			}
		}
	}
	for _, place := range sorted(users) {
		if len(users[place]) > 1 {
			volume, _, _ := strings.Cut(place, ":")
			all = append(all, problem("volume-shared", keys("services", users[place][1], "volumes"), "services %s keep their files in the same volume, %s, and two servers that use the same files damage them; give each a volume of its own, or take one of them out of the compose file", strings.Join(users[place], " and "), volume).holding(volume))
		}
	}
	return all
}

// acrossReleases is what of a service does not work from one release to the next.
func (p *planner) acrossReleases(name string) (all []Problem) {
	service := p.service(name)
	other, ofService := strings.CutPrefix(service.NetworkMode, "service:")
	if service.NetworkMode == "host" && p.Strategy == "blue-green" && !p.persistent(name) {
		all = append(all, problem("host-network-twice", keys("services", name, "network_mode"), "service %s uses the host's network (network_mode: host), where two releases cannot run side by side; remove it, or have the old release stopped first: pulumi config set berth:releaseStrategy stop-first", name))
	}
	if strings.HasPrefix(service.NetworkMode, "container:") {
		all = append(all, problem("network-of-named-container", keys("services", name, "network_mode"), "service %s uses the network of a container by name, which changes with every release; use a network of the compose file", name))
	}
	if ofService && p.persistent(name) != p.persistent(other) {
		all = append(all, problem("network-across-projects", keys("services", name, "network_mode"), "service %s uses the network of %s, but only one of them is stateful, so they live in different projects; label both berth.stateful: \"true\" in the compose file", name, other))
	}
	fixedAddress := false
	for _, network := range service.Networks {
		fixedAddress = fixedAddress || network["ipv4_address"] != nil || network["ipv6_address"] != nil
	}
	if fixedAddress && !p.persistent(name) {
		all = append(all, problem("fixed-address-twice", keys("services", name, "networks"), "service %s has a fixed address, which two releases cannot both have; remove ipv4_address from the compose file: services find each other by name", name))
	}
	if len(service.VolumesFrom) > 0 {
		all = append(all, problem("volumes-from", keys("services", name, "volumes_from"), "service %s uses volumes_from, which does not work across releases; name the volume in both services", name))
	}
	if service.Build == nil && service.Image == "" {
		all = append(all, problem("service-without-image", keys("services", name), "service %s has neither an image nor a build", name))
	}
	return all
}
