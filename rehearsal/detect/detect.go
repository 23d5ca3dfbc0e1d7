// Package detect reads from an app's own files what a stack of it would be set to: a first set of settings, to be looked
// at by the one who knows the app.
package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"berth/internal/config"
	"berth/internal/release"
	"berth/internal/release/compose"
)

// Settings are what was guessed.
type Settings struct {
	// ComposeFile is its path in the app's folder.
	ComposeFile string
	Routes      []config.Route
	// Unrouted are services that answer on a port and that no route leads to, as "SERVICE:PORT".
	Unrouted []string
	// Environment are the variables of .env.example with its values.
	Environment map[string]string
	// Secrets are those that a value of one's own has to be made for, as texts around it: ["", ""] for a password,
	// ["postgres://app:", "@db/app"] for one in a URL.
	Secrets map[string]Secret
}

// Unguessed is what cannot be guessed and can be said.
type Unguessed struct {
	Reason string
	// Say is how, as NAME=VALUE.
	Say string
}

func (u *Unguessed) Error() string { return u.Reason }

// composeFiles are the names that Compose looks for, in its order.
var composeFiles = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}

// Secret is what a made value stands between. All passwords are one, since the app's and the database's own are often two
// variables; what is no password has a value of its own.
type Secret struct {
	Before, After string
	Password      bool
}

var (
	password = regexp.MustCompile(`(?i)(PASSWORD|PASSWD|PASS)$`)
	// inURL matches a URL with a password, its groups are what stands before it, it, and what follows.
	inURL = regexp.MustCompile(`^(\w[\w+.-]*://[^/@:\s]*:)([^@/\s]+)(@.*)$`)
)

// Given is what is known already and need not be guessed.
type Given struct {
	Variables map[string]string
	// ComposeFile is its path in the app's folder, "" where it is to be looked for.
	ComposeFile string
	// Routed says that there are routes.
	Routed bool
}

// From reads the app in a folder that is thrown away afterwards: a .env.production is written to it. The error says in a
// sentence what is missing.
func From(ctx context.Context, folder string, given Given) (*Settings, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	guessed := &Settings{Environment: map[string]string{}, Secrets: map[string]Secret{}, ComposeFile: given.ComposeFile}
	for _, name := range composeFiles {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil && guessed.ComposeFile == "" {
			guessed.ComposeFile = name
		}
	}
	if guessed.ComposeFile == "" {
		return nil, &Unguessed{Reason: fmt.Sprintf("the app has no compose file at its top; looked for %s", strings.Join(composeFiles, ", ")), Say: "composeFile=deploy/compose.yaml"}
	}
	if err := guessed.variables(folder, given.Variables); err != nil {
		return nil, err
	}
	known := maps.Clone(guessed.Environment)
	for name := range guessed.Secrets {
		known[name] = "guessed"
	}
	maps.Copy(known, given.Variables)
	model, err := compose.Load(ctx, folder, guessed.ComposeFile, known, nil)
	if err != nil {
		return nil, err
	}
	// The plan is asked only which services hold data; that the route leads nowhere yet is no matter.
	unset := &config.Config{ReleaseStrategy: config.BlueGreen, Routes: []config.Route{{Path: "/"}}}
	plan, err := release.MakePlan(unset, release.Commit{SHA: "guess", Folder: folder, Model: model.JSON, Tree: func(path string) (string, error) {
		if _, err := os.Stat(filepath.Join(folder, filepath.FromSlash(path))); err != nil {
			return "", nil // What is not there has no hash.
		}
		return "there", nil
	}})
	if err != nil {
		return nil, err
	}
	var unguessed *Unguessed
	if err := guessed.routes(folder, model.JSON, plan); err != nil && !(given.Routed && errors.As(err, &unguessed)) {
		return nil, err
	}
	return guessed, nil
}

