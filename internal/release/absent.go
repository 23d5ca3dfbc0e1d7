package release

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"

	"berth/internal/release/compose"
)

// absent finds what the compose file names and neither the commit nor the server has.
func (f *findings) absent() {
	project := f.model.Project
	for _, name := range slices.Sorted(maps.Keys(project.Services)) {
		service := project.Services[name]
		_, replaced := f.cfg.Images[name]
		switch {
		case replaced:
		case service.Build != nil:
			f.build(name, service.Build)
		case service.Image != "":
			f.image(name, service.Image)
		}
		f.mounts(name, service)
		for _, link := range service.ExternalLinks {
			f.problem("external-link", f.source.At("services", name, "external_links"),
				"service %s has the external link %s, a container that is none of the app's, and the server has no other; make it a service of the app, or take external_links out", name, link)
		}
	}
	for name, network := range project.Networks {
		if bool(network.External) && !slices.Contains([]string{"host", "bridge", "none"}, network.Name) {
			f.problem("network-external", f.source.At("networks", name, "external"),
				"network %s is external, so it has to exist already, and the server has none; take external out: visitors come by berth:routes, and the app's services find each other by their names on networks of its own", name)
		}
	}
	for name, volume := range project.Volumes {
		if volume.External {
			f.problem("volume-external", f.source.At("volumes", name, "external"),
				"volume %s is external, so it has to exist already, and the server has none; take external out: Berth makes the volume once, and it outlives every release", name)
		}
	}
	for name, secret := range project.Secrets {
		f.file("secret", "secrets", name, types.FileObjectConfig(secret))
	}
	for name, file := range project.Configs {
		f.file("config", "configs", name, types.FileObjectConfig(file))
	}
}

// kept is a path of a commit that git keeps outside of it, and where.
type kept struct{ path, where string }

