package release

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/itchyny/gojq"

	"berth/internal/config"
	"berth/provision/scripts"
)

// Plan is what a release does with the services of an app, as release/plan.jq tells it on the operator's machine and
// on the server alike.
type Plan struct {
	// Problems are sentences that keep the app from being released.
	Problems []string
	// Advice is what would better be otherwise.
	Advice []Advice
	// Stateless services are replaced by every release, Stateful ones persist; Because says why.
	Stateless, Stateful []string
	Because             map[string]string
	// Stores are those of Stateful that hold data in a format of their own, databases and the like.
	Stores []string
	// Databases are those that Berth knows how to dump.
	Databases []struct{ Service, Kind string }
	Builds    []struct {
		Services []string
		Material string
		Build    struct{ Context, Dockerfile string }
	}
	Pulls []struct{ Service, Reference string }
	// Data is the compose file of the persistent services. Volumes have the names that Docker knows them by.
	Data struct {
		Services map[string]any
		Volumes  map[string]struct{ Name string }
		Secrets  map[string]struct{ Environment string }
	}
}

// Advice is a sentence about a key of a service in the compose file.
type Advice struct{ Service, Key, Text string }

// takesOver is the service of the plan before that has gone and whose volume a service writes to, and that volume; "" for none.
func (p *Plan) takesOver(service string, before *Plan) (other, volume string) {
	if before == nil {
		return "", ""
	}
	mine := p.writes(service)
	for _, other := range before.Stateful {
		if slices.Contains(p.Stateful, other) {
			continue
		}
		for _, volume := range before.writes(other) {
			if slices.Contains(mine, volume) {
				return other, volume
			}
		}
	}
	return "", ""
}

// writes are the volumes and folders that a persistent service can write to.
func (p *Plan) writes(service string) (places []string) {
	definition, _ := p.Data.Services[service].(map[string]any)
	mounts, _ := definition["volumes"].([]any)
	for _, mount := range mounts {
		mount, _ := mount.(map[string]any)
		source, _ := mount["source"].(string)
		if source == "" || mount["read_only"] == true {
			continue
		}
		if name := p.Data.Volumes[source].Name; mount["type"] == "volume" && name != "" {
			source = name
		}
		places = append(places, source)
	}
	return places
}

// Commit is what of an app a plan is made from.
type Commit struct {
	// SHA of the commit, Folder of its checkout, Root a folder of nothing else that Folder lies in: what the app names
	// there leads out of its repository. "" for none.
	SHA, Folder, Root string
	// Model is Compose's normalised model of it, JSON with absolute paths.
	Model []byte
	// Links are its symbolic links, by their paths in the checkout.
	Links []string
	// Tree gives git's hash of the file or folder at a path relative to the checkout, "" for what the commit does not
	// hold.
	Tree func(path string) (string, error)
	// ImageVolumes are the volumes that images declare themselves, by service, as far as they are known.
	ImageVolumes map[string][]string
}

// MakePlan plans the release of a commit without a server.
func MakePlan(cfg *config.Config, commit Commit) (*Plan, error) {
	var model map[string]any
	if err := json.Unmarshal(commit.Model, &model); err != nil {
		return nil, fmt.Errorf("read the compose file's model: %w", err)
	}
	contents, err := commit.contents()
	if err != nil {
		return nil, err
	}
	text, err := Settings(cfg)
	if err != nil {
		return nil, err
	}
	var given map[string]any
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return nil, err
	}
	volumes := map[string]any{}
	for service, paths := range commit.ImageVolumes {
		volumes[service] = anyOf(paths)
	}
	maps.Copy(given, map[string]any{
		"id": "preview", "commit": commit.SHA, "source": commit.Folder, "root": commit.Root, "base": 20100, "ports": map[string]any{},
		"binds": "/data/binds", "files": "/data/files", "image_volumes": volumes, "links": anyOf(commit.Links),
	})
	maps.Copy(given, contents)
	made, err := plan(model, given)
	if err != nil {
		return nil, err
	}
	// Of a subnet that it did not make, the server alone knows the addresses.
	given["own"] = []any{}
	if cfg.SubnetID == "" && cfg.VPCCIDR.IsValid() {
		given["own"] = []any{cfg.VPCCIDR.String()}
	}
	made.Problems = append(made.Problems, made.misplaced()...)
	return made, errors.Join(made.trust(model, given), made.links(commit, model))
}

// links adds the paths that are symbolic links of the commit, or lead through one, to the problems.
func (p *Plan) links(commit Commit, model map[string]any) error {
	text, err := runJQ("release/links.jq", []any{model, map[string]any{"source": commit.Folder, "links": anyOf(commit.Links)}})
	if err != nil {
		return err
	}
	var found []string
	if err := json.Unmarshal(text, &found); err != nil {
		return err
	}
	p.Problems = append(p.Problems, found...)
	return nil
}

// trust adds what would let the app's containers out of their confines to the problems.
func (p *Plan) trust(model, given map[string]any) error {
	text, err := scripts.Read("release/allowed.json")
	if err != nil {
		return err
	}
	var classes any
	if err := json.Unmarshal([]byte(text), &classes); err != nil {
		return fmt.Errorf("read release/allowed.json: %w", err)
	}
	result, err := runJQ("release/trust.jq", []any{model, given, classes})
	if err != nil {
		return err
	}
	var found []struct{ Text string }
	if err := json.Unmarshal(result, &found); err != nil {
		return err
	}
	for _, one := range found {
		p.Problems = append(p.Problems, one.Text)
	}
	return nil
}

