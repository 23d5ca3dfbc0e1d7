package release

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"berth/internal/release/compose"
)

// laptop matches env files that are meant for a developer's machine.
var laptop = regexp.MustCompile(`(^|/)\.env\.(dev|development|local|test)(\.local)?$`)

// filesOut finds which of the files that services read, by a key of the services and by their names, do not go out with the commit.
func (f *findings) filesOut(key string, files map[string][]string) {
	for _, service := range slices.Sorted(maps.Keys(files)) {
		for _, file := range files[service] {
			at := f.source.Holding(path.Base(file), "services", service, key)
			if out := outOf(f.commit.Root, file); out != file {
				f.problem("env-file-outside", at, "service %s reads %s, which is outside the repository; name a file of the repository, or .env.production, there", service, out)
			} else if path.IsAbs(file) && !slices.Contains(f.cfg.Allow, "host-mounts") {
				f.problem("env-file-of-server", at, "service %s reads %s of the server; name a file of the repository, or .env.production, there; or, if you trust the repository: pulumi config set --path 'berth:allow[%d]' host-mounts", service, file, len(f.cfg.Allow))
			}
			if laptop.MatchString(file) && !f.leftOut(service, file) {
				f.problem("env-file-laptop", at, "service %s reads %s, which is meant for a laptop and does not reach the server; name .env.production there instead, which the stack's variables become", service, file)
			}
		}
	}
}

// leftOut says whether a file for a laptop is none of the commit's, and is not missed on the server: the service does without, or the
// stack's variables replace it.
func (f *findings) leftOut(service, file string) bool {
	if slices.Contains(f.model.StandIns[service], file) {
		return strings.HasSuffix(file, ".local")
	}
	_, err := os.Stat(filepath.Join(f.commit.Folder, filepath.FromSlash(file)))
	return errors.Is(err, fs.ErrNotExist) && !slices.Contains(f.model.Absent[service], file)
}

// environment finds env files and labels' files that the commit does not hold, and says what replaces them.
func (f *findings) environment() {
	f.filesOut("env_file", f.model.EnvFiles)
	f.filesOut("label_file", f.model.LabelFiles)
	line := func(service, file string) compose.Place {
		return f.source.Holding(path.Base(file), "services", service, "env_file")
	}
	for _, service := range slices.Sorted(maps.Keys(f.model.Absent)) {
		for _, file := range f.model.Absent[service] {
			switch {
			case laptop.MatchString(file): // Berth says that it does not reach the server, whether it is there or not.
			case slices.Contains(f.model.LabelFiles[service], file):
				f.problem("label-file-missing", f.source.At("services", service, "label_file"), "service %s reads the labels in %s, which the commit does not hold; commit it, or write the labels at the service", service, file)
			case len(f.variables) == 0:
				f.problem("env-file-without-variables", line(service, file), "service %s reads %s, which the commit does not hold; the stack's variables replace it, and there are none: pulumi config set --path berth:environment.NAME VALUE, for a secret: pulumi config set --secret --path berth:secrets.NAME; or, if the file may be missing: env_file: [{path: %s, required: false}]",
					service, file, path.Base(file))
			default:
				f.problem("env-file-missing", line(service, file), "service %s reads %s, which the commit does not hold; commit it, or name .env.production there, which the stack's variables become", service, file)
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(f.model.StandIns)) {
		files := slices.DeleteFunc(slices.Clone(f.model.StandIns[service]), func(file string) bool { return laptop.MatchString(file) && !f.leftOut(service, file) })
		if len(files) == 0 {
			continue
		}
		f.advise(aboutFiles, line(service, files[0]), "%s reads %s, which the commit does not hold: the stack's variables replace it", service, strings.Join(files, ", "))
	}
	for _, service := range f.model.SSH {
		f.problem("build-ssh", f.source.At("services", service, "build", "ssh"), "service %s is built with keys for SSH (build.ssh), which the server does not have; build the image elsewhere: pulumi config set --path 'berth:images[%q]' REFERENCE", service, service)
	}
	f.committedSecrets()
}

// committedSecrets points at what of a committed .env everybody can read and that was not replaced.
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
		f.advise(aboutSecrets, compose.Place{}, "%s holds the values of %s, which everyone can read who has the repository; set new ones, which come before them: %s",
			path.Join(path.Dir(f.cfg.ComposeFiles[0]), ".env"), strings.Join(names, ", "), setVariables(names))
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
		named("route "+route.Host+route.Path+" names", route.Service)
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
