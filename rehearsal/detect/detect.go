// Package detect reads from an app's own files what a stack of it would be set to: a first set of settings, to be looked
// at by the one who knows the app.
package detect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"berth/internal/config"
	"berth/internal/release"
	"berth/internal/release/compose"
)

// Settings are what was guessed.
type Settings struct {
	// ComposeFiles are their paths in the app's folder.
	ComposeFiles []string
	Routes       []config.Route
	// Unrouted are services that answer on a port and without a route, as "SERVICE:PORT".
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

// Given is what is known already and need not be guessed.
type Given struct {
	Variables map[string]string
	// ComposeFiles are their paths in the app's folder, none where one is to be looked for.
	ComposeFiles []string
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
	guessed := &Settings{Environment: map[string]string{}, Secrets: map[string]Secret{}, ComposeFiles: given.ComposeFiles}
	for _, name := range composeFiles {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil && len(guessed.ComposeFiles) == 0 {
			guessed.ComposeFiles = []string{name}
		}
	}
	if len(guessed.ComposeFiles) == 0 {
		return nil, &Unguessed{Reason: fmt.Sprintf("the app has no compose file at its top; looked for %s", strings.Join(composeFiles, ", ")), Say: "composeFile=deploy/compose.yaml"}
	}
	texts := make([][]byte, len(guessed.ComposeFiles))
	for i, file := range guessed.ComposeFiles {
		if texts[i], err = readIn(folder, file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err // Load says of one that is not there how to name it.
		}
	}
	source := compose.ReadSource(texts...)
	known, err := guessed.variables(folder, bytes.Join(texts, nil), source, given.Variables)
	if err != nil {
		return nil, err
	}
	model, err := compose.Load(ctx, folder, guessed.ComposeFiles, known, nil)
	if err != nil {
		return nil, err
	}
	// The plan is asked only which services hold data; the route has no target yet, which does not matter.
	unset := &config.Config{ReleaseStrategy: config.BlueGreen, Routes: []config.Route{{Path: "/"}}}
	plan, err := release.MakePlan(unset, release.Commit{SHA: "detected", Folder: folder, Model: model.JSON, Tree: func(path string) (string, error) {
		if _, err := os.Stat(filepath.Join(folder, filepath.FromSlash(path))); err != nil {
			return "", nil // What is not there has no hash.
		}
		return "there", nil
	}})
	if err != nil {
		return nil, err
	}
	var unguessed *Unguessed
	if err := guessed.routes(folder, model, source, plan); err != nil && !(given.Routed && errors.As(err, &unguessed)) {
		return nil, err
	}
	return guessed, nil
}

// readIn reads a file of a folder: an app may be a stranger's, and a link does not point out of it.
func readIn(folder, name string) ([]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	text, err := root.ReadFile(filepath.FromSlash(name))
	return text, errors.Join(err, root.Close())
}
