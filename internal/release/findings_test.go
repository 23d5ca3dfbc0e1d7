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
	// refused and advised are parts of sentences; without refused, nothing is. silent are those that must not appear.
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
	cfg := &config.Config{ComposeFiles: []string{"compose.yaml"}, ReleaseStrategy: config.BlueGreen, InstanceType: "t3.micro",
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
	model, err := compose.Load(t.Context(), folder, cfg.ComposeFiles, variables, cfg.Secrets)
	require.NoError(t, err)
	commit := Commit{SHA: "c0ffee", Folder: folder, Root: root, Model: model.JSON, EnvFiles: model.EnvFiles, LabelFiles: model.LabelFiles, Tree: func(at string) (string, error) {
		for _, file := range a.files {
			if path, _, _ := strings.Cut(file, " "); within(path, at) {
				return "there", nil
			}
		}
		return "", nil
	}}
	plan, err := MakePlan(cfg, commit)
	require.NoError(t, err)
	found, err := examine(cfg, commit, model, plan, variables, a.submodules, nil)
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
			problems, advice := identified.ReplaceAllString(strings.Join(found.refused(), "\n"), "$1"), strings.Join(found.adviseAll(), "\n")
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

// problemsOf are a plan's problems, one per line.
func problemsOf(made *Plan) string {
	var texts []string
	for _, problem := range made.Problems {
		texts = append(texts, problem.Text)
	}
	return strings.Join(texts, "\n")
}

// TestAProblemOfThePlanHasItsLine, in the file that has it.
func TestAProblemOfThePlanHasItsLine(t *testing.T) {
	second := func(cfg *config.Config) { cfg.ComposeFiles = append(cfg.ComposeFiles, "more.yaml") }
	lines := func(more ...string) string {
		return routed + "  other:\n    image: \"x:1\"\n    " + strings.Join(more, "\n    ") + "\n"
	}
	check(t, map[string]app{
		"a folder of the server":  {compose: lines("volumes:", "  - named:/a", "  - /srv/x:/x") + "volumes: {named: {}}\n", refused: []string{"compose.yaml:7: service other mounts /srv/x of the server"}},
		"a capability":            {compose: lines("cap_add:", "  - CHOWN", "  - SYS_ADMIN"), refused: []string{"compose.yaml:7: service other wants", "SYS_ADMIN"}},
		"privileged":              {compose: lines("restart: always", "privileged: true"), refused: []string{"compose.yaml:6: service other "}},
		"a label":                 {compose: lines("labels:", "  a: b", "  berth.stateful: maybe"), refused: []string{"compose.yaml:7: service other has the label berth.stateful"}},
		"a label below deploy":    {compose: lines("deploy:", "  labels:", "    berth.stateful: \"true\""), refused: []string{"compose.yaml:7: service other has the label berth.stateful below deploy"}},
		"the server's network":    {compose: lines("restart: always", "network_mode: host"), refused: []string{"compose.yaml:6: service other uses the host's network"}},
		"a container's network":   {compose: lines("network_mode: container:x"), refused: []string{"compose.yaml:5: service other uses the network of a container"}},
		"a fixed address":         {compose: lines("networks:", "  n: {ipv4_address: 172.28.0.5}") + "networks: {n: {ipam: {config: [{subnet: 172.28.0.0/16}]}}}\n", refused: []string{"compose.yaml:5: service other has a fixed address"}},
		"a root password":         {compose: routed + "  db:\n    image: mysql:8\n    environment:\n      MYSQL_DATABASE: a\n      MYSQL_RANDOM_ROOT_PASSWORD: \"yes\"\n", refused: []string{"compose.yaml:7: service db has MYSQL_RANDOM_ROOT_PASSWORD"}},
		"a volume's device":       {compose: lines("volumes: [\"vol:/v\"]") + "volumes:\n  vol:\n    driver_opts:\n      type: none\n      o: bind\n      device: ./data\n", refused: []string{"compose.yaml:11: the volume vol (of other) keeps its files in ./data"}},
		"a volume's label":        {compose: lines("volumes: [\"vol:/v\"]") + "volumes:\n  vol:\n    labels:\n      berth.stateful: \"true\"\n", refused: []string{"compose.yaml:9: volume vol has the label"}},
		"a secret of the server":  {compose: lines("secrets: [s]") + "secrets:\n  s:\n    file: /etc/shadow\n", refused: []string{"compose.yaml:8: secret s is the file /etc/shadow of the server"}},
		"above the repository":    {compose: lines("volumes:", "  - ../up:/x"), refused: []string{"compose.yaml:6: service other mounts ../up, which is outside"}},
		"a place in no container": {compose: lines("volumes:", "  - v:/v", "  - w:/w"), refused: []string{"compose.yaml:7: service other mounts w:/w, which is no absolute path"}},
		"a waiting one":           {compose: lines("volumes: [\"named:/a\"]", "depends_on:", "  web: {condition: service_healthy}") + "volumes: {named: {}}\n", refused: []string{"compose.yaml:7: service other is persistent"}},
		"Postgres' volume":        {compose: routed + "  db:\n    image: postgres:18\n    volumes:\n      - \"named:/var/lib/postgresql/data\"\nvolumes: {named: {}}\n", refused: []string{"compose.yaml:6: service db mounts /var/lib/postgresql/data, where Postgres 18"}},
		"the second file":         {compose: routed, files: []string{"more.yaml services:\n  third:\n    image: \"x:1\"\n    privileged: true\n"}, stack: second, refused: []string{"more.yaml:4: service third "}},
		"no such service":         {compose: routed, stack: func(cfg *config.Config) { cfg.Routes[0].Service = "gone" }, refused: []string{"compose.yaml: route / names service gone"}},
		"an included service":     {compose: "include:\n  - more.yaml\n" + routed, files: []string{"more.yaml services:\n  in:\n    image: \"x:1\"\n    privileged: true\n"}, refused: []string{"compose.yaml:1: service in "}},
	})
}
