package provision

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/config"
)

// hostile values mean something to a shell, to Compose's env files or to a terminal.
var hostile = []string{
	`$(touch pwned)`, "`touch pwned`", `'; touch pwned; '`, `"; touch pwned; "`, `$HOME`, `${X:-y}`, `a # b`, `back\slash`,
	`ends with \`, `'quoted'`, `\'`, `"`, ` spaced `, "tab\there", `ü☃`, `!history`, `%s`, `$$`, "\x1b[31m",
}

func TestAssignmentsAreNothingButValues(t *testing.T) {
	for _, value := range append(hostile, "two\nlines", "") {
		folder := t.TempDir()
		bash := exec.CommandContext(t.Context(), "bash", "-c", `set -euo pipefail; source /dev/stdin; printf '%s|' "$VALUE" "$OTHER"`)
		bash.Dir, bash.Stdin = folder, strings.NewReader(assignments("VALUE", value, "OTHER", "x"))
		output, err := bash.CombinedOutput()
		require.NoErrorf(t, err, "%q: %s", value, output)
		assert.Equal(t, value+"|x|", string(output))
		assert.NoFileExists(t, filepath.Join(folder, "pwned"))
	}
}

// TestSettingsNestWithoutLoss sources what a step sources, and then what the step leaves for the scripts.
func TestSettingsNestWithoutLoss(t *testing.T) {
	cfg := &config.Config{
		Domain: "app.example.com", Repository: "ssh://git@git.example.com:2222/a.git", RepositoryHostKey: "ssh-ed25519 AAAA", DeployKey: "key\nof lines\n",
		ComposeFile: "deploy/my compose.yaml", Routes: []config.Route{{Path: "/", Service: "web", Port: 80}, {Path: "/api/", Service: "api", Port: 8000}},
		Environment: map[string]string{"B": hostile[0]}, Secrets: map[string]string{"A": "it's"},
		Migration: &config.Migration{Service: "api", Command: "echo \"it's\" $HOME"}, Registries: map[string]string{"registry.example.com": "you:pass:word", "docker.io": "a:b"},
	}
	settings, err := releaseSettings(cfg, "production", "abc")
	require.NoError(t, err)
	bash := exec.CommandContext(t.Context(), "bash", "-c", `set -euo pipefail
source /dev/stdin
source /dev/stdin <<<"$RELEASE_SETTINGS"
printf '%s\n--\n' "$COMPOSE_FILE" "$APP" "$APP_ENVIRONMENT" "$DEPLOY_KEY" "$KNOWN_HOSTS" "$COMMIT" "$STACK" "$REGISTRIES"`)
	bash.Dir, bash.Stdin = t.TempDir(), strings.NewReader(settings)
	output, err := bash.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	assert.Equal(t, "deploy/my compose.yaml\n--\n"+
		`{"routes":[{"path":"/","service":"web","port":80,"health":""},{"path":"/api/","service":"api","port":8000,"health":""}],"images":{},"strategy":"","migration":{"service":"api","command":"echo \"it's\" $HOME"},"database":null}`+
		"\n--\nA=\"it's\"\nB='$(touch pwned)'\n\n--\nkey\nof lines\n--\n[git.example.com]:2222 ssh-ed25519 AAAA\n--\nabc\n--\nproduction\n--\n"+
		`{"auths":{"https://index.docker.io/v1/":{"auth":"YTpi"},"registry.example.com":{"auth":"eW91OnBhc3M6d29yZA=="}}}`+"\n--\n", string(output))
}

func TestBundleHoldsTheScriptsAndIsAlwaysTheSame(t *testing.T) {
	first, err := bundle()
	require.NoError(t, err)
	second, err := bundle()
	require.NoError(t, err)
	assert.Equal(t, first, second)
	packed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(first))
	require.NoError(t, err)
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	archive := tar.NewReader(zip)
	modes := map[string]int64{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		modes[header.Name] = header.Mode
	}
	assert.EqualValues(t, 0o755, modes["deploy.sh"])
	assert.EqualValues(t, 0o755, modes["steps/volume.sh"])
	assert.EqualValues(t, 0o644, modes["edge/proxy.conf"])
}

func TestFingerprintFollowsTheScripts(t *testing.T) {
	one, err := fingerprint("lib.sh")
	require.NoError(t, err)
	both, err := fingerprint("lib.sh", "deploy.sh")
	require.NoError(t, err)
	assert.NotEqual(t, one, both)
	_, err = fingerprint("absent.sh")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestSiteNamesEveryNameAndNothingElse(t *testing.T) {
	text, err := site(&config.Config{Domain: "app.example.com", Aliases: []string{"www.example.com"}, UploadLimit: 100})
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(text, "server_name app.example.com www.example.com;"))
	assert.Contains(t, text, "ssl_reject_handshake on;")
	assert.NotContains(t, text, "TLSv1.1")
}

// TestEveryScriptIsStrict holds the scripts to the rules of the house.
func TestEveryScriptIsStrict(t *testing.T) {
	require.NoError(t, fs.WalkDir(scripts, "scripts", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sh") {
			return err
		}
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		// With pipefail a grep that stops reading fails its pipeline, now and then.
		assert.NotRegexp(t, `\|\s*grep (-\S+ )*-[A-Za-z]*q`, string(content), path)
		switch name := filepath.Base(path); {
		case name == "lib.sh" || strings.Contains(string(content), ". Sourced by "):
		case strings.Contains("\n"+string(content), "\n# shellcheck shell=sh\n"): // Run by another shell: the login user's, a container's.
			assert.Contains(t, string(content), "\nset -eu\n", path)
		default:
			assert.Contains(t, string(content), "\nset -euo pipefail\n", path)
			assert.True(t, strings.HasSuffix(string(content), "\nmain \"$@\"\n"), path)
		}
		return nil
	}))
}
