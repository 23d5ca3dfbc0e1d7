package stack

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheCLIIsAskedOnlyWhatIsNotKnown(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "pulumi")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho \"$@ $X\"; echo said >&2; exit 3\n"), 0o700))
	_, err := newCLI(path+"2", folder, "berth")
	require.Error(t, err)
	c, err := newCLI(path, folder, "berth")
	require.NoError(t, err)
	ask := func(args ...string) (string, int) {
		printed, _, code, _ := c.Run(t.Context(), folder, nil, nil, nil, nil, args...)
		return printed, code
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(c.state), 0o700))
	// Without a state, with half of one, and after a first update that failed, the CLI is asked.
	for _, state := range []string{"", `{"checkpoint": {"latest": {`, `{"checkpoint": {"latest": {"resources": [{"type": "pulumi:pulumi:Stack"}]}}}`} {
		if state != "" {
			require.NoError(t, os.WriteFile(c.state, []byte(state), 0o600))
		}
		for _, command := range []string{"select", "output"} {
			printed, code := ask("stack", command, "--stack", Name)
			assert.Equal(t, "--non-interactive stack "+command+" --stack "+Name+" \n", printed)
			assert.Equal(t, 3, code)
		}
	}
	require.NoError(t, os.WriteFile(c.state, []byte(`{"checkpoint": {"latest": {"resources": [{"type": "x"}, {"type": "pulumi:pulumi:Stack", "outputs": {"url": "https://x/"}}]}}}`), 0o600))
	printed, code := ask("stack", "output", "--json", "--show-secrets", "--stack", Name)
	assert.JSONEq(t, `{"url": "https://x/"}`, printed)
	assert.Zero(t, code)
	_, code = ask("stack", "select", "--stack", Name)
	assert.Zero(t, code)
	printed, _ = ask("stack", "history", "--json")
	assert.JSONEq(t, "[]", printed)

	var stdout, stderr bytes.Buffer
	printed, said, code, err := c.Run(t.Context(), folder, nil, []io.Writer{&stdout}, []io.Writer{&stderr}, []string{"X=y"}, "up")
	require.Error(t, err)
	assert.Equal(t, 3, code)
	assert.Equal(t, []string{"--non-interactive up y\n", "--non-interactive up y\n", "said\n", "said\n"}, []string{printed, stdout.String(), said, stderr.String()})
}

// TestTheVersionIsTheMakefiles: the Automation API refuses much with an older one.
func TestTheVersionIsTheMakefiles(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^PULUMI_OLDEST +:= v`+regexp.QuoteMeta((*cli)(nil).Version().String())+`$`, string(makefile))
}
