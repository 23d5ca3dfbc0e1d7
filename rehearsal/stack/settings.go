package stack

import (
	"context"
	"fmt"

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
		values["berth:"+setting.Path] = auto.ConfigValue{Value: setting.Value, Secret: setting.Secret}
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
