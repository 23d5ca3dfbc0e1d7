package release

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"berth/internal/config"
	"berth/internal/release/compose"
	"berth/internal/release/plan"
)

// findings are sentences about lines of the compose file, from checks of what a plan alone cannot know.
type findings struct {
	cfg    *config.Config
	commit Commit
	model  *compose.Model
	source *compose.Source
	plan   *Plan
	// variables are the app's, as they go to the server.
	variables map[string]string
	// elsewhere is what git keeps outside of the commit.
	elsewhere []kept
	// outside are the services that run elsewhere.
	outside []compose.External

	problems, advice []located
	// better are parts of the plan's problems that a finding says better.
	better []string
}

// located is a sentence about a place in the compose files, the first file as a whole where it has none.
type located struct {
	at   compose.Place
	text string
	// about is what advice is about.
	about int
}

// examine checks a plan's commit for what the plan does not know, and adds to its problems.
func examine(cfg *config.Config, commit Commit, model *compose.Model, made *Plan, variables map[string]string, submodules []string, external []compose.External) (*findings, error) {
	elsewhere, err := keptElsewhere(commit.Folder, submodules)
	if err != nil {
		return nil, fmt.Errorf("look for what git keeps elsewhere: %w", err)
	}
	f := &findings{cfg: cfg, commit: commit, model: model, source: readSource(cfg, commit.Folder), plan: made, variables: variables, elsewhere: elsewhere, outside: external}
	f.profiles()
	f.environment()
	f.absent()
	f.unlike()
	f.across()
	f.builds()
	f.newer()
	f.jobs()
	f.external()
	f.severalServers()
	if err := f.withoutEffect(); err != nil {
		return nil, err
	}
	f.settle()
	return f, nil
}

// readSource reads the compose files of a checkout, as far as they are there.
func readSource(cfg *config.Config, folder string) *compose.Source {
	texts := make([][]byte, len(cfg.ComposeFiles))
	for i, file := range cfg.ComposeFiles {
		texts[i], _ = readIn(folder, file) // Load says of what cannot be read why.
	}
	return compose.ReadSource(texts...)
}

// problem adds one of a kind (docs/problems.md), whose name ends the sentence before what to do about it.
func (f *findings) problem(id string, at compose.Place, format string, args ...any) {
	text := strings.Replace(fmt.Sprintf(format, args...), "; ", " ["+id+"]; ", 1)
	f.problems = append(f.problems, located{at: at, text: text})
}

func (f *findings) advise(about int, at compose.Place, format string, args ...any) {
	f.advice = append(f.advice, located{at: at, text: fmt.Sprintf(format, args...), about: about})
}

func (f *findings) have(variable string) bool {
	_, ok := f.variables[variable]
	return ok
}

// in gives a path of the model relative to the checkout; it is not ok for what lies elsewhere.
func (f *findings) in(path string) (relative string, ok bool) {
	relative, err := filepath.Rel(f.commit.Folder, path)
	return filepath.ToSlash(relative), err == nil && filepath.IsAbs(path) && filepath.IsLocal(relative)
}

// placeOf is where a service names a path, "./" before it or not.
func (f *findings) placeOf(relative string, path ...string) compose.Place {
	if relative == "." {
		return f.source.At(path...)
	}
	return f.source.Holding(relative, path...)
}

// settle has what was found take the place of those of the plan's problems that it says better.
func (f *findings) settle() {
	f.plan.Problems = slices.DeleteFunc(f.plan.Problems, func(problem plan.Problem) bool {
		return slices.ContainsFunc(f.better, func(part string) bool { return strings.Contains(problem.Text, part) })
	})
}

// refused are all problems, the plan's and those that were found, each with its place.
func (f *findings) refused() []string {
	var all []located
	for _, one := range f.plan.Problems {
		if len(one.At) == 0 {
			all = append(all, located{text: one.Text})
			continue
		}
		all = append(all, located{at: f.source.Holding(one.Holds, one.At...), text: one.Text})
	}
	return sentences(f.cfg, append(all, f.problems...))
}

// sentences are located ones as "FILE:LINE: TEXT", in the order of the lines.
func sentences(cfg *config.Config, all []located) (texts []string) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b located) int { return a.at.Compare(b.at) })
	for _, one := range all {
		at := cfg.ComposeFiles[one.at.File]
		if one.at.Line > 0 {
			at = fmt.Sprintf("%s:%d", at, one.at.Line)
		}
		if text := at + ": " + one.text; !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}
