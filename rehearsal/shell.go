package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/term"

	"berth/rehearsal/language"
	"berth/rehearsal/stack"
)

// builtProgram is where a project's program is, below the project's folder.
var builtProgram = filepath.Join("bin", "berth")

// shell runs a command, or a shell, in a folder where the pulumi command works on the rehearsal as it does on a stack in
// production: the project, the stack's settings, and the program built and run as Pulumi's host for Go does it. Settings
// made there stay there; the rehearsal's other commands have their own.
func (r *rehearsal) shell(ctx context.Context, args []string) error {
	return r.staged(ctx, func(engine *stack.Stack) error {
		folder, err := r.operatorsFolder(ctx, engine)
		if err != nil {
			return err
		}
		port, stop, err := language.Serve(builtProgram)
		if err != nil {
			return fmt.Errorf("serve the host for Go: %w", err)
		}
		defer stop()
		if len(args) == 0 {
			args = []string{"bash"}
		}
		// The command itself is looked for there, too.
		if err := os.Setenv("PATH", r.Bin+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
			return err
		}
		environment := append(append(os.Environ(), engine.Environment()...), fmt.Sprintf("PULUMI_DEBUG_LANGUAGES=go:%d", port))
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			// Nobody is there to confirm.
			environment = append(environment, "PULUMI_SKIP_CONFIRMATIONS=true")
		}
		choose := exec.CommandContext(ctx, "pulumi", "stack", "select", stack.Name)
		choose.Dir, choose.Env = folder, environment
		if output, err := choose.CombinedOutput(); err != nil {
			return fmt.Errorf("choose the stack: %w:\n%s", err, output)
		}
		command := exec.CommandContext(ctx, args[0], args[1:]...)
		command.Dir, command.Env = folder, environment
		return pass(command)
	})
}

// operatorsFolder makes what an operator has: the project's file, the stack's, and the program.
func (r *rehearsal) operatorsFolder(ctx context.Context, engine *stack.Stack) (string, error) {
	folder := filepath.Join(r.Dir, "operator")
	if err := os.MkdirAll(filepath.Join(folder, "bin"), 0o700); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(folder, builtProgram), ".")
	build.Dir = r.Project
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w:\n%s", err, output)
	}
	project, err := os.ReadFile(filepath.Join(r.Project, "Pulumi.yaml"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(folder, "Pulumi.yaml"), project, 0o600); err != nil {
		return "", err
	}
	settings := filepath.Join(folder, "Pulumi."+stack.Name+".yaml")
	if _, err := os.Stat(settings); !errors.Is(err, fs.ErrNotExist) {
		return folder, err
	}
	text, err := os.ReadFile(engine.SettingsFile())
	if err != nil {
		return "", err
	}
	return folder, os.WriteFile(settings, text, 0o600)
}