func (s *Settings) variables(folder string, given map[string]string) error {
	// An app may be a stranger's: a link does not lead out of its folder.
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	text, err := root.ReadFile(".env.example")
	err = errors.Join(err, root.Close())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// An example is often half prose: where it is no env file, its names are known and its values are not.
	values, err := dotenv.UnmarshalBytesWithLookup(text, func(string) (string, bool) { return "", false })
	if err != nil {
		values = map[string]string{}
	}
	have := map[string]bool{}
	for name := range given {
		have[name] = true
	}
	missing := compose.Missing(text, have)
	examples := map[string]bool{}
	for _, name := range missing {
		if compose.IsSecret(name) {
			s.Secrets[name] = Secret{Password: password.MatchString(name)}
			examples[values[name]] = s.Secrets[name].Password
		}
	}
	for _, name := range missing {
		if _, ok := s.Secrets[name]; ok {
			continue
		}
		// A URL with the example of a password has to change along with it.
		if found := inURL.FindStringSubmatch(values[name]); found != nil && examples[found[2]] {
			s.Secrets[name] = Secret{Before: found[1], After: found[3], Password: true}
			continue
		}
		s.Environment[name] = values[name]
	}
	return nil
}

// service is what of a service tells where it answers.
type service struct {
	name  string
	Build *struct{ Context, Dockerfile string }
	Ports []struct {
		Target   int
		Protocol string
	}
	Expose []json.RawMessage
	port   int
}

// exposed is a port that a Dockerfile says its image answers on.
var exposed = regexp.MustCompile(`(?im)^\s*EXPOSE\s+(\d+)`)

// answers finds the service's port, 0 for none. Published says whether the compose file publishes it.
func (s *service) answers(folder string) (port int, published bool) {
	for _, one := range s.Ports {
		if one.Protocol != "udp" {
			return one.Target, true
		}
	}
	for _, one := range s.Expose {
		if port, err := strconv.Atoi(strings.Trim(string(one), `"`)); err == nil {
			return port, false
		}
	}
	if s.Build == nil {
		return 0, false
	}
	name := s.Build.Dockerfile
	if name == "" {
		name = "Dockerfile"
	}
	// What is built from elsewhere is none of the app's files.
	context, err := filepath.Rel(folder, s.Build.Context)
	if err != nil {
		return 0, false
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return 0, false
	}
	text, err := root.ReadFile(filepath.Join(context, name))
	found := exposed.FindSubmatch(text)
	if err = errors.Join(err, root.Close()); err != nil || found == nil {
		return 0, false
	}
	port, _ = strconv.Atoi(string(found[1]))
	return port, false
}

var (
	frontends = []string{"proxy", "nginx", "caddy", "traefik", "web", "frontend", "front", "www", "ui", "site", "client", "app"}
	apis      = []string{"api", "backend", "server"}
)

// routes leads / to the service that looks most like the front, and /api/ to one that is named so. Where the compose file
// publishes ports of services, those are the ones that it wants to be reached.
func (s *Settings) routes(folder string, model []byte, plan *release.Plan) error {
	var read struct{ Services map[string]*service }
	if err := json.Unmarshal(model, &read); err != nil {
		return fmt.Errorf("read the compose file's model: %w", err)
	}
	var all, public []*service
	for _, name := range slices.Sorted(maps.Keys(read.Services)) {
		one := read.Services[name]
		one.name = name
		published := false
		if one.port, published = one.answers(folder); one.port == 0 || slices.Contains(plan.Stores, name) {
			continue
		}
		all = append(all, one)
		if published {
			public = append(public, one)
		}
	}
	if len(public) == 0 {
		public = all
	}
	if len(public) == 0 {
		return &Unguessed{
			Reason: fmt.Sprintf("no service of %s says on which port it answers (ports:, expose:, or EXPOSE in its Dockerfile), so no route can be guessed; its services: %s",
				s.ComposeFile, strings.Join(slices.Sorted(maps.Keys(read.Services)), ", ")),
			Say: "routes=web:80",
		}
	}
	front := pick(public, frontends)
	if front == nil {
		// What holds data is seldom the front.
		front = pick(public, slices.Concat(plan.Stateless, plan.Stateful))
	}
	s.Routes = []config.Route{{Path: "/", Service: front.name, Port: front.port}}
	api := pick(slices.DeleteFunc(slices.Clone(public), func(one *service) bool { return one == front }), apis)
	if api != nil {
		s.Routes = append(s.Routes, config.Route{Path: "/api/", Service: api.name, Port: api.port})
	}
	for _, one := range all {
		if one != front && one != api {
			s.Unrouted = append(s.Unrouted, fmt.Sprintf("%s:%d", one.name, one.port))
		}
	}
	return nil
}

// pick is the service whose name comes first in names, nil for none.
func pick(services []*service, names []string) *service {
	for _, name := range names {
		for _, one := range services {
			if one.name == name {
				return one
			}
		}
	}
	return nil
}
