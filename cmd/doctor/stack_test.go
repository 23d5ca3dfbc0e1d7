package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSettingsThatCannotBeRead are explained in the cases that everyone meets; the words are Pulumi's.
func TestSettingsThatCannotBeRead(t *testing.T) {
	for said, want := range map[string]finding{
		"error: no stack named 'production' found": {ID: "stack-missing", Verdict: fails, Reason: "there is no stack production", Fix: "pulumi stack init production"},
		"error: incorrect passphrase":              {ID: "passphrase-wrong", Verdict: fails, Reason: "the passphrase is not the one that the stack's secrets are encrypted with", Fix: "read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE"},
		"error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables": {ID: "passphrase-missing", Verdict: fails, Reason: "the passphrase of the stack's secrets is missing", Fix: "read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE"},
		"error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions":                               {ID: "pulumi-not-logged-in", Verdict: fails, Reason: "Pulumi is not logged in anywhere", Fix: "pulumi login 'file://~/berth-state?metadata=skip' (docs/state.md has the others)"},
		"error: something else": {ID: "settings-unreadable", Verdict: fails, Reason: "they cannot be read: exit status 255: something else"},
	} {
		b := newBench(t)
		b.pulumiHas("refuses", said+"\n")
		assert.Equal(t, want, b.look((*doctor).readable))
		assert.Contains(t, b.look((*doctor).zone).Reason, "skipped, because the stack's settings cannot be read")
	}
	b := newBench(t)
	b.pulumiHas("none", "")
	assert.Equal(t, "no stack is selected", b.look((*doctor).readable).Reason)
	b.chosen = "production"
	assert.Equal(t, ok, b.look((*doctor).readable).Verdict, "a stack that is named need not be selected")
	b.pulumiHas("config", "nonsense")
	assert.Contains(t, b.look((*doctor).readable).Reason, "is Pulumi much newer than Berth?")
}

// TestPulumiSaysWhatTheDoctorUnderstands asks the real CLI. It needs BERTH_PULUMI to name it.
func TestPulumiSaysWhatTheDoctorUnderstands(t *testing.T) {
	cli := os.Getenv("BERTH_PULUMI")
	if cli == "" {
		t.Skip("BERTH_PULUMI does not name the Pulumi CLI; make tools builds it")
	}
	b := newBench(t)
	require.NoError(t, os.Remove(filepath.Join(b.tools, "pulumi")))
	require.NoError(t, os.Symlink(cli, filepath.Join(b.tools, "pulumi")))
	state := t.TempDir()
	project, err := os.ReadFile("../../Pulumi.yaml")
	require.NoError(t, err)
	b.write("Pulumi.yaml", string(project))
	reason := func() string { return b.look((*doctor).readable).Reason }
	t.Setenv("PULUMI_BACKEND_URL", "")
	t.Setenv("PULUMI_CREDENTIALS_PATH", t.TempDir())
	t.Setenv("PULUMI_ACCESS_TOKEN", "")
	for _, agent := range []string{"", "an-agent"} { // Pulumi has other words where it believes that an AI agent runs it
		t.Setenv("AI_AGENT", agent)
		assert.Equal(t, notLoggedIn.Reason, reason())
		assert.Equal(t, notLoggedIn.Reason, b.look((*doctor).state).Reason)
	}

	t.Setenv("PULUMI_BACKEND_URL", "file://"+state+"?metadata=skip")
	assert.Equal(t, "kept in file://"+state+"?metadata=skip", b.look((*doctor).state).Reason)
	assert.Equal(t, "no stack is selected", reason())
	b.chosen = "production"
	assert.Equal(t, "there is no stack production", reason())
	b.chosen = ""

	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "canary-5b1f")
	pulumi := func(args ...string) {
		t.Helper()
		_, err := run(t.Context(), b.folder, silent, "pulumi", args...)
		require.NoError(t, err)
	}
	pulumi("stack", "init", "production")
	pulumi("config", "set", "--secret", "--path", "berth:secrets.TOKEN", "canary-9c2e")
	assert.Contains(t, reason(), "5 settings of stack production are wrong")
	fresh := &doctor{project: b.project, folder: b.folder}
	_, err = fresh.stack(t.Context())
	require.NoError(t, err)
	assert.Contains(t, fresh.secrets(), "canary-9c2e")
	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "another")
	assert.Contains(t, reason(), "the passphrase is not the one")
	require.NoError(t, os.Unsetenv("PULUMI_CONFIG_PASSPHRASE"))
	assert.Contains(t, reason(), "the passphrase of the stack's secrets is missing")
}
