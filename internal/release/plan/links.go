package plan

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Links says which paths of an app's compose file are symbolic links of the commit, or pass through one. Docker follows a link as
// root, and a container that can write beside it decides where it points: only files and folders themselves are mounted or built
// from. source is the checkout's path, links are the commit's symbolic links, by their paths in it.
func Links(model *Model, source string, links []string) []Problem {
	known := map[string]bool{}
	for _, link := range links {
		known[link] = true
	}
	var found []Problem
	check := func(place []string, what, at string) {
		if link, inside := firstLink(at, source, known); link != "" {
			found = append(found, problem("path-through-link", place, "%s %s, and %s is a symbolic link there; Fix: commit the file or folder itself at that path, or name the target of the link", what, inside, link).holding(path.Base(inside)))
		}
	}
	for name, service := range model.Services {
		for _, mount := range service.Volumes {
			if mount.Type == "bind" {
				check(keys("services", name, "volumes"), fmt.Sprintf("service %s mounts", name), mount.Source)
			}
		}
		for _, from := range builtFrom(service.Build) {
			if strings.HasPrefix(from, "/") {
				check(keys("services", name, "build"), fmt.Sprintf("service %s is built from", name), from)
			}
		}
	}
	for name, file := range files(model.Secrets) {
		check(keys("secrets", name, "file"), fmt.Sprintf("secret %s is the file", name), file)
	}
	for name, file := range files(model.Configs) {
		check(keys("configs", name, "file"), fmt.Sprintf("config %s is the file", name), file)
	}
	slices.SortFunc(found, func(a, b Problem) int { return strings.Compare(a.Text, b.Text) })
	return slices.CompactFunc(found, func(a, b Problem) bool { return a.Text == b.Text })
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