func plan(model, given map[string]any) (*Plan, error) {
	result, err := runJQ("release/plan.jq", []any{model, given})
	if err != nil {
		return nil, err
	}
	made := &Plan{}
	return made, json.Unmarshal(result, made)
}

// runJQ runs one of the server's jq programs and gives its first result as JSON.
func runJQ(name string, input any) ([]byte, error) {
	program, err := scripts.Read(name)
	if err != nil {
		return nil, err
	}
	query, err := gojq.Parse(program)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	result, ok := query.Run(input).Next()
	if failed, isError := result.(error); isError || !ok {
		return nil, fmt.Errorf("run %s: %w", name, failed)
	}
	return json.Marshal(result)
}

// anyOf is a list as jq takes it.
func anyOf(texts []string) []any {
	all := make([]any, 0, len(texts))
	for _, text := range texts {
		all = append(all, text)
	}
	return all
}

// contents are what plan.jq is given of the checkout: trees, the hash of what the commit holds at each absolute path of
// the model that lies in it; folders, those of them that are folders; dockerfiles, the text of each service's Dockerfile.
func (c Commit) contents() (map[string]any, error) {
	var model struct {
		Services map[string]struct {
			Build   struct{ Context, Dockerfile string }
			Volumes []struct{ Type, Source string }
		}
		Secrets, Configs map[string]struct{ File string }
	}
	if err := json.Unmarshal(c.Model, &model); err != nil {
		return nil, fmt.Errorf("read the compose file's model: %w", err)
	}
	var paths []string
	dockerfiles := map[string]any{}
	for name, service := range model.Services {
		paths = append(paths, service.Build.Context)
		if text, err := c.read(service.Build.Context, cmp.Or(service.Build.Dockerfile, "Dockerfile")); err == nil {
			dockerfiles[name] = text
		}
		for _, volume := range service.Volumes {
			if volume.Type == "bind" {
				paths = append(paths, volume.Source)
			}
		}
	}
	for _, file := range slices.Concat(slices.Collect(maps.Values(model.Secrets)), slices.Collect(maps.Values(model.Configs))) {
		paths = append(paths, file.File)
	}
	trees, folders := map[string]any{}, []any{}
	for _, path := range paths {
		relative, inside := strings.CutPrefix(path+"/", c.Folder+"/")
		if !inside {
			continue
		}
		hash, err := c.Tree(strings.Trim(relative, "/"))
		if err != nil {
			return nil, err
		}
		trees[path] = hash
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			folders = append(folders, path)
		}
	}
	return map[string]any{"trees": trees, "folders": folders, "dockerfiles": dockerfiles}, nil
}

// read reads a file of a build's context that lies in the checkout; no link leads out of that.
func (c Commit) read(context, name string) (string, error) {
	relative, err := filepath.Rel(c.Folder, context)
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(c.Folder)
	if err != nil {
		return "", err
	}
	text, err := root.ReadFile(filepath.Join(relative, name))
	return string(text), errors.Join(err, root.Close())
}

// definition is what a stateful service is, comparable between two plans.
func (p *Plan) definition(service string) []any {
	parts := []any{p.Data.Services[service]}
	for _, build := range p.Builds {
		if slices.Contains(build.Services, service) {
			parts = append(parts, build.Material)
		}
	}
	for _, pull := range p.Pulls {
		if pull.Service == service {
			parts = append(parts, pull.Reference)
		}
	}
	return parts
}

// Changes says in sentences what this plan does to the services of the one before, nil for none.
func (p *Plan) Changes(before *Plan) []string {
	lines := []string{}
	if len(p.Stateless) > 0 {
		lines = append(lines, "start beside those that run, and take over: "+strings.Join(p.Stateless, ", "))
	}
	var untouched []string
	for _, service := range p.Stateful {
		switch {
		case before == nil || !slices.Contains(before.Stateful, service):
			if other, volume := p.takesOver(service, before); other != "" {
				lines = append(lines, fmt.Sprintf("takes over the volume %s of %s, which is STOPPED FIRST, after its dump if it is a database, and what needs them waits until the new one is ready, at most berth:healthyWithin: %s", volume, other, service))
				continue
			}
			lines = append(lines, fmt.Sprintf("starts as a persistent service, because %s: %s", p.Because[service], service))
		case !reflect.DeepEqual(p.definition(service), before.definition(service)):
			lines = append(lines, fmt.Sprintf("is STOPPED AND RECREATED, since its definition changed, and what needs it waits: %s (stateful: %s)", service, p.Because[service]))
		default:
			untouched = append(untouched, service)
		}
	}
	if len(untouched) > 0 {
		lines = append(lines, "stay as they are, unless a variable of theirs changed: "+strings.Join(untouched, ", "))
	}
	if before != nil {
		for _, service := range slices.Concat(before.Stateless, before.Stateful) {
			if !slices.Contains(p.Stateless, service) && !slices.Contains(p.Stateful, service) {
				lines = append(lines, "is no longer in the compose file and stops; volumes stay: "+service)
			}
		}
	}
	return lines
}
