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

func plugin(t *testing.T, folder string) {
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "pulumi-resource-command"), []byte("#!/bin/sh\n"), 0o700))
}
