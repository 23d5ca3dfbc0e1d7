package detect

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"berth/internal/config"
	"berth/internal/release"
	"berth/internal/release/git"
)

// corpusApp is an app of testdata/corpus.yaml.
type corpusApp struct {
	Compose           yaml.Node
	Files             []string
	Set               map[string]string
	Routes, Unguessed string
	Stateful, Refused []string
	// ComposeFiles are named, where there are several; Advised and Silent are parts of advice that is given, and is not.
	ComposeFiles    []string `yaml:"composeFiles"`
	Advised, Silent []string
}

// wrong says what of an app is not as expected.
func (a corpusApp) wrong(t *testing.T) (wrong []string) {
	t.Helper()
	text, err := yaml.Marshal(&a.Compose)
	require.NoError(t, err)
	files := map[string]string{"compose.yaml": string(text)}
	for _, file := range a.Files {
		at, content, _ := strings.Cut(file, " ")
		files[at] = content + "\n"
	}
	guessed, err := From(t.Context(), folder(t, files), Given{Variables: a.Set, ComposeFiles: a.ComposeFiles})
	if unguessed := (*Unguessed)(nil); errors.As(err, &unguessed) {
		if a.Unguessed == "" || !strings.Contains(err.Error(), a.Unguessed) {
			wrong = append(wrong, "not guessed: "+err.Error())
		}
		return wrong
	} else if err != nil {
		return []string{err.Error()}
	}
	var routes []string
	for _, route := range guessed.Routes {
		routes = append(routes, fmt.Sprintf("%s %s:%d", route.Path, route.Service, route.Port))
	}
	if said := strings.Join(routes, " "); said != a.Routes {
		wrong = append(wrong, "routes "+said+", not "+a.Routes)
	}
	made, err := a.made(t, files, guessed)
	if len(a.Refused) == 0 && err != nil {
		return append(wrong, err.Error())
	}
	for _, part := range a.Refused {
		if err == nil || !strings.Contains(err.Error(), part) {
			wrong = append(wrong, fmt.Sprintf("not refused for %q, but: %v", part, err))
		}
	}
	if len(a.Refused) == 0 {
		if slices.Sort(a.Stateful); !slices.Equal(a.Stateful, made.Plan.Stateful) {
			wrong = append(wrong, fmt.Sprintf("persistent are %v, not %v", made.Plan.Stateful, a.Stateful))
		}
		advice := strings.Join(made.Advice, "\n")
		for _, part := range a.Advised {
			if !strings.Contains(advice, part) {
				wrong = append(wrong, fmt.Sprintf("not advised of %q, but: %s", part, advice))
			}
		}
		for _, part := range a.Silent {
			if strings.Contains(advice, part) {
				wrong = append(wrong, fmt.Sprintf("advised of %q", part))
			}
		}
	}
	return wrong
}

// made plans the app's release as it was guessed.
func (a corpusApp) made(t *testing.T, files map[string]string, guessed *Settings) (*release.Release, error) {
	t.Helper()
	repository := folder(t, files)
	for _, args := range [][]string{{"init", "--quiet", "--initial-branch", "main"}, {"add", "--all", "--force"}, {"-c", "user.name=T", "-c", "user.email=t@example.test", "commit", "--quiet", "--message", "all"}} {
		output, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", repository}, args...)...).CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
	}
	sha, err := exec.CommandContext(t.Context(), "git", "-C", repository, "rev-parse", "HEAD").Output()
	require.NoError(t, err)
	cfg := &config.Config{
		Repository: repository, Ref: "main", ComposeFiles: guessed.ComposeFiles, ReleaseStrategy: config.BlueGreen, InstanceType: "t3.micro",
		Routes: guessed.Routes, Environment: maps.Clone(guessed.Environment), Secrets: map[string]string{},
	}
	maps.Copy(cfg.Environment, a.Set)
	for name, secret := range guessed.Secrets {
		cfg.Secrets[name] = secret.Value("a-password", "a-secret", func(count int) []byte { return make([]byte, count) })
	}
	repo, err := git.Open(cfg)
	require.NoError(t, err)
	defer repo.Close()
	return release.Make(t.Context(), cfg, repo, strings.TrimSpace(string(sha)))
}

// TestTheCorpus holds what is guessed and previewed against what the maintainers of real apps would expect.
func TestTheCorpus(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	text, err := os.ReadFile(filepath.Join("testdata", "corpus.yaml"))
	require.NoError(t, err)
	var apps map[string]corpusApp
	require.NoError(t, yaml.Unmarshal(text, &apps))
	bad := 0
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		if wrong := apps[name].wrong(t); len(wrong) > 0 {
			bad++
			t.Logf("%s: %s", name, strings.Join(wrong, "\n  "))
		}
	}
	t.Logf("%d apps: %d right, %d wrong", len(apps), len(apps)-bad, bad)
	assert.Zero(t, bad)
}
