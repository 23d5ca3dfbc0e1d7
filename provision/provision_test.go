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
		Migration: &config.Migration{Service: "api", Command: "echo \"it's\" $HOME"}, Registries: map[string]string{"ghcr.io": "you:pass:word", "docker.io": "a:b"},
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
		`{"auths":{"ghcr.io":{"auth":"eW91OnBhc3M6d29yZA=="},"https://index.docker.io/v1/":{"auth":"YTpi"}}}`+"\n--\n", string(output))
}

func TestQuoteForCompose(t *testing.T) {
	for value, want := range map[string]string{
		"":          "''",
		"plain":     "'plain'",
		"$HOME":     "'$HOME'",
		`it's $5 \`: `"it's \$5 \\"`,
		`say "'"`:   `"say \"'\""`,
	} {
		assert.Equal(t, want, quoteForCompose(value))
	}
}

func TestPickResolvesAsGitDoes(t *testing.T) {
	sha := func(digit string) string { return strings.Repeat(digit, 40) }
	listing := sha("a") + "\trefs/heads/main\n" + sha("b") + "\trefs/tags/v1\n" + sha("c") + "\trefs/tags/v1^{}\n" +
		sha("d") + "\trefs/tags/light\n" + sha("e") + "\trefs/heads/v2\n" + sha("f") + "\trefs/tags/v2\nwarning: noise\n"
	for ref, want := range map[string]string{
		"main": sha("a"), "v1": sha("c"), "light": sha("d"), "v2": sha("e"), "refs/tags/v2": sha("f"), "aaaaaaa": sha("a"),
	} {
		got, err := pick(listing, ref)
		require.NoError(t, err, ref)
		assert.Equal(t, want, got, ref)
	}
	_, err := pick(listing, "absent")
	assert.ErrorContains(t, err, "pulumi config set berth:ref")
}

func TestResolveCommitAsksTheRepository(t *testing.T) {
	folder := t.TempDir()
	git := func(args ...string) string {
		command := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder, "-c", "user.name=T", "-c", "user.email=t@example.test"}, args...)...)
		output, err := command.CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
		return strings.TrimSpace(string(output))
	}
	git("init", "--quiet", "--initial-branch=main")
	git("commit", "--quiet", "--allow-empty", "--message", "first")
	commit, err := ResolveCommit(t.Context(), &config.Config{Repository: folder, Ref: "main"})
	require.NoError(t, err)
	assert.Equal(t, git("rev-parse", "HEAD"), commit)
	full := strings.Repeat("1", 40)
	commit, err = ResolveCommit(t.Context(), &config.Config{Repository: "/nowhere", Ref: full})
	require.NoError(t, err)
	assert.Equal(t, full, commit, "a full SHA asks nobody")
	_, err = ResolveCommit(t.Context(), &config.Config{Repository: filepath.Join(folder, "absent"), Ref: "main"})
	assert.ErrorContains(t, err, "git ls-remote")
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
	text, err := site(&config.Config{Domain: "app.example.com", Aliases: []string{"www.example.com"}})
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(text, "server_name app.example.com www.example.com;"))
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
		switch name := filepath.Base(path); {
		case name == "lib.sh" || strings.Contains(string(content), ". Sourced by deploy.sh."):
		case strings.Contains("\n"+string(content), "\n# shellcheck shell=sh\n"): // Run by another shell: the login user's, a container's.
			assert.Contains(t, string(content), "\nset -eu\n", path)
		default:
			assert.Contains(t, string(content), "\nset -euo pipefail\n", path)
			assert.True(t, strings.HasSuffix(string(content), "\nmain \"$@\"\n"), path)
		}
		return nil
	}))
}
