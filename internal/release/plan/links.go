package plan

import (
	"cmp"
	"fmt"
	"path"
	"strings"
)

// Links says which paths of an app's compose file are symbolic links of the commit, or lead through one. Docker follows a link as
// root, and a container that can write beside it decides where it leads: only files and folders themselves are mounted or built
// from. source is the checkout's path, links are the commit's symbolic links, by their paths in it.
func Links(model *Model, source string, links []string) []string {
	known := map[string]bool{}
	for _, link := range links {
		known[link] = true
	}
	var found []string
	check := func(what, at string) {
		if link, inside := firstLink(at, source, known); link != "" {
			found = append(found, fmt.Sprintf("%s %s, and %s is a symbolic link there; Fix: commit the file or folder itself at that path, or name what the link leads to", what, inside, link))
		}
	}
	for name, service := range model.Services {
		for _, mount := range service.Volumes {
			if mount.Type == "bind" {
				check(fmt.Sprintf("service %s mounts", name), mount.Source)
			}
		}
		for _, at := range builtFrom(service.Build) {
			if strings.HasPrefix(at, "/") {
				check(fmt.Sprintf("service %s is built from", name), at)
			}
		}
	}
	for name, file := range files(model.Secrets) {
		check(fmt.Sprintf("secret %s is the file", name), file)
	}
	for name, file := range files(model.Configs) {
		check(fmt.Sprintf("config %s is the file", name), file)
	}
	return unique(found)
}

// builtFrom are the files and folders that Docker reads for a build.
func builtFrom(build *Build) []string {
	if build == nil {
		return nil
	}
	all := []string{build.Context, build.Context + "/.dockerignore"}
	if build.Inline == nil {
		file := cmp.Or(build.Dockerfile, "Dockerfile")
		if !strings.HasPrefix(file, "/") {
			file = build.Context + "/" + file
		}
		all = append(all, file, file+".dockerignore")
	}
	for _, context := range build.AdditionalContexts {
		all = append(all, context)
	}
	return all
}

// firstLink is the first link on the way to an absolute path, and that path, both by their paths in the checkout; ".." is taken as
// Compose takes it, by the text alone.
func firstLink(at, source string, links map[string]bool) (link, inside string) {
	inside, ok := strings.CutPrefix(path.Clean("/"+at), path.Clean(source)+"/")
	if !ok {
		return "", ""
	}
	for i, letter := range inside + "/" {
		if letter == '/' && links[inside[:i]] {
			return inside[:i], inside
		}
	}
	return "", inside
}
