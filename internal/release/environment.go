package release

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"berth/internal/release/compose"
)

// environment finds env files and labels' files that the commit does not hold, and says what stands in for them.
func (f *findings) environment() {
	line := func(service, file string) int {
		return f.source.Holding(path.Base(file), "services", service, "env_file")
	}
	for _, service := range slices.Sorted(maps.Keys(f.model.Absent)) {
		for _, file := range f.model.Absent[service] {
			switch {
			case laptop.MatchString(file): // Berth says that it does not reach the server, whether it is there or not.
			case slices.Contains(f.model.LabelFiles[service], file):
				f.problem("label-file-missing", f.source.At("services", service, "label_file"), "service %s reads the labels in %s, which the commit does not hold; commit it, or write the labels into %s", service, file, f.cfg.ComposeFile)
			case len(f.variables) == 0:
				f.problem("env-file-without-variables", line(service, file), "service %s reads %s, which the commit does not hold; the stack's variables stand in for it, and it has none: pulumi config set --path berth:environment.NAME VALUE, for a secret: pulumi config set --secret --path berth:secrets.NAME; or, if the file may be missing: env_file: [{path: %s, required: false}]",
					service, file, path.Base(file))
			default:
				f.problem("env-file-missing", line(service, file), "service %s reads %s, which the commit does not hold; commit it, or name .env.production there, which the stack's variables become", service, file)
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(f.model.StandIns)) {
		files := f.model.StandIns[service]
		f.advise(aboutFiles, line(service, files[0]), "%s reads %s, which the commit does not hold: the stack's variables stand in for it", service, strings.Join(files, ", "))
	}
	for _, service := range f.model.SSH {
		f.problem("build-ssh", f.source.At("services", service, "build", "ssh"), "service %s is built with keys for SSH (build.ssh), which the server does not have; build the image elsewhere: pulumi config set --path 'berth:images[%q]' REFERENCE", service, service)
	}
	f.committedSecrets()
}

// committedSecrets points at what of a committed .env everybody can read and nobody has replaced.
func (f *findings) committedSecrets() {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.variables)) {
		_, secret := f.cfg.Secrets[name]
		_, plain := f.cfg.Environment[name]
		if !secret && !plain && compose.IsSecret(name) && f.variables[name] != "" {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		f.advise(aboutSecrets, 0, "%s holds the values of %s, which everyone can read who has the repository; set new ones, which come before them: %s",
			path.Join(path.Dir(f.cfg.ComposeFile), ".env"), strings.Join(names, ", "), setVariables(names))
	}
}

// profiles says of services that the stack names and that run in profiles alone how to have them run.
func (f *findings) profiles() {
	off := f.model.Project.DisabledServices
	turnOn := func(service string) string {
		return fmt.Sprintf("turn one on: pulumi config set --path berth:environment.COMPOSE_PROFILES %s", off[service].Profiles[0])
	}
	said := map[string]bool{}
	named := func(what, service string) {
		if len(off[service].Profiles) == 0 || said[what] {
			return
		}
		said[what] = true
		f.problem("route-service-profile", f.source.At("services", service, "profiles"), "service %s, which %s, runs only with the profiles %s; %s", service, what, strings.Join(off[service].Profiles, ", "), turnOn(service))
		f.better = append(f.better, "names service "+service+", which the compose file does not have")
	}
	for _, route := range f.cfg.Routes {
		named("route "+route.Path+" names", route.Service)
	}
	if f.cfg.Migration != nil {
		named("berth:migration names", f.cfg.Migration.Service)
	}
	if f.cfg.Database != nil {
		named("berth:database names", f.cfg.Database.Service)
	}
	if len(f.model.Project.Services) > 0 || len(off) == 0 {
		return
	}
	f.better = append(f.better, "the compose file has no service that runs")
	if len(said) == 0 {
		first := slices.Sorted(maps.Keys(off))[0]
		f.problem("profiles-all-off", f.source.At("services", first, "profiles"), "every service runs only with a profile (%s with %s), and none is on; %s", first, strings.Join(off[first].Profiles, ", "), turnOn(first))
	}
}
