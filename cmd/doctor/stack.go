package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"go.yaml.in/yaml/v3"

	"berth/internal/config"
)

// stack is the stack's settings as Pulumi has them, and what Berth makes of them.
type stack struct {
	// name is as Pulumi's tags have it, project the project's.
	name, project string
	config        *config.Config
	problems      *config.Problems
	secrets       []string
}

// wrong is the first of these settings with which something is wrong, "" for none.
func (s *stack) wrong(keys ...string) string {
	for _, key := range keys {
		if s.problems.Concern(key) {
			return "berth:" + key
		}
	}
	return ""
}

// unreadable is why the settings cannot be read, with what fixes it.
type unreadable struct{ finding }

func (u *unreadable) Error() string { return u.Reason }

// silent keeps Pulumi from asking, and from looking for a newer one of itself.
var silent = []string{"PULUMI_SKIP_UPDATE_CHECK=true"}

func (d *doctor) runPulumi(ctx context.Context, args ...string) (string, error) {
	return run(ctx, d.folder, silent, "pulumi", append(args, "--non-interactive", "--color", "never")...)
}

// stack reads the settings, once.
func (d *doctor) stack(ctx context.Context) (*stack, error) {
	return d.settings.of(ctx, local, d.readStack)
}

func (d *doctor) readStack(ctx context.Context) (*stack, error) {
	text, err := os.ReadFile(filepath.Join(d.folder, "Pulumi.yaml"))
	if err != nil {
		return nil, err
	}
	var project struct{ Name string }
	if err := yaml.Unmarshal(text, &project); err != nil {
		return nil, fmt.Errorf("read Pulumi.yaml: %w", err)
	}
	name := d.chosen
	if name == "" {
		chosen, err := d.runPulumi(ctx, "stack", "--show-name")
		if err != nil {
			return nil, explain(err, "production")
		}
		name = strings.TrimSpace(chosen)
	}
	output, err := d.runPulumi(ctx, "config", "--show-secrets", "--json", "--stack", name)
	if err != nil {
		return nil, explain(err, name)
	}
	var listed map[string]struct {
		Value  string
		Secret bool
	}
	if err := json.Unmarshal([]byte(output), &listed); err != nil {
		return nil, errors.New("what pulumi config --json says is not what this doctor understands; is Pulumi much newer than Berth?")
	}
	read := &stack{name: name[strings.LastIndex(name, "/")+1:], project: project.Name}
	settings := map[string]string{}
	for key, setting := range listed {
		settings[key] = setting.Value
		if setting.Secret {
			read.secrets = append(read.secrets, leaves(setting.Value)...)
		}
	}
	read.config, read.problems = config.Parse(project.Name, settings, func(key string) bool { return listed[key].Secret })
	read.problems = read.problems.With(config.Stray(d.folder, project.Name, read.name, settings)...)
	return read, nil
}

// Without a login there is neither state nor settings.
var notLoggedIn = fail("pulumi-not-logged-in", "pulumi login 'file://~/berth-state?metadata=skip' (docs/state.md has the others)", "Pulumi is not logged in anywhere")

// #nosec G101 -- a command that asks for it.
const readPassphrase = "read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE"

// explain says what to do about the errors of Pulumi that most people meet first.
func explain(err error, stack string) error {
	said := err.Error()
	quoted := shellescape.Quote(stack)
	for _, known := range []struct {
		says  string
		found finding
	}{
		{"executable file not found", fail("pulumi-missing", "", "there is no pulumi on this machine to read them")},
		{"no stack selected", fail("stack-not-selected", "pulumi stack select production (or make doctor STACK=production)", "no stack is selected")},
		{"no stack named", fail("stack-missing", "pulumi stack init "+quoted, "there is no stack %s", stack)},
		{"PULUMI_ACCESS_TOKEN", notLoggedIn},
		{"this command requires logging in", notLoggedIn}, // if the variables of an AI agent are set
		{"incorrect passphrase", fail("passphrase-wrong", readPassphrase, "the passphrase is not the one that the stack's secrets are encrypted with")},
		{"PULUMI_CONFIG_PASSPHRASE", fail("passphrase-missing", readPassphrase, "the passphrase of the stack's secrets is missing")},
	} {
		if strings.Contains(said, known.says) {
			return &unreadable{known.found}
		}
	}
	return err
}

// shortestSecret is the length from which a value is distinguished from an ordinary word, in bytes.
const shortestSecret = 4

// leaves are the texts in a secret value, which may be JSON, and their lines.
func leaves(value string) (texts []string) {
	var parsed any
	if json.Unmarshal([]byte(value), &parsed) == nil {
		switch parsed := parsed.(type) {
		case map[string]any:
			for _, item := range parsed {
				texts = append(texts, leaves(fmt.Sprint(item))...)
			}
			return texts
		case []any:
			for _, item := range parsed {
				texts = append(texts, leaves(fmt.Sprint(item))...)
			}
			return texts
		}
	}
	for _, line := range append(strings.Split(value, "\n"), value) {
		if line = strings.TrimSpace(line); len(line) >= shortestSecret && !strings.HasPrefix(line, "-----") {
			texts = append(texts, line)
		}
	}
	return texts
}

// secrets are all that the doctor knows of, the longest first.
func (d *doctor) secrets() []string {
	var all []string
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_ACCESS_TOKEN"} {
		if value := os.Getenv(name); len(value) >= shortestSecret {
			all = append(all, value)
		}
	}
	if read := d.settings.now(); read != nil {
		all = append(all, read.secrets...)
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// stackName is the stack that was checked, if it is known.
func (d *doctor) stackName() string {
	if read := d.settings.now(); read != nil {
		return read.name
	}
	return d.chosen
}
