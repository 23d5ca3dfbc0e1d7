package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/internal/release/git"
)

// source is an app's repository, and a stack that releases it.
type source struct {
	t      *testing.T
	folder string
	cfg    *config.Config
	repo   *git.Repository
}

func newSource(t *testing.T) *source {
	t.Helper()
	t.Setenv("BERTH_CACHE", t.TempDir())
	s := &source{t: t, folder: t.TempDir()}
	s.git("init", "--quiet", "--initial-branch", "main")
	s.cfg = &config.Config{
		Repository: s.folder, Ref: "main", ComposeFiles: []string{"compose.yaml"}, ReleaseStrategy: config.BlueGreen,
		Routes: []config.Route{{Path: "/", Service: "web", Port: 80}}, Secrets: map[string]string{"PASSWORD": "it's $secret"},
	}
	var err error
	s.repo, err = git.Open(s.cfg)
	require.NoError(t, err)
	t.Cleanup(s.repo.Close)
	return s
}

func (s *source) git(args ...string) string {
	s.t.Helper()
	output, err := exec.CommandContext(s.t.Context(), "git", append([]string{"-C", s.folder, "-c", "user.name=T", "-c", "user.email=t@example.test"}, args...)...).CombinedOutput()
	require.NoErrorf(s.t, err, "%s", output)
	return strings.TrimSpace(string(output))
}

// commit writes files and gives the commit's SHA.
func (s *source) commit(subject string, files map[string]string) string {
	s.t.Helper()
	for name, content := range files {
		require.NoError(s.t, os.MkdirAll(filepath.Dir(filepath.Join(s.folder, name)), 0o755))
		require.NoError(s.t, os.WriteFile(filepath.Join(s.folder, name), []byte(content), 0o644))
	}
	s.git("add", "--all")
	s.git("commit", "--quiet", "--allow-empty", "--message", subject)
	return s.git("rev-parse", "HEAD")
}

const sample = `services:
  web:
    build: web
    healthcheck: {test: ["CMD", "true"]}
    env_file: .env.production
  db:
    image: postgres:17
    volumes: ["data:/var/lib/postgresql/data", "./init.sql:/docker-entrypoint-initdb.d/init.sql:ro"]
    environment: ["POSTGRES_PASSWORD=${PASSWORD}"]
volumes: {data: {}}
`

func TestMakeNamesEverythingThatIsInTheWay(t *testing.T) {
	s := newSource(t)
	sha := s.commit("first", map[string]string{
		"compose.yaml": strings.ReplaceAll(sample, "web:", "front:") + "\n", ".env.example": "PASSWORD=\nTOKEN=\n# OPTIONAL=1\n", "web/Dockerfile": "FROM scratch\n",
	})
	_, err := Make(t.Context(), s.cfg, s.repo, sha)
	require.ErrorContains(t, err, "nothing was touched")
	require.ErrorContains(t, err, "pulumi config set --secret --path berth:secrets.TOKEN")
	require.ErrorContains(t, err, "route / names service web")
	assert.NotContains(t, err.Error(), "OPTIONAL")
	assert.NotContains(t, err.Error(), "$secret")

	for reason, text := range map[string]string{
		"the repository has no compose.yaml":                              "",
		"compose.yaml is refused by Compose":                              "services: [\n",
		"service web reads .env.development, which is meant for a laptop": strings.ReplaceAll(sample, ".env.production", ".env.development"),
	} {
		require.NoError(t, os.RemoveAll(filepath.Join(s.folder, "compose.yaml")))
		files := map[string]string{".env.development": "PASSWORD=x\n", ".env.example": ""}
		if text != "" {
			files["compose.yaml"] = text
		}
		_, err := Make(t.Context(), s.cfg, s.repo, s.commit("next", files))
		require.ErrorContains(t, err, reason)
	}

	s.cfg.ComposeFiles = []string{"a.yaml", "compose.yaml", "deploy/b.yaml"}
	_, err = Make(t.Context(), s.cfg, s.repo, s.commit("two of three", map[string]string{"compose.yaml": sample}))
	require.ErrorContains(t, err, "\n  - the repository has no a.yaml; name the file: pulumi config set --path 'berth:composeFile[0]' compose.yaml")
	require.ErrorContains(t, err, "\n  - the repository has no deploy/b.yaml; name the file: pulumi config set --path 'berth:composeFile[2]' compose.yaml", "each is a problem of its own")
}

