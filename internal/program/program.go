// Package program is the one program that both `pulumi up` and the rehearsal run: configuration, then what AWS
// holds, then what happens on the server, then the outputs.
package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra"
	"berth/internal/config"
	"berth/internal/plain"
	"berth/internal/release"
	"berth/internal/release/compose"
	"berth/internal/release/git"
	"berth/internal/state"
	"berth/provision"
)

// Run returns the program for a stack whose whole configuration is settings: Pulumi's map of namespaced keys
// ("berth:domain") to values, lists and objects as JSON text.
func Run(settings map[string]string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		if err := declareAll(ctx, settings); err != nil {
			return refusedError{err}
		}
		return nil
	}
}

// refusedError is an error as Pulumi may show it: compose files, git hosts and others had their say in it.
type refusedError struct{ error }

func (e refusedError) Error() string { return plain.Text(e.error.Error()) }

func (e refusedError) Unwrap() error { return e.error }

func declareAll(ctx *pulumi.Context, settings map[string]string) error {
	cfg, problems := config.Parse(ctx.Project(), settings, ctx.IsConfigSecret)
	if problems = problems.With(config.Stray(ctx.RootDirectory(), ctx.Project(), ctx.Stack(), settings)...); problems != nil {
		return problems
	}
	// Both are done while the git host is asked.
	state.Ahead(ctx)
	provision.Ahead()
	chosen, err := selectCommit(ctx, cfg)
	if err != nil {
		return err
	}
	all, err := declared(ctx)
	if err != nil {
		return err
	}
	if err := explainAWSErrors(ctx, cfg); err != nil {
		return err
	}
	environment, err := infra.New(ctx, cfg)
	if err != nil {
		return err
	}
	app, err := release.Settings(cfg)
	if err != nil {
		return err
	}
	host, err := provision.New(ctx, cfg, environment, provision.Release{
		Commit: chosen.SHA, App: app, Plan: chosen.Plan.Document, Variables: compose.Environment(chosen.Variables), KnownHosts: git.KnownHosts(cfg),
	})
	if err != nil {
		return err
	}
	if err := protect(ctx, cfg, *all); err != nil {
		return err
	}
	return export(ctx, cfg, environment, host, chosen.Variables)
}

// selectCommit resolves the commit and plans its release: what cannot be released is found before anything is touched, and a
// preview says what would go out. An update releases what its own preview showed, though the branch may have moved on since.
func selectCommit(ctx *pulumi.Context, cfg *config.Config) (*release.Release, error) {
	repo, err := git.Open(cfg)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	commit := repo.Shown()
	var made *release.Release
	if commit != "" && !ctx.DryRun() {
		made, err = release.Make(ctx.Context(), cfg, repo, commit)
	} else {
		commit, made, err = resolve(ctx.Context(), cfg, repo)
	}
	if err != nil {
		return nil, err
	}
	if ctx.DryRun() {
		err = errors.Join(made.Announce(ctx, cfg, repo), repo.Show(commit), handOn(commit))
	}
	return made, err
}

// resolve asks the git host for the commit and plans its release. Most often the ref names what it named before, which is planned
// while the git host is asked.
func resolve(ctx context.Context, cfg *config.Config, repo *git.Repository) (commit string, made *release.Release, err error) {
	early, cancel := context.WithCancel(ctx)
	defer cancel()
	// They use the repository, which whoever called closes.
	var asking, ahead sync.WaitGroup
	asking.Go(func() { commit, err = repo.Resolve(ctx) })
	known := repo.Known(ctx)
	var planned *release.Release
	var refused error
	if known != "" {
		ahead.Go(func() { planned, refused = release.Make(early, cfg, repo, known) })
	}
	asking.Wait()
	if commit != known {
		cancel()
	}
	ahead.Wait()
	if err != nil {
		return "", nil, err
	}
	if commit == known {
		return commit, planned, refused
	}
	made, err = release.Make(ctx, cfg, repo, commit)
	return commit, made, err
}

// handOn writes the commit that a preview shows to the file that BERTH_COMMIT_FILE names, for a later job whose 'pulumi up' is to
// release that one and no newer.
func handOn(commit string) error {
	file := os.Getenv("BERTH_COMMIT_FILE")
	if file == "" {
		return nil
	}
	// #nosec G703 -- whoever runs the program names the file, and is the one who may write it.
	if err := os.WriteFile(file, []byte(commit+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the commit to the file that BERTH_COMMIT_FILE names: %w", err)
	}
	return nil
}

// Settings reads the stack's configuration as Pulumi hands it to a program's process.
func Settings() (map[string]string, error) {
	settings := map[string]string{}
	text := os.Getenv(pulumi.EnvConfig)
	if text == "" {
		return settings, nil
	}
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return nil, fmt.Errorf("read the stack's configuration from %s: %w", pulumi.EnvConfig, err)
	}
	return settings, nil
}
