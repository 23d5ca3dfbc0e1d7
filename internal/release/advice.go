package release

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"berth/internal/config"
	"berth/internal/release/compose"
)

// adviseAll says what works and should not stay as it is, in the order of the compose file's lines.
func (f *findings) adviseAll() []string {
	folder := f.commit.Folder
	for _, advice := range f.plan.Advice {
		if advice.Key == "healthcheck" && hasHealthCheck(folder, f.plan, advice.Service) {
			continue
		}
		f.advise(f.source.Line(advice.Service, advice.Key), "%s", advice.Text)
	}
	exposed := f.source.Exposed()
	for _, at := range slices.Sorted(maps.Keys(exposed)) {
		service, name, _ := strings.Cut(at, " ")
		f.advise(exposed[at], "the value of %s of %s can be read by everyone who has the repository; write %s: ${%s:?} there, and set a new value: pulumi config set --secret --path berth:secrets.%s",
			name, service, name, name, name)
	}
	for _, gap := range gaps(f.source, f.variables) {
		f.advise(gap.Line, "%s", gapAdvice(gap))
	}
	if variables := len(f.variables); variables > 0 && !hasExample(f.cfg, folder) {
		f.advise(0, "the repository has no .env.example beside it, so nobody notices when one of the stack's %d variables is missing; commit one that names them", variables)
	}
	return sentences(f.cfg.ComposeFile, f.advice)
}

// gapAdvice says what a variable becomes that the stack lacks, and both ways to mean it.
func gapAdvice(gap compose.Gap) string {
	becomes, meant := ", so it is empty", "; or write ${"+gap.Name+":-} there if that is meant"
	switch {
	case gap.Required:
		becomes, meant = "", ""
	case gap.Passed:
		becomes, meant = ", so it is not set there", "; or take it out if that is meant"
	}
	return fmt.Sprintf("%s takes the variable %s, which the stack lacks%s; set it: %s%s", cmp.Or(gap.Service, "the file"), gap.Name, becomes, setVariable(gap.Name), meant)
}

// gaps are the variables that a compose file takes and that these are not.
func gaps(source *compose.Source, variables map[string]string) []compose.Gap {
	return source.Gaps(func(name string) bool { _, ok := variables[name]; return ok }, strings.Split(variables["COMPOSE_PROFILES"], ",")...)
}

// setVariable is the command that sets a variable, as a secret where its name says so.
func setVariable(name string) string {
	if compose.IsSecret(name) {
		return setSecretVariable(name)
	}
	return "pulumi config set --path berth:environment." + name + " VALUE"
}

func setSecretVariable(name string) string {
	return "pulumi config set --secret --path berth:secrets." + name
}

// setVariables are the commands that set several.
func setVariables(names []string) string {
	var commands []string
	for _, name := range names {
		commands = append(commands, setVariable(name))
	}
	return strings.Join(commands, " && ")
}

// readIn reads a file of a folder that strangers filled: a link does not lead out of it.
func readIn(folder, name string) ([]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	text, err := root.ReadFile(filepath.FromSlash(name))
	return text, errors.Join(err, root.Close())
}

// instruction is a Dockerfile's own health check, which an image built from it brings along.
var instruction = regexp.MustCompile(`(?im)^\s*HEALTHCHECK\s+(--|CMD)`)

func hasHealthCheck(folder string, plan *Plan, service string) bool {
	for _, build := range plan.Builds {
		if !slices.Contains(build.Services, service) {
			continue
		}
		name := build.Build.Dockerfile
		if name == "" {
			name = "Dockerfile"
		}
		// A context that is no folder of the checkout has nothing to look at.
		context, err := filepath.Rel(folder, build.Build.Context)
		if err != nil {
			return false
		}
		text, err := readIn(folder, filepath.Join(context, name))
		return err == nil && instruction.Match(text)
	}
	return false
}

func hasExample(cfg *config.Config, folder string) bool {
	for _, at := range examples(cfg) {
		if _, err := os.Stat(filepath.Join(folder, filepath.FromSlash(at))); err == nil {
			return true
		}
	}
	return false
}

// examples are where an app's .env.example may be, the nearest to the compose file first.
func examples(cfg *config.Config) []string {
	const name = ".env.example"
	return slices.Compact([]string{path.Join(path.Dir(cfg.ComposeFile), name), name})
}
