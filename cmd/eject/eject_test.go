package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

var update = flag.Bool("update", false, "rewrite testdata/golden")

// repository is a git repository with these files.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		at := filepath.Join(folder, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, []byte(content), 0o644))
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch", "main"}, {"add", "--all", "--force"},
		{"-c", "user.name=T", "-c", "user.email=t@example.test", "commit", "--quiet", "--message", "all", "--date", "2026-01-01T00:00:00Z"},
	} {
		command := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder}, args...)...)
		// The same commit every time has the same name, which is in the images'.
		command.Env = append(os.Environ(), "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z")
		output, err := command.CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
	}
	return folder
}

// settings are those of a stack for a repository of one compose file.
func settings(repository string) *config.Config {
	return &config.Config{
		Domain: "shop.example.com", Aliases: []string{"www.shop.example.com"}, Repository: repository, Ref: "main", ComposeFiles: []string{"compose.yaml"},
		ReleaseStrategy: config.BlueGreen, InstanceType: "t3.2xlarge", VolumeSize: 20, MaxBody: 100, HealthyWithin: 300,
		Environment: map[string]string{}, Secrets: map[string]string{},
	}
}

// the app of testdata, with a folder that is too large for a ConfigMap.
func theApp(t *testing.T) *config.Config {
	t.Helper()
	files := map[string]string{"large/blob": strings.Repeat("x", 2<<20)}
	require.NoError(t, filepath.WalkDir("testdata/app", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, "testdata/app/")] = string(content)
		return err
	}))
	cfg := settings(repository(t, files))
	cfg.Routes = []config.Route{{Path: "/", Service: "web", Port: 8080, Health: "/healthz"}, {Path: "/media/", Service: "media", Port: 9000}}
	cfg.Migration = &config.Migration{Service: "web", Command: "./migrate --url $DATABASE_URL"}
	cfg.Environment["SHOP_NAME"] = "Shop"
	for _, name := range []string{"API_TOKEN", "DB_PASSWORD", "REDIS_PASSWORD", "SIGNING"} {
		cfg.Secrets[name] = canary(name)
	}
	return cfg
}

// canary is the value of a secret, which no file may have.
func canary(name string) string { return "canary-" + strings.ToLower(name) + "-value" }

// sound are the checks of every app's files.
func sound(t *testing.T, files map[string][]byte) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		assert.NotContains(t, string(files[name]), "canary", name)
		assert.NotContains(t, string(files[name]), "\x00", name)
	}
	consistent(t, decoded(t, files), string(files["NOTES.md"]))
}

func TestTheAppIsWrittenAsBefore(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	cfg := theApp(t)
	files, err := manifests(t.Context(), cfg)
	require.NoError(t, err)
	again, err := manifests(t.Context(), cfg)
	require.NoError(t, err)
	assert.Equal(t, files, again, "the same every time")
	sound(t, files)
	const golden = "testdata/golden"
	if *update {
		require.NoError(t, os.RemoveAll(golden))
		require.NoError(t, write(golden, files))
	}
	kept := map[string][]byte{}
	require.NoError(t, filepath.WalkDir(golden, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		kept[strings.TrimPrefix(path, golden+"/")], err = os.ReadFile(path)
		return err
	}))
	assert.Equal(t, slices.Sorted(maps.Keys(kept)), slices.Sorted(maps.Keys(files)), "go test -update rewrites them")
	for name, content := range files {
		assert.Equal(t, string(kept[name]), string(content), "%s: go test -update rewrites it", name)
	}
}

// TestKustomizeReadsIt has kubectl build the kustomization, which needs no cluster.
func TestKustomizeReadsIt(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("kubectl is missing; tools/machine.sh test installs it on Debian (kubernetes-client)")
		}
		t.Skip("kubectl is missing; on Debian: apt-get install kubernetes-client")
	}
	t.Setenv("BERTH_CACHE", t.TempDir())
	files, err := manifests(t.Context(), theApp(t))
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, write(folder, files))
	command := exec.CommandContext(t.Context(), kubectl, "kustomize", folder)
	var said bytes.Buffer
	command.Stderr = &said
	output, err := command.Output()
	require.NoError(t, err, said.String())
	var wanted []string
	for name, one := range decoded(t, files) {
		if !strings.HasPrefix(name, "by-hand/") {
			wanted = append(wanted, one.kind+" "+one.meta.GetName())
		}
	}
	var built []string
	for _, one := range decoded(t, map[string][]byte{"built.yaml": output}) {
		built = append(built, one.kind+" "+one.meta.GetName())
	}
	assert.ElementsMatch(t, wanted, built)
}

// compose is a stack for services that are written in one line of YAML.
func compose(t *testing.T, text string, more map[string]string) *config.Config {
	t.Helper()
	files := map[string]string{"compose.yaml": text}
	maps.Copy(files, more)
	cfg := settings(repository(t, files))
	cfg.Routes = []config.Route{{Path: "/", Service: "web", Port: 80}}
	return cfg
}

