package release

import (
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

// advise says what works and should not stay as it is, in the order of the compose file's lines.
func advise(cfg *config.Config, folder string, plan *Plan) ([]string, error) {
	text, err := readIn(folder, cfg.ComposeFile)
	if err != nil {
		return nil, fmt.Errorf("read %s once more: %w", cfg.ComposeFile, err)
	}
	source := compose.ReadSource(text)
	type line struct {
		number int
		text   string
	}
	var lines []line
	for _, advice := range plan.Advice {
		if advice.Key == "healthcheck" && hasHealthCheck(folder, plan, advice.Service) {
			continue
		}
		lines = append(lines, line{source.Line(advice.Service, advice.Key), advice.Text})
	}
	exposed := source.Exposed()
	for _, at := range slices.Sorted(maps.Keys(exposed)) {
		service, name, _ := strings.Cut(at, " ")
		lines = append(lines, line{exposed[at], fmt.Sprintf("the value of %s of %s can be read by everyone who has the repository; write %s: ${%s:?} there, and set a new value: pulumi config set --secret --path berth:secrets.%s",
			name, service, name, name, name)})
	}
	have := cfg.Variables()
	for _, gap := range source.Gaps(func(name string) bool { _, ok := have[name]; return ok }) {
		lines = append(lines, line{gap.Line, gapAdvice(gap)})
	}
	if variables := len(have); variables > 0 && !hasExample(cfg, folder) {
		lines = append(lines, line{0, fmt.Sprintf("the repository has no .env.example beside it, so nobody notices when one of the stack's %d variables is missing; commit one that names them", variables)})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.number - b.number })
	var sentences []string
	for _, one := range lines {
		at := cfg.ComposeFile
		if one.number > 0 {
			at = fmt.Sprintf("%s:%d", at, one.number)
		}
		sentences = append(sentences, at+": "+one.text)
	}
	return sentences, nil
}

// gapAdvice says what a variable becomes that the stack lacks, and both ways to mean it.
func gapAdvice(gap compose.Gap) string {
	set, becomes, meant := "pulumi config set --path berth:environment."+gap.Name+" VALUE", "it is empty", "write ${"+gap.Name+":-} there if that is meant"
	if compose.IsSecret(gap.Name) {
		set = "pulumi config set --secret --path berth:secrets." + gap.Name
	}
	if gap.Passed {
		becomes, meant = "it is not set there", "take it out if that is meant"
	}
	return fmt.Sprintf("%s takes the variable %s, which the stack lacks, so %s; set it: %s; or %s", gap.Service, gap.Name, becomes, set, meant)
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
