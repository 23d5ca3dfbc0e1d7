package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// newKeys are those of the specification that the server's Compose does not know, by their paths, * for any name or place: between the
// schemas of compose-go 2.0.2, which Debian 13's Compose 2.26 has, and 2.16.2. Left out is what is refused for other reasons.
var newKeys = []string{
	"networks.*.enable_ipv4", "services.*.networks.*.driver_opts", "services.*.networks.*.gw_priority", "services.*.networks.*.interface_name",
	"services.*.networks.*.use_service_name_alias", "services.*.post_start", "services.*.pre_stop", "services.*.pull_refresh_after", "services.*.umask",
	"services.*.use_api_socket", "services.*.volumes.*.bind.recursive", "services.*.volumes.*.image", "services.*.volumes.*.volume.labels",
}

// newPolicy matches values of pull_policy that it does not know.
var newPolicy = regexp.MustCompile(`^(daily|weekly|every_.+)$`)

// newer finds what the server's Compose does not know.
func (f *findings) newer() {
	var model map[string]any
	if err := json.Unmarshal(f.commit.Model, &model); err != nil {
		return // The plan has read it.
	}
	refuse := func(what string, path ...string) {
		name, key := path[1], strings.Join(path[2:], ".")
		f.problem("compose-key-newer", f.source.At(path...), "%s %s has %s, %s of Compose that the server's (2.26, Debian 13) does not know; take it out", strings.TrimSuffix(path[0], "s"), name, key, what)
	}
	for _, pattern := range newKeys {
		for _, path := range paths(model, strings.Split(pattern, "."), nil) {
			refuse("a key", path...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.model.Project.Services)) {
		service := f.model.Project.Services[name]
		if newPolicy.MatchString(service.PullPolicy) {
			refuse("with "+service.PullPolicy+" a value", "services", name, "pull_policy")
		}
		for _, mount := range service.Volumes {
			if mount.Type == "image" {
				refuse("for a mount of an image, a kind", "services", name, "volumes")
			}
		}
	}
}

// paths are those of a value that match a pattern and hold something.
func paths(value any, pattern, at []string) (found [][]string) {
	if len(pattern) == 0 {
		if value == nil || value == false || value == "" {
			return nil
		}
		return [][]string{at}
	}
	step := func(key string, below any) {
		found = append(found, paths(below, pattern[1:], append(slices.Clone(at), key))...)
	}
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if pattern[0] == key || pattern[0] == "*" {
				step(key, value[key])
			}
		}
	case []any:
		for i, one := range value {
			if pattern[0] == "*" {
				step(fmt.Sprint(i), one)
			}
		}
	}
	return found
}

// builds finds what Compose builds and the server does not.
func (f *findings) builds() {
	for _, name := range slices.Sorted(maps.Keys(f.model.Project.Services)) {
		build := f.model.Project.Services[name].Build
		if _, replaced := f.cfg.Images[name]; build == nil || replaced {
			continue
		}
		if len(build.Platforms) > 0 && !slices.ContainsFunc(build.Platforms, runsHere) {
			f.problem("build-platform", f.source.At("services", name, "build", "platforms"), "service %s is built for %s, and the server is linux/amd64; name that, or take platforms out", name, strings.Join(build.Platforms, ", "))
		}
		for _, context := range slices.Sorted(maps.Keys(build.AdditionalContexts)) {
			if other, ok := strings.CutPrefix(build.AdditionalContexts[context], "service:"); ok {
				f.problem("build-context-service", f.source.Holding("service:"+other, "services", name, "build", "additional_contexts"),
					"service %s is built from the image of %s (additional_contexts: service:%s), which the server does not hand on to builds; make it a stage of one Dockerfile, or build the image elsewhere: pulumi config set --path 'berth:images[%q]' REFERENCE", name, other, other, name)
			}
		}
	}
}
