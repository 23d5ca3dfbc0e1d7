// Package release is what an operator's machine says of a release before anything is touched: what keeps the app from
// being released, which commits go out, and what happens to its services.
package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"berth/internal/config"
	"berth/internal/release/compose"
	"berth/internal/release/git"
)

// Release is one commit as it would go out.
type Release struct {
	SHA  string
	Plan *Plan
	// Advice is what would better be otherwise in the app's files, as "FILE:LINE: sentence".
	Advice []string
	// volumes are those that the plan was made with.
	volumes map[string][]string
}

// Make reads a commit of the repository and plans its release. The error names everything that keeps it from going
// out, each with how to fix it.
func Make(ctx context.Context, cfg *config.Config, repo *git.Repository, sha string) (*Release, error) {
	return makeWith(ctx, cfg, repo, sha, nil)
}

// deep lies between a preview's folder and the checkout, so that what the app reaches by ".." is seen to be there, and is not
// taken for a file of the server.
var deep = strings.Repeat("up/", 16)

// makeWith is Make with the volumes that the images of services declare themselves, as far as they are known.
func makeWith(ctx context.Context, cfg *config.Config, repo *git.Repository, sha string, volumes map[string][]string) (*Release, error) {
	if err := repo.Fetch(ctx, sha); err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp("", "berth-preview-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the preview: %w", err)
	}
	defer os.RemoveAll(root)
	folder := filepath.Join(root, deep, "source")
	if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the preview: %w", err)
	}
	if err := repo.Checkout(ctx, sha, folder); err != nil {
		return nil, err
	}
	problems, err := missing(ctx, cfg, repo, sha)
	if err != nil {
		return nil, err
	}
	made, err := planCommit(ctx, cfg, repo, Commit{SHA: sha, Folder: folder, Root: root, ImageVolumes: volumes})
	if err != nil {
		// With a variable missing, what Compose has against the file is often just that.
		return nil, refusal(sha, append(problems, outOf(root, err.Error())))
	}
	if problems = append(problems, made.Problems...); len(problems) > 0 {
		return nil, refusal(sha, problems)
	}
	advice, err := advise(cfg, folder, made)
	return &Release{SHA: sha, Plan: made, Advice: advice, volumes: volumes}, err
}

func refusal(sha string, problems []string) error {
	return fmt.Errorf("commit %.12s cannot be released as it is; nothing was touched:\n  - %s", sha, strings.Join(problems, "\n  - "))
}

// missing are the variables that the app's .env.example names and the stack lacks, as problems.
func missing(ctx context.Context, cfg *config.Config, repo *git.Repository, sha string) ([]string, error) {
	var problems []string
	for _, file := range examples(cfg) {
		text, err := repo.File(ctx, sha, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		have := map[string]bool{}
		for variable := range cfg.Variables() {
			have[variable] = true
		}
		for _, variable := range compose.Missing(text, have) {
			problems = append(problems, fmt.Sprintf("%s names the variable %s, which the stack lacks; set it: pulumi config set --path berth:environment.%s VALUE; or, for a secret: pulumi config set --secret --path berth:secrets.%s",
				file, variable, variable, variable))
		}
		break
	}
	return problems, nil
}

// laptop matches env files that are meant for a developer's machine.
var laptop = regexp.MustCompile(`(^|/)\.env\.(dev|development|local|test)(\.local)?$`)

// outOf has a text name what lies in a preview's folder and not in its checkout as a compose file would.
func outOf(root, text string) string {
	return regexp.MustCompile(regexp.QuoteMeta(root)+`(/up)*/`).ReplaceAllString(text, "../")
}

// planCommit plans the release of a commit; its model and its tree are filled in.
func planCommit(ctx context.Context, cfg *config.Config, repo *git.Repository, commit Commit) (*Plan, error) {
	if _, err := os.Stat(filepath.Join(commit.Folder, filepath.FromSlash(cfg.ComposeFile))); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("it has no %s; name the file: pulumi config set berth:composeFile compose.yaml", cfg.ComposeFile)
	}
	model, err := compose.Load(ctx, commit.Folder, cfg.ComposeFile, cfg.Variables())
	if err != nil {
		return nil, err
	}
	commit.Model, commit.EnvFiles, commit.LabelFiles = model.JSON, model.EnvFiles, model.LabelFiles
	if commit.Links, err = repo.Links(ctx, commit.SHA); err != nil {
		return nil, err
	}
	commit.Tree = func(at string) (string, error) {
		if onlyKept(filepath.Join(commit.Folder, filepath.FromSlash(at))) {
			return "", nil
		}
		hash, _, err := repo.Tree(ctx, commit.SHA, at)
		return hash, err
	}
	made, err := MakePlan(cfg, commit)
	if err != nil {
		return nil, err
	}
	made.Problems = append(made.Problems, filesOut(cfg, commit.Root, model.EnvFiles)...)
	made.Problems = append(made.Problems, filesOut(cfg, commit.Root, model.LabelFiles)...)
	return made, nil
}

// filesOut says which of the files that services read (by the services' names) do not go out with the commit.
func filesOut(cfg *config.Config, root string, files map[string][]string) (problems []string) {
	for _, service := range slices.Sorted(maps.Keys(files)) {
		for _, file := range files[service] {
			if out := outOf(root, file); out != file {
				problems = append(problems, fmt.Sprintf("service %s reads %s, which leads out of the repository; name a file of the repository, or .env.production, in %s", service, out, cfg.ComposeFile))
			} else if path.IsAbs(file) && !slices.Contains(cfg.Allow, "host-mounts") {
				problems = append(problems, fmt.Sprintf("service %s reads %s of the server; name a file of the repository, or .env.production, in %s; or, if you trust the repository: pulumi config set --path 'berth:allow[%d]' host-mounts", service, file, cfg.ComposeFile, len(cfg.Allow)))
			}
			if laptop.MatchString(file) {
				problems = append(problems, fmt.Sprintf("service %s reads %s, which is meant for a laptop and does not reach the server; name .env.production in %s instead, which the stack's variables become", service, file, cfg.ComposeFile))
			}
		}
	}
	return problems
}

// onlyKept says whether a path is a folder that only a hidden file keeps in git: what is in it on a server is data.
func onlyKept(folder string) bool {
	info, err := os.Stat(folder)
	if err != nil || !info.IsDir() {
		return false
	}
	found := errors.New("a file")
	return filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !slices.Contains([]string{".gitkeep", ".keep", ".gitignore"}, entry.Name()) {
			err = found
		}
		return err
	}) == nil
}