// keptElsewhere are the submodules of a checkout, and the files that Git LFS keeps: of these the commit has a pointer alone.
func keptElsewhere(folder string, submodules []string) (all []kept, err error) {
	for _, module := range submodules {
		all = append(all, kept{module, "in another repository (a submodule)"})
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	err = fs.WalkDir(root.FS(), ".", func(at string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() > largestPointer {
			return err
		}
		text, err := root.ReadFile(at)
		if strings.HasPrefix(string(text), "version https://git-lfs.github.com/spec/") {
			all = append(all, kept{at, "in Git LFS"})
		}
		return err
	})
	return all, err
}

// largestPointer is the size of a pointer of Git LFS at most. Source: git-lfs, docs/spec.md.
const largestPointer = 1024

// upper matches what no repository's name has: Docker takes small letters alone.
var upper = regexp.MustCompile(`[A-Z]`)

// image finds references that name no image, most often for a variable that is not set.
func (f *findings) image(service, image string) {
	if _, err := reference.ParseNormalizedNamed(image); err == nil {
		return
	}
	line := f.source.At("services", service, "image")
	repository, _, _ := strings.Cut(image, "@")
	name := repository
	if colon := strings.LastIndex(repository, ":"); colon > strings.LastIndex(repository, "/") {
		name = repository[:colon]
	}
	switch unset := f.source.Unset(f.have, "services", service, "image"); {
	case len(unset) > 0:
		f.problem("image-variable-missing", line, "service %s has the image %s, which names none, because the stack lacks the variable %s; set it: %s", service, image, strings.Join(unset, ", "), setVariables(unset))
	case upper.MatchString(name):
		f.problem("image-upper-case", line, "service %s has the image %s, which names none: Docker takes small letters alone; write %s", service, image, strings.ToLower(name)+strings.TrimPrefix(image, name))
	default:
		f.problem("image-name-invalid", line, "service %s has the image %s, which names none; write REPOSITORY:TAG, or REPOSITORY@sha256:DIGEST", service, image)
	}
}

// build finds what a build names and the commit does not hold.
func (f *findings) build(service string, build *types.BuildConfig) {
	at := []string{"services", service, "build"}
	if folder, inside := f.in(build.Context); inside {
		f.context(service, folder, "is built from "+dotted(folder), f.placeOf(folder, at...))
		f.dockerfile(service, folder, build)
	}
	for _, name := range slices.Sorted(maps.Keys(build.AdditionalContexts)) {
		if folder, inside := f.in(build.AdditionalContexts[name]); inside {
			f.context(service, folder, fmt.Sprintf("has the build context %s, %s", name, dotted(folder)), f.source.Holding(name, append(at, "additional_contexts")...))
		}
	}
}

// context finds a folder that a build gets and that is not there, or lacks what git keeps elsewhere.
func (f *findings) context(service, folder, what string, line compose.Place) {
	info, err := os.Stat(filepath.Join(f.commit.Folder, folder))
	if err == nil && !info.IsDir() {
		f.problem("build-context-file", line, "service %s %s, which is a file and no folder; name the folder", service, what)
		return
	}
	for _, one := range f.elsewhere {
		if within(folder, one.path) || within(one.path, folder) && !f.ignored(folder, one.path) {
			f.problem("build-context-elsewhere", line, "service %s %s, and git keeps %s %s, which Berth does not fetch; commit the files themselves, or build the image elsewhere: pulumi config set --path 'berth:images[%q]' REFERENCE; or, if the build does not need it, name it in .dockerignore",
				service, what, one.path, one.where, service)
			return
		}
	}
	if err != nil {
		f.problem("build-context-missing", line, "service %s %s, which the commit does not hold; commit it, or build the image elsewhere: pulumi config set --path 'berth:images[%q]' REFERENCE", service, what, service)
	}
}

// ignored says whether the .dockerignore of a context names a path.
func (f *findings) ignored(folder, at string) bool {
	text, err := readIn(f.commit.Folder, filepath.Join(folder, ".dockerignore"))
	if err != nil {
		return false
	}
	relative := strings.TrimPrefix(at, strings.TrimPrefix(folder+"/", "./"))
	for line := range strings.Lines(string(text)) {
		if line = strings.Trim(strings.TrimSpace(line), "/"); line != "" && within(relative, strings.TrimPrefix(line, "./")) {
			return true
		}
	}
	return false
}

// stage is a stage of a Dockerfile by its name.
var stage = regexp.MustCompile(`(?im)^[ \t]*FROM[ \t].*[ \t]AS[ \t]+(\S+)[ \t]*\r?$`)

func (f *findings) dockerfile(service, folder string, build *types.BuildConfig) {
	at := []string{"services", service, "build"}
	name := cmp.Or(build.Dockerfile, "Dockerfile")
	text := []byte(build.DockerfileInline)
	if build.DockerfileInline == "" {
		whole := path.Join(folder, name)
		if filepath.IsAbs(name) || !filepath.IsLocal(whole) {
			return // It points outside the repository, as the plan says.
		}
		if _, err := os.Stat(filepath.Join(f.commit.Folder, folder)); err != nil {
			return
		}
		var err error
		if text, err = readIn(f.commit.Folder, whole); err != nil && name == "Dockerfile" {
			text, err = readIn(f.commit.Folder, path.Join(folder, "dockerfile")) // BuildKit takes that, too.
		}
		if err != nil {
			if info, gone := os.Lstat(filepath.Join(f.commit.Folder, whole)); gone == nil && info.Mode()&os.ModeSymlink != 0 {
				return // The plan speaks of links.
			}
			f.problem("dockerfile-missing", f.source.Holding(path.Base(name), at...), "service %s is built with %s, which the commit does not hold; commit it, or name the one that is there: build.dockerfile", service, dotted(whole))
			return
		}
	}
	if build.Target == "" {
		return
	}
	var stages []string
	for _, found := range stage.FindAllSubmatch(text, -1) {
		stages = append(stages, string(found[1]))
	}
	if slices.ContainsFunc(stages, func(one string) bool { return strings.EqualFold(one, build.Target) }) || strings.Trim(build.Target, "0123456789") == "" {
		return
	}
	f.problem("build-stage-missing", f.source.At(append(at, "target")...), "service %s is built up to the stage %s, which its Dockerfile does not have; it has: %s", service, build.Target, cmp.Or(strings.Join(stages, ", "), "none with a name"))
}

// fileName matches what is a file by its name, whatever the commit holds.
var fileName = regexp.MustCompile(`(?i)(^(Caddyfile|Dockerfile|Makefile|Corefile|\.?htpasswd|\.htaccess|\.env(\.\w+)?)|\.(ya?ml|json5?|toml|ini|cfg|conf|cnf|config|properties|xml|env|sh|bash|py|rb|pl|lua|m?js|ts|php|sql|db|sqlite3?|pem|crt|cert|cer|key|pub|p12|pfx|jks|asc|txt|csv|html?|css|tmpl|tpl|template|vcl|hcl|rules|htpasswd|log|md))$`)

// mounts finds files that a service mounts and the commit does not hold: on the server a folder would be made in their place.
func (f *findings) mounts(name string, service types.ServiceConfig) {
	for _, mount := range service.Volumes {
		relative, inside := f.in(mount.Source)
		if mount.Type != types.VolumeTypeBind || !inside {
			continue
		}
		line := f.placeOf(relative, "services", name, "volumes")
		if i := slices.IndexFunc(f.elsewhere, func(one kept) bool { return within(one.path, relative) || within(relative, one.path) }); i >= 0 {
			f.problem("mount-elsewhere", line, "service %s mounts %s, and git keeps %s %s, which Berth does not fetch; commit the files themselves", name, dotted(relative), f.elsewhere[i].path, f.elsewhere[i].where)
		}
		// Not whether the file is there: what the stack's variables become is, while the compose file is read.
		if hash, err := f.commit.Tree(relative); relative == "." || err != nil || hash != "" {
			continue
		}
		switch {
		case fileName.MatchString(path.Base(relative)) && fileName.MatchString(path.Base(mount.Target)):
			f.problem("mount-file-missing", line, "service %s mounts the file %s, which the commit does not hold, so on the server it would be an empty folder; commit it, or have it made in the image; what is secret goes into a variable: pulumi config set --secret --path berth:secrets.NAME", name, dotted(relative))
		case mount.ReadOnly && !f.written(mount.Source):
			f.advise(aboutData, line, "%s reads %s, which the commit does not hold and no service writes to, so it is an empty folder on the server; commit what it is to read", name, dotted(relative))
		}
	}
}

// written says whether a service can write to a path of the server.
func (f *findings) written(at string) bool {
	for _, service := range f.model.Project.Services {
		for _, mount := range service.Volumes {
			if mount.Type == types.VolumeTypeBind && !mount.ReadOnly && (within(at, mount.Source) || within(mount.Source, at)) {
				return true
			}
		}
	}
	return false
}

// file finds secrets and configs that have no content.
func (f *findings) file(kind, section, name string, file types.FileObjectConfig) {
	at := func(key string) compose.Place { return f.source.At(section, name, key) }
	used := f.users(section, name)
	switch relative, inside := f.in(file.File); {
	case bool(file.External):
		f.problem("secret-external", at("external"), "%s %s%s is external, which only Swarm has; name a file of the commit (file:), or a variable (environment:) that the stack sets: pulumi config set --secret --path berth:secrets.%s", kind, name, used, variableName(name))
	case file.Environment != "" && !f.have(file.Environment):
		f.problem("secret-variable-missing", at("environment"), "%s %s%s is the variable %s, which the stack lacks; set it: %s", kind, name, used, file.Environment, setSecretVariable(file.Environment))
	case file.File != "" && inside:
		if info, err := os.Stat(filepath.Join(f.commit.Folder, relative)); err != nil {
			f.problem("secret-file-missing", at("file"), "%s %s%s is the file %s, which the commit does not hold; commit it; or, if it is secret, write environment: %s in its place: pulumi config set --secret --path berth:secrets.%s", kind, name, used, dotted(relative), variableName(name), variableName(name))
		} else if info.IsDir() {
			f.problem("secret-file-folder", at("file"), "%s %s%s is %s, which is a folder; name a file", kind, name, used, dotted(relative))
		}
	}
}

// users names the services that have a secret or a config, as " (of A, B)".
func (f *findings) users(section, name string) string {
	var users []string
	for service, definition := range f.model.Project.Services {
		var sources []string
		for _, one := range definition.Secrets {
			sources = append(sources, "secrets "+one.Source)
		}
		for _, one := range definition.Configs {
			sources = append(sources, "configs "+one.Source)
		}
		if definition.Build != nil {
			for _, one := range definition.Build.Secrets {
				sources = append(sources, "secrets "+one.Source)
			}
		}
		if slices.Contains(sources, section+" "+name) {
			users = append(users, service)
		}
	}
	if len(users) == 0 {
		return ""
	}
	slices.Sort(users)
	return " (of " + strings.Join(users, ", ") + ")"
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// variableName is how a variable would be named that holds what a secret's name says.
func variableName(name string) string { return strings.ToUpper(notInNames.ReplaceAllString(name, "_")) }

// within says whether a path is a folder or lies in it; "." is that of everything.
func within(at, folder string) bool {
	return folder == "." || at == folder || strings.HasPrefix(at, strings.TrimSuffix(folder, "/")+"/")
}

func dotted(relative string) string {
	if relative == "." {
		return "."
	}
	return "./" + relative
}
