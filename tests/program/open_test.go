package program

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// desk is an operator's machine with stand-ins for Pulumi, SSH and the desktop.
func desk(t *testing.T, args ...string) (command *exec.Cmd, folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, script := range map[string]string{
		"pulumi": `for last; do :; done
case $last in url) echo https://app.example.com/ ;; ssh) echo ssh -i key.pem admin@192.0.2.1 ;; ssh*) echo "$last" ;; *) exit 1 ;; esac
[ "$4" = production ]`,
		"ssh":      "echo \"$*\" >" + folder + "/asked\n[ ! -e " + folder + "/refused ] || exit 255\necho ready\ncat",
		"xdg-open": "echo \"$1\" >>" + folder + "/opened",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	command = exec.CommandContext(t.Context(), "../../tools/open.sh", args...)
	command.Env = []string{"PATH=" + folder + ":/usr/bin:/bin", "HOME=" + folder}
	return command, folder
}

func TestTheSiteIsOpened(t *testing.T) {
	command, folder := desk(t, "site", "production")
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	assert.Equal(t, "https://app.example.com/\n", string(output))
	assert.NoFileExists(t, filepath.Join(folder, "opened"), "there is no desktop")

	command, folder = desk(t, "site", "production")
	command.Env = append(command.Env, "DISPLAY=:0")
	output, err = command.CombinedOutput()
	require.NoError(t, err, string(output))
	opened, err := os.ReadFile(filepath.Join(folder, "opened"))
	require.NoError(t, err)
	assert.Equal(t, "https://app.example.com/\n", string(opened))

	command, _ = desk(t, "site", "another")
	output, err = command.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "make it with: pulumi up --stack another")
}

func TestTheStatusPageComesThroughSSH(t *testing.T) {
	command, folder := desk(t, "status", "production")
	command.Env = append(command.Env, "WAYLAND_DISPLAY=wayland-0")
	session, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	lines := bufio.NewScanner(output)
	require.True(t, lines.Scan())
	url := regexp.MustCompile(`^http://127\.0\.0\.1:(\d+)/$`).FindStringSubmatch(lines.Text())
	require.NotNil(t, url, lines.Text())
	require.True(t, lines.Scan())
	asked, err := os.ReadFile(filepath.Join(folder, "asked"))
	require.NoError(t, err)
	for _, want := range []string{"-F none ", "StrictHostKeyChecking=yes", "ExitOnForwardFailure=yes", "admin@192.0.2.1 sudo /opt/berth/status.sh --serve /run/berth/page-"} {
		assert.Contains(t, string(asked), want)
	}
	forward := regexp.MustCompile(`-L 127\.0\.0\.1:` + url[1] + `:(/run/berth/page-\d+\.sock) `).FindStringSubmatch(string(asked))
	require.NotNil(t, forward, string(asked))
	assert.True(t, strings.HasSuffix(strings.TrimSpace(string(asked)), " "+forward[1]), "the socket that the server makes is the one that SSH passes on")
	require.NoError(t, session.Close())
	require.NoError(t, command.Wait())
	opened, err := os.ReadFile(filepath.Join(folder, "opened"))
	require.NoError(t, err)
	assert.Equal(t, url[0]+"\n", string(opened))

	command, folder = desk(t, "status", "production")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "refused"), nil, 0o600))
	refused, err := command.CombinedOutput()
	require.Error(t, err, "SSH's failure is its own")
	assert.NotContains(t, string(refused), "http://")
}
