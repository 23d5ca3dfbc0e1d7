package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"berth/rehearsal/detect"
)

// TestTheCorpusEjects: every app of the rehearsal's corpus that has a plan has manifests that decode strictly, refer to what is there
// and hold no secret.
func TestTheCorpusEjects(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	text, err := os.ReadFile(filepath.Join("..", "..", "rehearsal", "detect", "testdata", "corpus.yaml"))
	require.NoError(t, err)
	var apps map[string]struct {
		Compose      yaml.Node
		Files        []string
		Set          map[string]string
		Refused      []string
		ComposeFiles []string `yaml:"composeFiles"`
	}
	require.NoError(t, yaml.Unmarshal(text, &apps))
	tried, ejected, documents, unplanned := 0, 0, 0, 0
	for i, name := range slices.Sorted(maps.Keys(apps)) {
		// All of them take minutes; make test-all does.
		if i%6 != 0 && os.Getenv("BERTH_ALL") == "" {
			continue
		}
		tried++
		app := apps[name]
		written, err := yaml.Marshal(&app.Compose)
		require.NoError(t, err)
		files := map[string]string{"compose.yaml": string(written)}
		for _, file := range app.Files {
			at, content, _ := strings.Cut(file, " ")
			files[at] = content + "\n"
		}
		folder := repository(t, files)
		guessed, err := detect.From(t.Context(), folder, detect.Given{Variables: app.Set, ComposeFiles: app.ComposeFiles})
		if unguessed := (*detect.Unguessed)(nil); errors.As(err, &unguessed) {
			unplanned++
			continue
		}
		require.NoError(t, err, name)
		cfg := settings(folder)
		cfg.InstanceType, cfg.ComposeFiles, cfg.Routes, cfg.Environment = "t3.micro", guessed.ComposeFiles, guessed.Routes, maps.Clone(guessed.Environment)
		maps.Copy(cfg.Environment, app.Set)
		for secret := range guessed.Secrets {
			cfg.Secrets[secret] = canary(secret)
		}
		made, err := manifests(t.Context(), cfg)
		if len(app.Refused) > 0 {
			require.Error(t, err, name)
			unplanned++
			continue
		}
		require.NoError(t, err, name)
		ok := t.Run(name, func(t *testing.T) { sound(t, made) })
		if ok {
			ejected++
			documents += len(decoded(t, made))
		}
	}
	t.Logf("%d apps: %d ejected with %d objects, %d have no plan", tried, ejected, documents, unplanned)
	require.Equal(t, tried, ejected+unplanned)
	require.Positive(t, ejected)
}
