package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"berth/internal/config"
)

// place is where a stack's settings are.
type place struct{ folder, stack string }

// read reads the settings as a preview does, the secrets among them: which there are, their values alone say.
func (p *place) read(ctx context.Context) (*config.Config, error) {
	written, err := os.ReadFile(filepath.Join(p.folder, "Pulumi.yaml"))
	if err != nil {
		return nil, err
	}
	var project struct{ Name string }
	if err := yaml.Unmarshal(written, &project); err != nil {
		return nil, fmt.Errorf("read Pulumi.yaml: %w", err)
	}
	if p.stack == "" {
		chosen, err := p.pulumi(ctx, "stack", "--show-name")
		if err != nil {
			return nil, fmt.Errorf("ask Pulumi which stack is selected: %w; name one: make eject STACK=production", err)
		}
		p.stack = strings.TrimSpace(chosen)
	}
	output, err := p.pulumi(ctx, "config", "--show-secrets", "--json", "--stack", p.stack)
	if err != nil {
		return nil, fmt.Errorf("read the settings of stack %s: %w; see with: make doctor STACK=%s", p.stack, err, p.stack)
	}
	var listed map[string]struct {
		Value  string
		Secret bool
	}
	if err := json.Unmarshal([]byte(output), &listed); err != nil {
		return nil, errors.New("what pulumi config --json says is not understood; is Pulumi much newer than Berth?")
	}
	settings := map[string]string{}
	for key, setting := range listed {
		settings[key] = setting.Value
	}
	cfg, problems := config.Parse(project.Name, settings, func(key string) bool { return listed[key].Secret })
	if problems = problems.With(config.Stray(p.folder, project.Name, p.stack[strings.LastIndex(p.stack, "/")+1:], settings)...); problems != nil {
		return nil, problems
	}
	return cfg, nil
}

// pulumi runs the CLI. Its errors name no value of a secret; its output, which does, goes nowhere.
func (p *place) pulumi(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "pulumi", append(args, "--non-interactive", "--color", "never")...)
	command.Dir, command.Env = p.folder, append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true")
	var said bytes.Buffer
	command.Stderr = &said
	output, err := command.Output()
	if err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			err = errors.New(text)
		}
		return "", err
	}
	return string(output), nil
}
