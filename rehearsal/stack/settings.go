package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// Setting is one setting of the stack, without its namespace.
type Setting struct {
	// Path is Pulumi's: "volumeSize", "routes[0].port", "secrets.TOKEN".
	Path, Value string
	// Secret settings are stored encrypted.
	Secret bool
}

// configure makes the settings the stack's whole configuration and reads it back into all, as the engine hands it to
// a program: so the program sees what a stack file would give it.
func configure(ctx context.Context, stack auto.Stack, settings []Setting, all map[string]string) error {
	// What an earlier run set and this one does not is taken back.
	file, err := stack.Workspace().StackSettings(ctx, stack.Name())
	if err == nil {
		file.Config = nil
		err = stack.Workspace().SaveStackSettings(ctx, stack.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("begin the stack's settings anew: %w", err)
	}
	values := auto.ConfigMap{}
	for _, setting := range settings {
		if setting.Secret {
			if err := configureSecret(ctx, stack, setting); err != nil {
				return err
			}
			continue
		}
		values["berth:"+setting.Path] = auto.ConfigValue{Value: setting.Value}
	}
	if err := stack.SetAllConfigWithOptions(ctx, values, &auto.ConfigOptions{Path: true}); err != nil {
		return fmt.Errorf("write the stack's settings: %w", err)
	}
	config, err := stack.GetAllConfig(ctx)
	if err != nil {
		return fmt.Errorf("read the stack's settings: %w", err)
	}
	for key, value := range config {
		all[key] = value.Value
	}
	return nil
}

// configureSecret sets a secret by the CLI's standard input, as an operator does: the Automation API has only arguments for
// it, which every user of the machine sees.
func configureSecret(ctx context.Context, stack auto.Stack, setting Setting) error {
	workspace := stack.Workspace()
	environment := []string{"PULUMI_HOME=" + workspace.PulumiHome()}
	for name, value := range workspace.GetEnvVars() {
		environment = append(environment, name+"="+value)
	}
	_, said, _, err := workspace.PulumiCommand().Run(ctx, workspace.WorkDir(), strings.NewReader(setting.Value), nil, nil, environment,
		"config", "set", "--stack", stack.Name(), "--path", "--secret", "--non-interactive", "berth:"+setting.Path)
	if err != nil {
		return fmt.Errorf("write the stack's setting %s: %w: %s", setting.Path, err, said)
	}
	return nil
}
