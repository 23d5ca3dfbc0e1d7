package tests

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"al.essio.dev/pkg/shellescape"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// wildApp is a case of apps/wild; apps/README.md says what its fields are.
type wildApp struct {
	Routes                  []map[string]any
	Variables               map[string]string
	Folders, Contains       map[string]string
	Stateful, StatefulLater []string
	Says, SaysLater         []string
	Restores                struct{ Service, Fill, Change, Show, Want string }
	Migration, Database     map[string]string
	Strategy                string
	Allow                   []string
}

// everyTime are the apps that 'make test-all' releases. 'make test-wild' releases all.
var everyTime = []string{"anonymous-volume", "container-name-and-ports", "image-volume", "job-with-data", "mariadb", "stateful-web", "two-routes", "web-api-db"}

// testWild deploys, redeploys and rolls back apps of apps/wild on a rehearsal's host, by the script that 'pulumi up' runs
// there.
func testWild(t *testing.T, r *harness.Rehearsal, site *harness.Site) {
	cases, err := filepath.Glob("apps/wild/*/case.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(cases), 10)
	for _, file := range cases {
		folder := filepath.Dir(file)
		if os.Getenv("BERTH_WILD") != "all" && !slices.Contains(everyTime, filepath.Base(folder)) {
			continue
		}
		t.Run(filepath.Base(folder), func(t *testing.T) {
			r, site := r.In(t), site.In(t)
			r.SSH(wildAway)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var app wildApp
			require.NoError(t, json.Unmarshal(text, &app))
			if app.Contains == nil {
				app.Contains = map[string]string{"/": "web VERSION"}
			}
			if app.Strategy == "" {
				app.Strategy = "blue-green"
			}
			if app.StatefulLater == nil {
				app.StatefulLater = app.Stateful
			}
			repository, commits := wildRepository(t, r, app.assemble(t, folder))
			release := func(version, command string) string {
				commit := commits[0]
				if version == "v2" {
					commit = commits[1]
				}
				app.configure(t, r, repository, commit)
				r.SSHInput("sudo bash -euc 'umask 077; cat > /etc/berth/app.env'", app.environment())
				// Advice is for the log, where the lines of earlier releases are, too.
				output := r.SSH("lines=$(sudo cat /var/log/berth/release.log | wc -l); sudo /opt/berth/deploy.sh " + command +
					" && { sudo tail -n +$((lines + 1)) /var/log/berth/release.log | grep '^advice: ' || true; }")
				for path, want := range app.Contains {
					response := site.Do(http.MethodGet, "https://"+harness.Domain+path, "")
					body, err := io.ReadAll(response.Body)
					require.NoError(t, err)
					require.Containsf(t, string(body), strings.ReplaceAll(want, "VERSION", version), "%s %s of %s: %s\n%s", command, path, version, response.Status, output)
				}
				return output
			}
			stateful := func() []string {
				return strings.Fields(r.SSH(`sudo docker ps --filter label=com.docker.compose.project=app --format '{{.Label "com.docker.compose.service"}}'`))
			}
			output := release("v1", "deploy")
			for _, line := range app.Says {
				assert.Contains(t, output, line)
			}
			assert.ElementsMatch(t, app.Stateful, stateful(), "what persists")
			before := r.SSH("sudo docker ps --quiet --filter label=com.docker.compose.project=app")
			app.inDatabase(r, app.Restores.Fill)
			output = release("v2", "deploy")
			for _, line := range app.SaysLater {
				assert.Contains(t, output, line)
			}
			assert.ElementsMatch(t, app.StatefulLater, stateful())
			if app.SaysLater == nil && app.Stateful != nil && len(app.StatefulLater) == len(app.Stateful) {
				assert.Equal(t, before, r.SSH("sudo docker ps --quiet --filter label=com.docker.compose.project=app"), "what did not change was not touched")
			}
			if app.Restores.Service != "" {
				app.inDatabase(r, app.Restores.Change)
				release("v1", "rollback --with-database --yes")
				assert.Equal(t, app.Restores.Want, app.inDatabase(r, app.Restores.Show))
			} else {
				release("v1", "rollback")
			}
			assert.Contains(t, release("v1", "deploy"), "serves already")
			running := strings.Fields(r.SSH(`sudo docker ps --filter label=berth.release --format '{{.Label "berth.release"}}' | sort -u`))
			assert.LessOrEqual(t, len(running), 1, "one release runs")
		})
	}
	r.SSH(wildAway)
}

// inDatabase runs a command in the service whose data is restored.
func (a *wildApp) inDatabase(r *harness.Rehearsal, command string) string {
	if command == "" {
		return ""
	}
	return r.SSH(`sudo docker exec "$(sudo docker ps --quiet --filter label=com.docker.compose.service=` + a.Restores.Service + `)" sh -c ` + shellescape.Quote(command))
}

// assemble lays both versions of an app into folders v1 and v2 of a new one.
func (a *wildApp) assemble(t *testing.T, folder string) string {
	t.Helper()
	whole := t.TempDir()
	lay := func(from, into string) {
		require.NoError(t, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
			relative, _ := filepath.Rel(from, path)
			if err != nil || relative == "case.json" {
				return err
			}
			if entry.IsDir() {
				if relative == "v2" {
					return fs.SkipDir
				}
				return os.MkdirAll(filepath.Join(into, relative), 0o755)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(into, relative), content, 0o644)
		}))
	}
	for _, version := range []string{"v1", "v2"} {
		into := filepath.Join(whole, version)
		pages := map[string]string{".": "VERSION"}
		maps.Copy(pages, a.Folders)
		for name, page := range pages {
			at := filepath.Join(into, name)
			lay("apps/wild/common", at)
			require.NoError(t, os.WriteFile(filepath.Join(at, "page"), []byte(strings.ReplaceAll(page, "VERSION", version)), 0o644))
		}
		lay(folder, into)
		if _, err := os.Stat(filepath.Join(folder, version)); err == nil {
			lay(filepath.Join(folder, version), into)
		}
	}
	return whole
}

