package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMakeRunTakesACommandAsItIsTyped runs the Makefile with another program in the place of tools/ssh.sh: what follows the dashes is
// the command, even where it is called as a target or a file here.
func TestMakeRunTakesACommandAsItIsTyped(t *testing.T) {
	folder := t.TempDir()
	text, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "Makefile"), text, 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "tools"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "tools", "ssh.sh"), []byte("#!/bin/sh\nprintf '%s|' \"$@\"\n"), 0o700))
	run := func(args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), "make", append([]string{"--no-print-directory", "-C", folder, "run"}, args...)...)
		command.Env = append(os.Environ(), "MAKEFLAGS=", "BERTH_OPERATOR=")
		output, err := command.Output()
		return string(output), err
	}
	for want, args := range map[string][]string{
		"rake db:seed --trace":    {"--", "rake", "db:seed", "--trace"},
		"test doctor tools run":   {"--", "test", "doctor", "tools", "run"},
		`sh -c "echo $HOME 100%"`: {`COMMAND=sh -c "echo $HOME 100%"`},
	} {
		output, err := run(append([]string{"STACK=production", "SERVICE=web"}, args...)...)
		require.NoError(t, err, want)
		assert.Equal(t, "production|sudo /opt/berth/deploy.sh run web "+want+"|", output)
	}
	for _, args := range [][]string{{}, {"STACK=production", "SERVICE=web"}, {"STACK=production", "--", "x"}, {"SERVICE=web", "--", "x"}} {
		output, err := run(args...)
		require.Error(t, err, strings.Join(args, " "))
		assert.Empty(t, output, "nothing runs")
	}
}
