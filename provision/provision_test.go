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
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

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
	text, server, err := site(&config.Config{Domain: "app.example.com", Aliases: []string{"www.example.com"}, MaxBody: 100})
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(text, "server_name app.example.com www.example.com;"))
	assert.Contains(t, text, "ssl_reject_handshake on;")
	assert.NotContains(t, text+server, "TLSv1.1")
	assert.Contains(t, server, "ssl_protocols TLSv1.2 TLSv1.3;")
	assert.NotContains(t, server, "server_name")
}

// TestEveryScriptIsStrict holds the scripts to the rules of the house.
func TestEveryScriptIsStrict(t *testing.T) {
	require.NoError(t, fs.WalkDir(os.DirFS("."), "scripts", func(path string, entry fs.DirEntry, err error) error {
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
