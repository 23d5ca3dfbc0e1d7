// Package kubernetes writes the plan of a release as Kubernetes' own objects, for who goes on there.
package kubernetes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"berth/internal/config"
)

// object is a part of the plan as it is.
type object = map[string]any

// Given is what manifests are made from.
type Given struct {
	// Config has the stack's settings; in place of each secret's value stands Placeholder of its name.
	Config *config.Config
	// Commit is the release's SHA, Plan its plan as docs/plan.md describes it, Folder a checkout of the commit.
	Commit, Plan, Folder string
	// Jobs run at set times.
	Jobs []config.Job
}

// app is a plan as far as manifests need it.
type app struct {
	App, Data                        composeFile
	Stateless, Stateful, Alone, Once []string
	Because                          map[string]string
	Builds                           []struct{ Services []string }
	Routes                           []route
	Files                            []struct{ Source, Hash string }
	Databases                        []struct{ Service, Kind string }
	SQLite                           []struct{ Service string }
}

type composeFile struct {
	Services                            map[string]object
	Volumes, Networks, Secrets, Configs map[string]object
}

// route is a path of the site, at one of its hosts or at all.
type route struct {
	Path, Service, Health, Host string
	Port                        int
	StripPrefix                 bool
}

// filled begins a text that the server would fill in; nothing of an app's holds a zero byte.
const filled = "\x00"

// read reads a plan. Its texts become what the app wrote: the doubled $ and the @ before an @ are the plan's.
func read(text string) (*app, error) {
	var whole any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&whole); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	if version := fmt.Sprint(whole.(object)["version"]); version != "2" {
		return nil, fmt.Errorf("read the plan: it has version %s, and 2 is what this program reads", version)
	}
	plain, err := json.Marshal(unescaped(whole))
	if err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	made := &app{}
	if err := json.Unmarshal(plain, made); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	return made, nil
}

func unescaped(value any) any {
	switch value := value.(type) {
	case object:
		for key, one := range value {
			value[key] = unescaped(one)
		}
	case []any:
		for i, one := range value {
			value[i] = unescaped(one)
		}
	case string:
		if rest, ok := strings.CutPrefix(value, "@"); ok {
			if !strings.HasPrefix(rest, "@") {
				return filled + strings.ReplaceAll(rest, "$$", "$")
			}
			value = rest
		}
		return strings.ReplaceAll(value, "$$", "$")
	}
	return value
}

// services are the names of all, in their order.
func (a *app) services() []string {
	return slices.Sorted(slices.Values(slices.Concat(a.Stateless, a.Stateful)))
}

// file is the compose file of the plan that a service is in.
func (a *app) file(service string) composeFile {
	if slices.Contains(a.Stateful, service) {
		return a.Data
	}
	return a.App
}

// built are the services whose image is built, each with the one that it is named after.
func (a *app) built() map[string]string {
	all := map[string]string{}
	for _, build := range a.Builds {
		for _, service := range build.Services {
			all[service] = slices.Min(build.Services)
		}
	}
	return all
}

// path is where in the commit a source of the plan lies, and whether it lies there.
func (a *app) path(source string) (string, bool) {
	for _, kept := range a.Files {
		if source == "/data/files/"+kept.Hash {
			source = kept.Source
		}
	}
	if source == filled+"SOURCE@" {
		return ".", true
	}
	return strings.CutPrefix(source, filled+"SOURCE@/")
}

// text is a value of the plan as text, "" for none.
func text(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case json.Number:
		return value.String()
	}
	written, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(written)
}

// texts is a list of texts, or a text as its only one.
func texts(value any) (all []string) {
	switch value := value.(type) {
	case nil:
	case []any:
		for _, one := range value {
			all = append(all, text(one))
		}
	default:
		all = append(all, text(value))
	}
	return all
}

func sorted[K cmp.Ordered, V any](of map[K]V) []K { return slices.Sorted(maps.Keys(of)) }
