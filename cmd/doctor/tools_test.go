package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVersions(t *testing.T) {
	for _, test := range []struct {
		have, than string
		older      bool
	}{
		{"3.259.0", "3.259.0", false}, {"3.99.1", "3.259.0", true}, {"3.259", "3.259.0", false}, {"v3.260.0", "3.259.4", false},
		{"1.25.9", "1.26.0", true}, {"1.26rc1", "1.26.0", false}, {"git version 2.28.0.windows.1", "2.29", true}, {"nonsense", "2.29", false}, {"2.30", "", false},
	} {
		assert.Equal(t, test.older, older(test.have, test.than), "%s %s", test.have, test.than)
	}
}

func TestTools(t *testing.T) {
	b := newBench(t)
	assert.Equal(t, finding{Reason: "pulumi " + b.required(needsSDK) + ", with its host for Go"}, b.look((*doctor).pulumi))
	assert.Equal(t, ok, b.look((*doctor).golang).Verdict)
	assert.Equal(t, ok, b.look((*doctor).git).Verdict)

	b.tool("ssh", "echo 'OpenSSH_9.9p1 Debian-3, OpenSSL 3.4' >&2")
	assert.Equal(t, "OpenSSH_9.9p1 Debian-3", b.look((*doctor).ssh).Reason)

	b.tool("pulumi", "echo v3.100.0")
	found := b.look((*doctor).pulumi)
	assert.Equal(t, warning, found.Verdict)
	assert.Contains(t, found.Reason, "pulumi 3.100.0 is older than what Berth is built with, 3.")

	b.tool("pulumi", "echo 'oh no' >&2; exit 3")
	assert.Contains(t, b.look((*doctor).pulumi).Reason, "pulumi does not run: exit status 3: oh no")

	b.tool("git", "echo git version 2.20.1")
	found = b.look((*doctor).git)
	assert.Equal(t, fails, found.Verdict)
	assert.Equal(t, "git 2.20.1 is older than what Berth needs, 2.29", found.Reason)

	b.tool("go", `[ "$1" != env ] && echo go version go1.21.0 linux/amd64 || echo auto`)
	assert.Contains(t, b.look((*doctor).golang).Reason, "go 1.21.0, which automatically fetches the "+b.required(needsGo)+" that Berth needs")
	b.tool("go", `[ "$1" != env ] && echo go version go1.21.0 linux/amd64 || echo local`)
	assert.Equal(t, fails, b.look((*doctor).golang).Verdict)
}

func TestToolsThatAreMissing(t *testing.T) {
	b := newBench(t)
	t.Setenv("PATH", t.TempDir())
	for name, check := range map[string]finding{
		"pulumi": b.look((*doctor).pulumi), "go": b.look((*doctor).golang), "git": b.look((*doctor).git), "ssh": b.look((*doctor).ssh),
	} {
		assert.Equal(t, fails, check.Verdict, name)
		assert.Contains(t, check.Reason, "there is no "+name+" on this machine")
		assert.NotEmpty(t, check.Fix, name)
	}
	assert.Contains(t, b.look((*doctor).readable).Reason, "there is no pulumi on this machine")
}

// TestPulumisHostForGo is often what a package of pulumi alone lacks.
func TestPulumisHostForGo(t *testing.T) {
	b := newBench(t)
	require.NoError(t, os.Remove(filepath.Join(b.tools, "pulumi-language-go")))
	found := b.look((*doctor).pulumi)
	assert.Equal(t, fails, found.Verdict)
	assert.Contains(t, found.Reason, "not its host for Go")

	require.NoError(t, os.MkdirAll(filepath.Join(b.tools, "plugins", "language-go-v3.259.0"), 0o700))
	assert.Equal(t, ok, b.look((*doctor).pulumi).Verdict, "among its plugins")
	require.NoError(t, os.RemoveAll(filepath.Join(b.tools, "plugins")))
	t.Setenv("PULUMI_DEBUG_LANGUAGES", "go:1234")
	assert.Equal(t, ok, b.look((*doctor).pulumi).Verdict, "attached")
}