func TestDescribeSaysWhatGoesOutAndWhatHappensToServices(t *testing.T) {
	s := newSource(t)
	first := s.commit("first", map[string]string{"compose.yaml": sample, "web/Dockerfile": "FROM scratch\n", "init.sql": "SELECT 1;\n"})
	release, err := Make(t.Context(), s.cfg, s.repo, first)
	require.NoError(t, err)
	describe := func(before string) string {
		text, err := release.describe(t.Context(), s.cfg, s.repo, last{commit: before})
		require.NoError(t, err)
		assert.NotContains(t, text, "$secret")
		return text
	}
	text := describe("")
	assert.Contains(t, text, "first release: "+first[:12])
	assert.Contains(t, text, "db   starts  it is persistent, because it has the named volume data")

	s.commit("web: a new page", map[string]string{"web/index.html": "x"})
	newest := s.commit("docs\x1b[31m", map[string]string{"README": "x"})
	release, err = Make(t.Context(), s.cfg, s.repo, newest)
	require.NoError(t, err)
	text = describe(first)
	assert.Contains(t, text, "release: "+first[:12]+" -> "+newest[:12]+", 2 commits\n")
	assert.Contains(t, text, "web: a new page")
	assert.NotContains(t, text, "\x1b")
	assert.Contains(t, text, "web  is replaced  it keeps no data: the new one starts beside it and takes over")
	assert.Contains(t, text, "db   stays        it is persistent", "files that the commits leave alone are no change")

	assert.Contains(t, describe(newest), "is what the stack released last")
	assert.Contains(t, describe(strings.Repeat("a", 40)), "no longer has the former")

	changed := s.commit("db: another start", map[string]string{"init.sql": "SELECT 2;\n"})
	release, err = Make(t.Context(), s.cfg, s.repo, changed)
	require.NoError(t, err)
	assert.Contains(t, describe(newest), "db   is STOPPED AND RECREATED  its definition changed, and what needs it waits")

	release, err = Make(t.Context(), s.cfg, s.repo, first)
	require.NoError(t, err)
	assert.Contains(t, describe(changed), "BACK by 3 commits")

	// The commit that is released has no such file: it cannot be planned with today's settings, and nothing starts from nothing.
	second := s.commit("a second file", map[string]string{"compose.production.yaml": "services:\n  web:\n    labels: {a: b}\n"})
	s.cfg.ComposeFiles = []string{"compose.yaml", "compose.production.yaml"}
	release, err = Make(t.Context(), s.cfg, s.repo, second)
	require.NoError(t, err)
	text = describe(changed)
	assert.Contains(t, text, "what is released cannot be planned for a comparison (the repository has no compose.production.yaml); the lines below")
	assert.Contains(t, text, "db   stays")
	assert.NotContains(t, text, " starts  it")
}

func TestAFolderThatOnlyAHiddenFileKeepsIsData(t *testing.T) {
	s := newSource(t)
	sha := s.commit("first", map[string]string{"uploads/.gitkeep": "", "conf/a": "x",
		"compose.yaml": "services:\n  web:\n    image: x:1\n    volumes: [\"./uploads:/u\", \"./conf:/c\"]\n"})
	release, err := Make(t.Context(), s.cfg, s.repo, sha)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"web": "it keeps files in uploads"}, release.Plan.Because)
}

func TestAVariableThatTheStackLacksIsNoticed(t *testing.T) {
	s := newSource(t)
	s.commit("first", map[string]string{".env.example": "PASSWORD=\n", "compose.yaml": `services:
  web:
    image: web:1
    healthcheck: {test: ["CMD", "true"]}
    environment: ["A=${PASSWORD}", "B=${SESSION_SECRET}", "C=${D:-}", LANGUAGE]
`})
	release, err := Make(t.Context(), s.cfg, s.repo, s.git("rev-parse", "HEAD"))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"compose.yaml:5: web takes the variables SESSION_SECRET, LANGUAGE, which the stack lacks, so they are empty; set them: pulumi config set --secret --path berth:secrets.SESSION_SECRET && pulumi config set --path berth:environment.LANGUAGE VALUE; or give them a default: ${NAME:-}",
	}, release.Advice)
}

func TestAdviceNamesTheLine(t *testing.T) {
	s := newSource(t)
	s.commit("first", map[string]string{"web/Dockerfile": "FROM scratch\nHEALTHCHECK --interval=5s CMD true\n", "compose.yaml": `services:
  web:
    build: web
    ports: ["80:80"]
  worker:
    image: x
    environment:
      PASSWORD: hunter2
`})
	release, err := Make(t.Context(), s.cfg, s.repo, s.git("rev-parse", "HEAD"))
	require.NoError(t, err)
	text := strings.Join(release.Advice, "\n")
	for _, line := range []string{
		"compose.yaml: the repository has no .env.example", "compose.yaml:4: the published ports of web stay closed", "compose.yaml:5: worker has no restart policy",
		"compose.yaml:6: the image x of worker", "compose.yaml:5: while a release takes over, two of worker run beside each other", "compose.yaml:8: the value of PASSWORD of worker can be read by everyone",
	} {
		assert.Contains(t, text, line)
	}
	assert.Len(t, release.Advice, 6, "the image has a health check of its own:\n%s", text)
	assert.NotContains(t, text, "hunter2")
	s.commit("an example", map[string]string{".env.example": "PASSWORD=\n"})
	release, err = Make(t.Context(), s.cfg, s.repo, s.git("rev-parse", "HEAD"))
	require.NoError(t, err)
	assert.NotContains(t, strings.Join(release.Advice, "\n"), ".env.example")
}
