package release

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"berth/internal/config"
	"berth/internal/release/compose"
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

	problems, advice []located
	// better are parts of the plan's problems that a finding says better.
	better []string
}

// located is a sentence about a line of the compose file, 0 for the file as a whole.
type located struct {
	line int
	text string
	// about is what advice is about.
	about int
}

// examine looks at a plan's commit once more, for what the plan does not know, and adds to its problems.
func examine(cfg *config.Config, commit Commit, model *compose.Model, plan *Plan, variables map[string]string, submodules []string) (*findings, error) {
	text, err := readIn(commit.Folder, cfg.ComposeFile)
	if err != nil {
		return nil, fmt.Errorf("read %s once more: %w", cfg.ComposeFile, err)
	}
	elsewhere, err := keptElsewhere(commit.Folder, submodules)
	if err != nil {
		return nil, fmt.Errorf("look for what git keeps elsewhere: %w", err)
	}
	f := &findings{cfg: cfg, commit: commit, model: model, source: compose.ReadSource(text), plan: plan, variables: variables, elsewhere: elsewhere}
	f.profiles()
	f.environment()
	f.absent()
	f.unlike()
	f.across()
	f.builds()
	f.newer()
	if err := f.withoutEffect(); err != nil {
		return nil, err
	}
	f.settle(cfg.ComposeFile)
	return f, nil
}

// problem adds one of a kind (docs/problems.md), whose name ends the sentence before what to do about it.
func (f *findings) problem(id string, line int, format string, args ...any) {
	text := strings.Replace(fmt.Sprintf(format, args...), "; ", " ["+id+"]; ", 1)
	f.problems = append(f.problems, located{line: line, text: text})
}

func (f *findings) advise(about, line int, format string, args ...any) {
	f.advice = append(f.advice, located{line: line, text: fmt.Sprintf(format, args...), about: about})
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

// lineOf is the line where a service names a path, "./" before it or not.
func (f *findings) lineOf(relative string, path ...string) int {
	if relative == "." {
		return f.source.At(path...)
	}
	return f.source.Holding(relative, path...)
}

// settle adds what was found to the plan's problems, in the order of the lines, and takes out what it says better.
func (f *findings) settle(file string) {
	f.plan.Problems = slices.DeleteFunc(f.plan.Problems, func(problem string) bool {
		return slices.ContainsFunc(f.better, func(part string) bool { return strings.Contains(problem, part) })
	})
	f.plan.Problems = append(f.plan.Problems, sentences(file, f.problems)...)
}

// sentences are located ones as "FILE:LINE: TEXT", in the order of the lines.
func sentences(file string, all []located) (texts []string) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b located) int { return a.line - b.line })
	for _, one := range all {
		at := file
		if one.line > 0 {
			at = fmt.Sprintf("%s:%d", at, one.line)
		}
		if text := at + ": " + one.text; !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}
