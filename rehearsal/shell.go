package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"berth/rehearsal/awsapi"
	"berth/rehearsal/language"
	"berth/rehearsal/stack"
)

// builtProgram is where a project's program is, below the project's folder.
var builtProgram = filepath.Join("bin", "berth")

// shell runs a command, or a shell, in a folder where the pulumi command works on the rehearsal as it does on a stack in
// production: the project, the stack's settings, and the program built and run as Pulumi's host for Go does it. The aws
// command and `make doctor` work on it, too: what they ask AWS, the account answers. Settings made there stay there; the
// rehearsal's other commands have their own.
func (r *rehearsal) shell(ctx context.Context, args []string) error {
	return r.staged(ctx, stack.Operator, func(engine *stack.Stack) error {
		folder, err := r.operatorsFolder(ctx, engine)
		if err != nil {
			return err
		}
		endpoint, close, err := r.serveAWS()
		if err != nil {
			return fmt.Errorf("serve AWS: %w", err)
		}
		defer close()
		if err := wrapAWS(filepath.Join(folder, "bin"), endpoint); err != nil {
			return fmt.Errorf("point the aws command to the account: %w", err)
		}
		if len(args) == 0 {
			fmt.Printf("Here pulumi and aws work on the rehearsal, and so does the doctor: make -C %s doctor\n", r.Project)
			args = []string{"bash"}
		}
		// The command itself is looked for there, too.
		path := []string{filepath.Join(folder, "bin"), r.Bin, os.Getenv("PATH")}
		if err := os.Setenv("PATH", strings.Join(path, string(os.PathListSeparator))); err != nil {
			return err
		}
		environment := slices.Concat(elsewhere(os.Environ()), engine.Environment(), awsEnvironment(endpoint), []string{
			"BERTH_RESOLVER=" + r.world.Resolver(), "BERTH_OPERATOR=" + folder,
		})
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			// There is no one to confirm.
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

// serveAWS serves the account's API on a free port of the loopback interface.
func (r *rehearsal) serveAWS() (endpoint string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: awsapi.New(filepath.Join(r.Dir, "aws"), r.machines()), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // It ends, with an error that says so, when stop is called.
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}

// awsVariables are those by which AWS's clients find an account: the operator's own is none of a rehearsal's business.
const awsVariables = "AWS_"

// elsewhere is an environment without the variables of another account.
func elsewhere(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(pair string) bool { return strings.HasPrefix(pair, awsVariables) })
}

// awsEnvironment points AWS's clients to the rehearsal's account, and to no other.
func awsEnvironment(endpoint string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + endpoint, "AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=" + awsapi.AccessKey, "AWS_SECRET_ACCESS_KEY=" + awsapi.SecretKey,
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
	}
}

// wrapAWS puts an aws command before the machine's own, where it has one: those before 2.13 do not know AWS_ENDPOINT_URL and
// would ask AWS itself.
func wrapAWS(folder, endpoint string) error {
	wrapper := filepath.Join(folder, "aws")
	if err := os.Remove(wrapper); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	own, err := exec.LookPath("aws")
	if err != nil {
		return nil
	}
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' --endpoint-url '%s' \"$@\"\n", own, endpoint)
	return os.WriteFile(wrapper, []byte(script), 0o700)
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
	if err := hostGo(filepath.Join(engine.Home(), language.Folder)); err != nil {
		return "", fmt.Errorf("give Pulumi its host for Go: %w", err)
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

// hostGo makes this program Pulumi's host for Go, which it is by that name.
func hostGo(folder string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	plugin := filepath.Join(folder, language.Plugin)
	if err := os.Remove(plugin); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.Symlink(self, plugin)
}
