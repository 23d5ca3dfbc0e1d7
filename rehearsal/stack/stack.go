// Package stack runs the production program through the real Pulumi engine, with a local backend and the
// rehearsal's providers attached.
package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/term"

	"berth/internal/program"
	"berth/rehearsal/aws"
	"berth/rehearsal/command"
)

// Name is the rehearsal's stack, in project berth.
const Name = "rehearsal"

// Options say where a stack lives and what it talks to.
type Options struct {
	// Dir is the folder of the rehearsal's state.
	Dir string
	// Pulumi is the path of the Pulumi CLI.
	Pulumi string
	// Project is the folder with Berth's Pulumi.yaml.
	Project string
	// CommandProvider is auto, real or stand-in.
	CommandProvider string
	// World is the ground under the AWS stand-in.
	World aws.World
	// Settings are the stack's configuration.
	Settings []Setting
	// Role is whose permissions in the account the providers have: Deployer, Previewer or Operator.
	Role string
	// Exclusive keeps other exclusive commands off the rehearsal until Close.
	Exclusive bool
}

// Stack is the rehearsal's stack with its providers.
type Stack struct {
	stack     auto.Stack
	providers *providers
	held      *flock.Flock
	// home is Pulumi's own folder, variables are those of the CLI's environment.
	home      string
	variables map[string]string
}

// Open selects the stack, making it when there is none, writes its settings and starts the providers. Close stops
// them.
func Open(ctx context.Context, options Options) (*Stack, error) {
	project, err := loadProject(options)
	if err != nil {
		return nil, err
	}
	passphrase, err := keptSecret(filepath.Join(options.Dir, "passphrase"))
	if err != nil {
		return nil, err
	}
	work, home, backend := filepath.Join(options.Dir, "workspace"), filepath.Join(options.Dir, "pulumi-home"), filepath.Join(options.Dir, "backend")
	for _, folder := range []string{work, home, backend} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	cli, err := newCLI(options.Pulumi, backend, string(project.Name))
	if err != nil {
		return nil, fmt.Errorf("use the Pulumi CLI %s: %w; build it: make tools", options.Pulumi, err)
	}
	var held *flock.Flock
	if options.Exclusive {
		if held, err = lock(options.Dir); err != nil {
			return nil, err
		}
	}
	providers, err := startProviders(options)
	if err != nil {
		return nil, err
	}
	variables := map[string]string{
		"PULUMI_CONFIG_PASSPHRASE":                    passphrase,
		"PULUMI_SKIP_UPDATE_CHECK":                    "true",
		"PULUMI_DEBUG_PROVIDERS":                      providers.attach(),
		"PULUMI_BACKEND_URL":                          "file://" + backend + "?metadata=skip",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		// An installed CLI has a Go language host beside it on the PATH, which would take the place of the rehearsal's.
		"PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
	}
	if providers.realCommand != "" {
		if err := command.InstallReal(home, providers.realCommand); err != nil {
			providers.stop()
			return nil, fmt.Errorf("use the command provider %s: %w", providers.realCommand, err)
		}
	}
	// The program's settings are those of the stack, which the workspace knows only once it is open.
	settings := map[string]string{}
	stack, err := auto.UpsertStackInlineSource(ctx, Name, string(project.Name), func(ctx *pulumi.Context) error { return program.Run(settings)(ctx) },
		auto.Pulumi(cli), auto.WorkDir(work), auto.PulumiHome(home), auto.Project(*project), auto.EnvVars(variables),
		auto.SecretsProvider("passphrase"))
	if err == nil && options.Exclusive {
		err = releaseStale(ctx, stack, options.Dir)
	}
	if err == nil {
		err = configure(ctx, stack, options.Settings, filepath.Join(options.Dir, "settings.known"), settings)
	}
	if err == nil {
		var role *aws.Role
		role, err = roleOf(options.Role, filepath.Join(options.Dir, "aws"), settings)
		providers.account.As(role)
	}
	if err != nil {
		providers.stop()
		return nil, fmt.Errorf("open the stack: %w", err)
	}
	variables["PULUMI_HOME"] = home
	return &Stack{stack: stack, providers: providers, held: held, home: home, variables: variables}, nil
}

