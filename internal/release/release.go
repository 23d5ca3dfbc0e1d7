// Package release is what an operator's machine says of a release before anything is touched: what keeps the app from
// being released, which commits go out, and what happens to its services.
package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	// External are the services that run elsewhere.
	External []compose.External
	// Variables are those that the app gets with it.
	Variables map[string]string
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
	root, err := os.MkdirTemp("", "berth-preview-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the preview: %w", err)
	}
	defer os.RemoveAll(root)
	folder := filepath.Join(root, deep, "source")
	if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the preview: %w", err)
	}
	err = repo.Checkout(ctx, sha, folder)
	if errors.Is(err, git.ErrUnknownCommit) {
		// Most often it is there, so that it is not looked for first.
		if err := repo.Fetch(ctx, sha); err != nil {
			return nil, err
		}
		err = repo.Checkout(ctx, sha, folder)
	}
	if err != nil {
		return nil, err
	}
	variables, err := appVariables(ctx, cfg, repo, sha)
	if err != nil {
		return nil, err
	}
	problems, asked, err := missing(ctx, cfg, repo, sha, variables)
	if err != nil {
		return nil, err
	}
	// With a variable missing, what there is against the file is often just that.
	gaps := lacking(cfg, folder, variables, asked)
	found, err := planCommit(ctx, cfg, repo, variables, Commit{SHA: sha, Folder: folder, Root: root, ImageVolumes: volumes})
	if err != nil {
		problems = append(problems, gaps...)
		for _, one := range each(err) {
			if reason := outOf(root, one.Error()); !said(reason, problems) {
				problems = append(problems, reason+beside(cfg, folder))
			}
		}
		return nil, refusal(sha, problems)
	}
	if refused := found.refused(); len(problems)+len(refused) > 0 {
		return nil, refusal(sha, slices.Concat(problems, gaps, refused))
	}
	return &Release{SHA: sha, Plan: found.plan, Advice: found.adviseAll(), External: found.outside, Variables: variables, volumes: volumes}, nil
}

// each are the errors that one joins.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func refusal(sha string, problems []string) error {
	return fmt.Errorf("commit %.12s cannot be released as it is; nothing was touched:\n  - %s", sha, strings.Join(problems, "\n  - "))
}

// appVariables are those that the app gets with a commit: the stack's, and below them what the commit's own .env sets, which Compose
// reads on a laptop.
func appVariables(ctx context.Context, cfg *config.Config, repo *git.Repository, sha string) (map[string]string, error) {
	file := path.Join(path.Dir(cfg.ComposeFiles[0]), ".env")
	text, err := repo.File(ctx, sha, file)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg.Variables(), nil
	}
	if err != nil {
		return nil, err
	}
	variables, err := compose.Defaults(text, cfg.Variables())
	if err != nil {
		return nil, refusal(sha, []string{fmt.Sprintf("%s: %s", file, err)})
	}
	return variables, nil
}

// missing are the variables that the app's .env.example names and that are not set, as problems and by their names.
func missing(ctx context.Context, cfg *config.Config, repo *git.Repository, sha string, variables map[string]string) (problems, names []string, err error) {
	for _, file := range examples(cfg) {
		text, err := repo.File(ctx, sha, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		have := map[string]bool{}
		for variable := range variables {
			have[variable] = true
		}
		names = compose.Missing(text, have)
		for _, variable := range names {
			problems = append(problems, fmt.Sprintf("%s names the variable %s, which the stack lacks; set it: pulumi config set --path berth:environment.%s VALUE; or, for a secret: pulumi config set --secret --path berth:secrets.%s",
				file, variable, variable, variable))
		}
		break
	}
	return problems, names, nil
}

// required matches what Compose says of a variable that a file requires.
var required = regexp.MustCompile(`error while interpolating \S+: required variable (\w+) is missing a value`)

// said says whether Compose has nothing against a file but that variables are missing which the problems name already.
func said(reason string, problems []string) bool {
	found := required.FindAllStringSubmatch(reason, -1)
	_, said, _ := strings.Cut(reason, " is refused by Compose: ")
	if len(found) == 0 || len(found) != strings.Count(reason, "error while interpolating ") || !strings.HasPrefix(said, "error while interpolating ") {
		return false
	}
	all := strings.Join(problems, " ")
	return !slices.ContainsFunc(found, func(one []string) bool { return !regexp.MustCompile(`\b` + one[1] + `\b`).MatchString(all) })
}

// lacking are the variables that the compose file takes and that are not set, as located sentences; those that were asked for already
// are left out.
func lacking(cfg *config.Config, folder string, variables map[string]string, asked []string) []string {
	of := map[string][]compose.Gap{}
	for _, gap := range gaps(readSource(cfg, folder), variables) {
		if !slices.Contains(asked, gap.Name) {
			of[gap.Service] = append(of[gap.Service], gap)
		}
	}
	var found []located
	for _, all := range of {
		found = append(found, located{at: all[0].At, text: gapsAdvice(all)})
	}
	slices.SortFunc(found, func(a, b located) int { return strings.Compare(a.text, b.text) })
	return sentences(cfg, found)
}

// outOf has a text name what lies in a preview's folder and not in its checkout as a compose file would.
func outOf(root, text string) string {
	return regexp.MustCompile(regexp.QuoteMeta(root)+`(/up)*/`).ReplaceAllString(text, "../")
}

// planCommit plans the release of a commit, and checks what the plan alone does not know; its model and its tree are filled in.
func planCommit(ctx context.Context, cfg *config.Config, repo *git.Repository, variables map[string]string, commit Commit) (*findings, error) {
	model, err := compose.Load(ctx, commit.Folder, cfg.ComposeFiles, variables, cfg.Secrets)
	if err != nil {
		return nil, err
	}
	external, err := model.Externalize(cfg.External)
	if err != nil {
		return nil, err
	}
	commit.Model, commit.EnvFiles, commit.LabelFiles = model.JSON, model.EnvFiles, model.LabelFiles
	if commit.Links, err = repo.Links(ctx, commit.SHA); err != nil {
		return nil, err
	}
	commit.Tree = func(at string) (string, error) {
		// A link that points out of the checkout is not laid into it, and is in the commit all the same.
		linked := slices.ContainsFunc(commit.Links, func(link string) bool { return strings.HasPrefix(link, at+"/") })
		if !linked && onlyKept(filepath.Join(commit.Folder, filepath.FromSlash(at))) {
			return "", nil
		}
		hash, _, err := repo.Tree(ctx, commit.SHA, at)
		return hash, err
	}
	made, err := MakePlan(cfg, commit)
	if err != nil {
		return nil, err
	}
	submodules, err := repo.Submodules(ctx, commit.SHA)
	if err != nil {
		return nil, err
	}
	return examine(cfg, commit, model, made, variables, submodules, external)
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
