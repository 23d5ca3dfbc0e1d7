// eject writes the release of a stack as Kubernetes manifests, for who goes on there. It changes nothing on AWS, and writes no
// secret's value.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"berth/cmd/eject/kubernetes"
	"berth/internal/config"
	"berth/internal/plain"
	"berth/internal/release"
	"berth/internal/release/git"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := eject(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "eject:", plain.Text(err.Error()))
		os.Exit(1)
	}
}

func eject(ctx context.Context, args []string, out io.Writer) error {
	var at place
	flags := flag.NewFlagSet("eject", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&at.stack, "stack", "", "the stack (default: the one that is selected)")
	flags.StringVar(&at.folder, "settings", ".", "the folder of Pulumi.yaml and the stack's settings")
	into := flags.String("into", "", "the folder to write to, which must be new or empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *into == "" {
		return errors.New("usage: eject --into FOLDER [--stack NAME] [--settings FOLDER]")
	}
	if err := empty(*into); err != nil {
		return err
	}
	cfg, err := at.read(ctx)
	if err != nil {
		return err
	}
	files, err := manifests(ctx, cfg)
	if err != nil {
		return err
	}
	if err := write(*into, files); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d files in %s; read its NOTES.md first: what to create before, and what does not carry over\n", len(files), *into)
	return nil
}

// hide puts placeholders where the values of secrets are, before anything is made from them.
func hide(cfg *config.Config) *config.Config {
	hidden := *cfg
	hidden.Secrets = map[string]string{}
	for name := range cfg.Secrets {
		hidden.Secrets[name] = kubernetes.Placeholder(name)
	}
	return &hidden
}

// manifests plans the release of the newest commit, as a preview does, and writes it as manifests.
func manifests(ctx context.Context, given *config.Config) (files map[string][]byte, err error) {
	cfg := hide(given)
	repo, err := git.Open(cfg)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	sha, err := repo.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	made, err := release.Make(ctx, cfg, repo, sha)
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp("", "berth-eject-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the commit: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	folder := filepath.Join(root, "source")
	if err := repo.Checkout(ctx, sha, folder); err != nil {
		return nil, err
	}
	return kubernetes.Make(&kubernetes.Given{Config: cfg, Commit: sha, Plan: made.Plan.Document, Folder: folder, Jobs: cfg.Jobs})
}

// empty refuses a folder that holds something: what an earlier run wrote would stay between the new files.
func empty(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("look into %s: %w", folder, err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty, so nothing was written; name a new folder: make eject INTO=FOLDER", folder)
	}
	return nil
}

func write(into string, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(into, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		// #nosec G306 -- no secret's value is in it, and a repository is where it goes.
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