// Home is the folder in which Pulumi keeps its plugins.
func (s *Stack) Home() string { return s.home }

// Environment is what the CLI needs to work on this stack beside the rehearsal's own commands, as NAME=value.
func (s *Stack) Environment() []string {
	var all []string
	for name, value := range s.variables {
		all = append(all, name+"="+value)
	}
	return all
}

// SettingsFile is the file with the stack's configuration, as the rehearsal's own commands write it.
func (s *Stack) SettingsFile() string {
	return filepath.Join(s.stack.Workspace().WorkDir(), "Pulumi."+Name+".yaml")
}

// Close stops the providers and lets others at the rehearsal.
func (s *Stack) Close() {
	s.providers.stop()
	if s.held != nil {
		_ = s.held.Unlock() // The end of the process unlocks it in any case.
	}
}

// Connections counts the SSH connections that the command provider has opened; -1 where the real provider runs,
// which does not say.
func (s *Stack) Connections() int64 {
	if s.providers.command == nil {
		return -1
	}
	return s.providers.command.Connections()
}

// Up creates or updates the environment and returns its outputs.
func (s *Stack) Up(ctx context.Context) (map[string]string, error) {
	result, err := s.stack.Up(ctx, optup.ProgressStreams(os.Stdout), optup.ErrorProgressStreams(os.Stderr), optup.Color(color()))
	if err != nil {
		return nil, brief("up", err)
	}
	return texts(result.Outputs), nil
}

// Preview shows what Up would change.
func (s *Stack) Preview(ctx context.Context) error {
	_, err := s.stack.Preview(ctx, optpreview.ProgressStreams(os.Stdout), optpreview.ErrorProgressStreams(os.Stderr), optpreview.Color(color()))
	return brief("preview", err)
}

// Refresh reads the account's state back into the stack.
func (s *Stack) Refresh(ctx context.Context) error {
	_, err := s.stack.Refresh(ctx, optrefresh.ProgressStreams(os.Stdout), optrefresh.ErrorProgressStreams(os.Stderr), optrefresh.Color(color()))
	return brief("refresh", err)
}

// Destroy tears the environment down.
func (s *Stack) Destroy(ctx context.Context) error {
	_, err := s.stack.Destroy(ctx, optdestroy.ProgressStreams(os.Stdout), optdestroy.ErrorProgressStreams(os.Stderr), optdestroy.Color(color()))
	return brief("destroy", err)
}

func texts(outputs auto.OutputMap) map[string]string {
	values := map[string]string{}
	for name, output := range outputs {
		if text, ok := output.Value.(string); ok {
			values[name] = text
		}
	}
	return values
}

// brief drops the engine's whole output from an error, since it has been shown already.
func brief(verb string, err error) error {
	if err == nil {
		return nil
	}
	// What the Automation API refuses itself has no output.
	if !strings.Contains(err.Error(), "\nstdout: ") {
		return fmt.Errorf("pulumi %s was not run: %w", verb, err)
	}
	return fmt.Errorf("pulumi %s failed; the lines above say why; here 'pulumi config set berth:NAME VALUE' is make rehearse SET=NAME=VALUE, and 'pulumi config rm' is SET=NAME-", verb)
}

func color() string {
	if term.IsTerminal(int(os.Stdout.Fd())) {
		return "always"
	}
	return "never"
}

func loadProject(options Options) (*workspace.Project, error) {
	project, err := workspace.LoadProject(filepath.Join(options.Project, "Pulumi.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the project: %w; run this in Berth's folder, or name it with --project", err)
	}
	// The program is inline; only the description and the settings' types are taken from the file.
	project.Name = tokens.PackageName("berth")
	project.Main, project.Template = "", nil
	return project, nil
}

// keptSecret reads a secret that is made on first use.
func keptSecret(file string) (string, error) {
	if text, err := os.ReadFile(file); err == nil {
		return string(text), nil
	}
	secret := rand.Text()
	return secret, os.WriteFile(file, []byte(secret), 0o600)
}