// wildRepository makes a repository with the tags v1 and v2 of a folder with folders of these names, here and on the host, and says
// where it is here and which commits they are.
func wildRepository(t *testing.T, r *harness.Rehearsal, folder string) (repository string, commits []string) {
	t.Helper()
	repository = filepath.Join(t.TempDir(), "wild.git")
	shell := exec.CommandContext(t.Context(), "sh", "-euc", `git init --quiet "$2.work"
cd "$2.work"
for version in v1 v2; do
  git rm -rfq . 2>/dev/null || true
  cp -a "$1/$version/." .
  git add --all
  git -c user.name=Test -c user.email=test@example.test commit --quiet -m "$version"
  git tag "$version"
done
git clone --quiet --bare . "$2"
git -C "$2" rev-parse v1 v2`, "sh", folder, repository)
	output, err := shell.Output()
	require.NoError(t, err)
	r.SSHInput("sudo sh -euc 'rm -rf /srv/wild; mkdir -p /srv/wild/refs /srv/wild/objects; tar -x --no-same-owner -C /srv/wild'", packed(t, repository))
	return repository, strings.Fields(string(output))
}

// wildAway takes everything of an app off the host, but for images' layers.
const wildAway = `sudo bash -euc '
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
docker network prune --force >/dev/null
docker volume ls --quiet | xargs --no-run-if-empty docker volume rm >/dev/null
find /data/releases -mindepth 1 -maxdepth 1 -not -name starting -exec rm -rf {} +
ln -s starting /data/releases/current
systemctl restart berth-slots
rm -rf /data/app.git /data/dumps /data/binds /data/files'`

// configure leaves on the host what 'pulumi up' does for the release of a commit.
func (a *wildApp) configure(t *testing.T, r *harness.Rehearsal, repository, commit string) {
	t.Helper()
	settings := a.settings(t, commit)
	given, err := json.Marshal(map[string]any{"repository": repository, "commit": commit, "composeFiles": []string{"compose.yaml"}, "strategy": a.Strategy, "routes": a.Routes,
		"migration": a.Migration, "database": a.Database, "allow": a.Allow, "variables": a.Variables})
	require.NoError(t, err)
	plan, err := r.TryWith(string(given), "plan")
	require.NoError(t, err, plan)
	r.SSHInput("sudo bash -euc 'umask 077; cat > /etc/berth/plan.json'", plan)
	r.SSHInput("sudo bash -euc 'umask 077; cat > /etc/berth/release.json'", settings)
}

func (a *wildApp) settings(t *testing.T, commit string) string {
	t.Helper()
	for _, route := range a.Routes {
		if _, ok := route["health"]; !ok {
			route["health"] = ""
		}
	}
	text, err := json.Marshal(map[string]any{
		"DOMAIN": harness.Domain, "REPOSITORY": "/srv/wild", "COMMIT": commit, "COMPOSE_FILE": "compose.yaml", "STRATEGY": a.Strategy,
		"HEALTHY_WITHIN": 60, "DRAIN_WITHIN": 10, "KEEP": 3,
		"APP": map[string]any{"routes": a.Routes, "images": map[string]string{}, "strategy": a.Strategy, "migration": a.Migration, "database": a.Database, "allow": a.Allow},
	})
	require.NoError(t, err)
	return string(text)
}

func (a *wildApp) environment() string {
	var text strings.Builder
	for name, value := range a.Variables {
		fmt.Fprintf(&text, "%s='%s'\n", name, value)
	}
	return text.String()
}

// packed is a folder as a tar archive.
func packed(t *testing.T, folder string) string {
	t.Helper()
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	require.NoError(t, writer.AddFS(os.DirFS(folder)))
	require.NoError(t, writer.Close())
	return archive.String()
}
