package release

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/internal/release/compose"
)

// app is a commit, and what has to be said of it.
type app struct {
	compose string
	// files are more of its files: "PATH CONTENT".
	files      []string
	submodules []string
	stack      func(*config.Config)
	// refused and advised are parts of sentences; without refused, nothing is. silent are those that nobody may say.
	refused, advised, silent []string
}

// examined is what is found of an app.
func (a app) examined(t *testing.T) *findings {
	t.Helper()
	root := t.TempDir()
	folder := filepath.Join(root, "up", "source")
	for _, file := range append(slices.Clone(a.files), "compose.yaml "+a.compose) {
		at, content, _ := strings.Cut(file, " ")
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(folder, at)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, at), []byte(content), 0o644))
	}
	cfg := &config.Config{ComposeFile: "compose.yaml", ReleaseStrategy: config.BlueGreen, InstanceType: "t3.micro",
		Routes: []config.Route{{Path: "/", Service: "web", Port: 80}}, Secrets: map[string]string{"PASSWORD": "it's $secret"}}
	if a.stack != nil {
		a.stack(cfg)
	}
	variables := cfg.Variables()
	for _, file := range a.files {
		if text, ok := strings.CutPrefix(file, ".env "); ok {
			var err error
			variables, err = compose.Defaults([]byte(text), variables)
			require.NoError(t, err)
		}
	}
	model, err := compose.Load(t.Context(), folder, cfg.ComposeFile, variables, cfg.Secrets)
	require.NoError(t, err)
	commit := Commit{SHA: "c0ffee", Folder: folder, Root: root, Model: model.JSON, Tree: func(at string) (string, error) {
		for _, file := range a.files {
			if path, _, _ := strings.Cut(file, " "); within(path, at) {
				return "there", nil
			}
		}
		return "", nil
	}}
	plan, err := MakePlan(cfg, commit)
	require.NoError(t, err)
	found, err := examine(cfg, commit, model, plan, variables, a.submodules)
	require.NoError(t, err)
	return found
}

// identified matches an identifier at the end of a sentence, of which TestProblemsAreListed knows.
var identified = regexp.MustCompile(` \[[a-z0-9-]+\](;)`)

// check examines apps, each by its name.
func check(t *testing.T, apps map[string]app) {
	t.Helper()
	for name, one := range apps {
		t.Run(name, func(t *testing.T) {
			found := one.examined(t)
			problems, advice := identified.ReplaceAllString(strings.Join(found.plan.Problems, "\n"), "$1"), strings.Join(found.adviseAll(), "\n")
			for _, part := range one.refused {
				assert.Contains(t, problems, part)
			}
			if len(one.refused) == 0 {
				assert.Empty(t, problems)
			}
			for _, part := range one.advised {
				assert.Contains(t, advice, part)
			}
			for _, part := range one.silent {
				assert.NotContains(t, problems+"\n"+advice, part)
			}
		})
	}
}

func with(settings map[string]string) func(*config.Config) {
	return func(cfg *config.Config) { cfg.Environment = settings }
}
