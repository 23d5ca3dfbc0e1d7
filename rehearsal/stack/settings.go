package stack

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Setting is one setting of the stack, without its namespace.
type Setting struct {
	// Path is Pulumi's: "volumeSize", "routes[0].port", "secrets.TOKEN".
	Path, Value string
	// Secret settings are stored encrypted.
	Secret bool
}

// configured is what a stack's file was last written from, and the configuration that it gives.
type configured struct {
	Sum    string
	Config map[string]string
}

// configure makes the settings the stack's whole configuration and reads it back into all, as the engine hands it to
// a program: so the program sees what a stack file would give it. The file known has what was read back last: each call of the CLI takes
// a fifth of a second, and most runs have the settings of the one before. It holds secrets, as the files beside it do.
func configure(ctx context.Context, stack auto.Stack, settings []Setting, known string, all map[string]string) error {
	settings, err := ordered(settings)
	if err != nil {
		return err
	}
	folder := stack.Workspace().WorkDir()
	// The project's file has defaults.
	files := []string{filepath.Join(folder, "Pulumi."+stack.Name()+".yaml"), filepath.Join(folder, "Pulumi.yaml")}
	text, err := os.ReadFile(known)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var last configured
	now, err := fingerprint(settings, files)
	if err != nil {
		return err
	}
	// What does not read is written again.
	if json.Unmarshal(text, &last) != nil || last.Sum != now {
		if last, err = reconfigure(ctx, stack, settings, files); err != nil {
			return err
		}
		if text, err = json.Marshal(last); err != nil {
			return err
		}
		if err := os.WriteFile(known, text, 0o600); err != nil {
			return err
		}
	}
	maps.Copy(all, last.Config)
	return nil
}

// reconfigure writes the stack's file and reads it back.
func reconfigure(ctx context.Context, stack auto.Stack, settings []Setting, files []string) (configured, error) {
	if err := write(ctx, stack, settings); err != nil {
		return configured{}, err
	}
	sum, err := fingerprint(settings, files)
	if err != nil {
		return configured{}, err
	}
	config, err := stack.GetAllConfig(ctx)
	if err != nil {
		return configured{}, fmt.Errorf("read the stack's settings: %w", err)
	}
	made := configured{Sum: sum, Config: map[string]string{}}
	for key, value := range config {
		made.Config[key] = value.Value
	}
	return made, nil
}

// fingerprint is of settings and of the files that they are in.
func fingerprint(settings []Setting, files []string) (string, error) {
	given, err := json.Marshal(settings)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		given = fmt.Appendf(given, "\n%d\n%s", len(text), text)
	}
	return fmt.Sprintf("%x", sha256.Sum256(given)), nil
}

// write writes settings into the stack's file, in their order.
func write(ctx context.Context, stack auto.Stack, settings []Setting) error {
	// What an earlier run set and this one does not is taken back.
	file, err := stack.Workspace().StackSettings(ctx, stack.Name())
	if err == nil {
		file.Config = nil
		err = stack.Workspace().SaveStackSettings(ctx, stack.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("reset the stack's settings: %w", err)
	}
	for len(settings) > 0 {
		end := slices.IndexFunc(settings, func(s Setting) bool { return s.Secret })
		switch {
		case end == 0:
			end, err = 1, configureSecret(ctx, stack, settings[0])
		case end < 0:
			end = len(settings)
			fallthrough
		default:
			err = configurePlain(ctx, stack, settings[:end])
		}
		if err != nil {
			return err
		}
		settings = settings[end:]
	}
	return nil
}

// ordered brings settings into the order in which Pulumi takes them: the elements of a list one after the other. One that
// comes later takes the place of those that it cannot exist beside: at its own path, below it and above it.
func ordered(settings []Setting) ([]Setting, error) {
	type one struct {
		Setting
		path resource.PropertyPath
	}
	var all []one
	for _, setting := range settings {
		path, err := resource.ParsePropertyPath(setting.Path)
		if err != nil {
			return nil, fmt.Errorf("read the name of the setting %s: %w", setting.Path, err)
		}
		all = slices.DeleteFunc(all, func(before one) bool { return path.Contains(before.path) || before.path.Contains(path) })
		all = append(all, one{setting, path})
	}
	slices.SortStableFunc(all, func(a, b one) int { return slices.CompareFunc(a.path, b.path, compareKeys) })
	sorted := make([]Setting, len(all))
	for i := range all {
		sorted[i] = all[i].Setting
	}
	return sorted, nil
}

// compareKeys compares two elements of paths: the index of a list, or a key.
func compareKeys(a, b any) int {
	left, isIndex := a.(int)
	right, areBoth := b.(int)
	if isIndex && areBoth {
		return cmp.Compare(left, right)
	}
	return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// configurePlain sets settings in their order. The Automation API itself takes a map, whose order changes from run to run,
// and Pulumi refuses the third element of a list before it has the second.
func configurePlain(ctx context.Context, stack auto.Stack, settings []Setting) error {
	args := []string{"config", "set-all", "--stack", stack.Name(), "--path", "--non-interactive"}
	for _, setting := range settings {
		args = append(args, "--plaintext", "berth:"+setting.Path+"="+setting.Value)
	}
	if said, err := run(ctx, stack, "", args...); err != nil {
		return fmt.Errorf("write the stack's settings: %w: %s", err, said)
	}
	return nil
}

// configureSecret sets a secret by the CLI's standard input, as an operator does: the Automation API has only arguments for
// it, which every user of the machine sees.
func configureSecret(ctx context.Context, stack auto.Stack, setting Setting) error {
	said, err := run(ctx, stack, setting.Value, "config", "set", "--stack", stack.Name(), "--path", "--secret", "--non-interactive", "berth:"+setting.Path)
	if err != nil {
		return fmt.Errorf("write the stack's setting %s: %w: %s", setting.Path, err, said)
	}
	return nil
}

// run runs the CLI on the stack's project and returns what it says when it fails.
func run(ctx context.Context, stack auto.Stack, input string, args ...string) (said string, err error) {
	workspace := stack.Workspace()
	environment := []string{"PULUMI_HOME=" + workspace.PulumiHome()}
	for name, value := range workspace.GetEnvVars() {
		environment = append(environment, name+"="+value)
	}
	_, said, _, err = workspace.PulumiCommand().Run(ctx, workspace.WorkDir(), strings.NewReader(input), nil, nil, environment, args...)
	return said, err
}