func TestRefusals(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	for name, row := range map[string]struct {
		compose, says string
		change        func(*config.Config)
	}{
		"two names become one": {"services: {web: {image: 'x:1'}, a_b: {image: 'x:1'}, a.b: {image: 'x:1'}}", "service a.b and a_b would both be called a-b", nil},
		"a long name":          {"services: {web: {image: 'x:1'}, " + strings.Repeat("long", 15) + ": {image: 'x:1'}}", "give it a shorter name in the compose file", nil},
		"the Ingress' own":     {"services: {web: {image: 'x:1'}, web-http: {image: 'x:1'}}", "would both be called web-http", nil},
		"two volumes":          {"services: {web: {image: 'x:1'}, db: {image: 'x:1', volumes: ['a_b:/a', 'a.b:/b']}}\nvolumes: {a_b: {}, a.b: {}}", "would both be called a-b", nil},
		"a secret in a hook":   {"services: {web: {image: 'x:1', working_dir: '/srv/${TOKEN}'}}", "would hold the secret TOKEN", func(cfg *config.Config) { cfg.Secrets["TOKEN"] = canary("TOKEN") }},
	} {
		cfg := compose(t, row.compose, nil)
		if row.change != nil {
			row.change(cfg)
		}
		_, err := manifests(t.Context(), cfg)
		require.ErrorContains(t, err, row.says, name)
		assert.ErrorContains(t, err, "nothing was written", name)
		assert.NotContains(t, err.Error(), "canary", name)
	}
}

func TestNothingIsWrittenOver(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "mine"), nil, 0o600))
	require.ErrorContains(t, eject(t.Context(), []string{"--into", folder}, os.Stderr), "is not empty, so nothing was written")
	require.ErrorContains(t, eject(t.Context(), nil, os.Stderr), "usage")
}

// TestSecretsAreHidden: a secret that is a part of a text, of a command or of a health check is a reference there, too.
func TestSecretsAreHidden(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	for name, service := range map[string]string{
		"a variable":         "environment: {TOKEN: '${TOKEN}'}",
		"another name":       "environment: {OTHER: '${TOKEN}'}",
		"a part":             "environment: {URL: 'https://u:${TOKEN}@x/'}",
		"twice":              "environment: {URL: '${TOKEN}-${TOKEN}${SECOND}'}",
		"a command":          "command: 'run --token=${TOKEN}'",
		"an entrypoint":      "entrypoint: ['run', '${TOKEN}']",
		"a health check":     "healthcheck: {test: ['CMD', 'x', 'a ${TOKEN} b']}",
		"a shell's check":    "healthcheck: {test: 'x \"${TOKEN}\"'}",
		"an env file":        "env_file: .env.production",
		"a secret file":      "secrets: [one]",
		"a config":           "configs: [two]",
		"a label":            "labels: {x.y: '${TOKEN}'}",
		"with dollars in it": "environment: {URL: '$${TOKEN} $$(x) ${TOKEN}'}",
	} {
		cfg := compose(t, "services: {web: {image: 'x:1', "+service+"}}\nsecrets: {one: {environment: TOKEN}}\nconfigs: {two: {content: 'a ${TOKEN}'}}\n", nil)
		cfg.Secrets["TOKEN"], cfg.Secrets["SECOND"] = canary("TOKEN"), canary("SECOND")
		files, err := manifests(t.Context(), cfg)
		require.NoError(t, err, name)
		sound(t, files)
		if name != "a label" {
			assert.Contains(t, string(files["NOTES.md"]), "TOKEN", name)
		}
	}
}

// TestWhatIsLeftIsNoted: every key that does not carry over is named.
func TestWhatIsLeftIsNoted(t *testing.T) {
	t.Setenv("BERTH_CACHE", t.TempDir())
	for service, says := range map[string]string{
		"ulimits: {nofile: 1024}":           "ulimits: it is not carried over",
		"user: www-data":                    "user www-data: Kubernetes takes numbers alone",
		"stop_signal: SIGINT":               "stop_signal SIGINT",
		"extra_hosts: ['h:host-gateway']":   "extra_hosts h",
		"restart: 'no'":                     `restart policy is "no"`,
		"dns: [192.0.2.1]":                  "dns: it is not carried over",
		"depends_on: [plain]":               "depends_on plain",
		"logging: {driver: none}":           "logging",
		"container_name: My_Name":           "My_Name",
		"init: true":                        "init: it is not carried over",
		"volumes: ['./large:/l:ro']":        "copy it into the image",
		"networks: [front]":                 "(front)",
		"tmpfs: ['/t:size=1m']":             "tmpfs /t: its options",
		"healthcheck: {disable: true}":      "it has no health check",
		"build: {context: .}, image: 'x:1'": "Build and push these images",
		"volumes: ['./kept:/k']":            "a claim of its own",
	} {
		defined := service
		if !strings.Contains(service, "build:") {
			defined = "image: 'x:1', " + service
		}
		cfg := compose(t, "services: {web: {"+defined+"}, plain: {image: 'x:1'}, other: {image: 'x:1', volumes: ['store:/store']}, third: {image: 'x:1', volumes: ['store:/store']}}\nvolumes: {store: {}}\nnetworks: {front: {}}\n",
			map[string]string{"large/blob": strings.Repeat("x", 2<<20), "Dockerfile": "FROM scratch\n"})
		files, err := manifests(t.Context(), cfg)
		if assert.NoError(t, err, service) {
			sound(t, files)
			assert.Contains(t, string(files["NOTES.md"]), says, service)
			assert.Contains(t, string(files["NOTES.md"]), "edge limits")
			assert.Contains(t, string(files["NOTES.md"]), "ReadWriteOnce")
		}
	}
}

func TestPlaceholdersAreUnlikeEachOther(t *testing.T) {
	seen := map[string]string{}
	hidden := hide(&config.Config{Secrets: map[string]string{"A": "1", "AB": "2", "A_B": "3", "a": "4"}})
	for name, value := range hidden.Secrets {
		for other, there := range seen {
			assert.NotContains(t, value, there, fmt.Sprint(name, other))
			assert.NotContains(t, there, value, fmt.Sprint(name, other))
		}
		seen[name] = value
	}
}
