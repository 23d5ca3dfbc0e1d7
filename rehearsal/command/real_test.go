package command

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFindReal(t *testing.T) {
	home, path := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path)
	t.Setenv("PULUMI_HOME", home)
	_, found := FindReal("")
	assert.False(t, found)

	for _, version := range []string{"v1.9.1", "v1.10.0", "v0.11.0"} {
		plugin(t, filepath.Join(home, "plugins", "resource-command-"+version))
	}
	newest := filepath.Join(home, "plugins", "resource-command-v1.10.0", "pulumi-resource-command")
	for _, folder := range []string{"", home} {
		file, found := FindReal(folder)
		assert.True(t, found)
		assert.Equal(t, newest, file)
	}
	_, found = FindReal(t.TempDir())
	assert.False(t, found)

	plugin(t, path)
	file, found := FindReal(home)
	assert.True(t, found)
	assert.Equal(t, filepath.Join(path, "pulumi-resource-command"), file, "the PATH comes first")
}

// The engine looks for the version that the program asks for; what was linked there before goes.
func TestInstallReal(t *testing.T) {
	home, path := t.TempDir(), t.TempDir()
	plugin(t, path)
	program := filepath.Join(path, realName)
	for range 2 {
		require.NoError(t, InstallReal(home, program))
	}
	file, found := FindReal(home)
	require.True(t, found)
	assert.Equal(t, "v"+version, pluginVersion(file))
	linked, err := filepath.EvalSymlinks(file)
	require.NoError(t, err)
	assert.Equal(t, program, linked)
}

// The stand-in keeps the contract of the release that the program is built with.
func TestVersionIsTheSDKs(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	assert.Contains(t, string(text), "github.com/pulumi/pulumi-command/sdk v"+version+"\n")
}

func plugin(t *testing.T, folder string) {
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "pulumi-resource-command"), []byte("#!/bin/sh\n"), 0o700))
}
