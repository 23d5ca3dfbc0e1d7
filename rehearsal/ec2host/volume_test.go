package ec2host

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDisksAreFoundWithTheirDevices(t *testing.T) {
	found, err := parseDisks([]string{
		"file vol-1.img 1024", "file snap-1.img 2048", "file vol-2.img 4096", "file vol-3.img 8192",
		"device 0 /ebs/vol-1.img /dev/loop3 2", "device 1 /ebs/vol-2.img /dev/loop4 8", "device 0 /ebs/vol-9.img /dev/loop5 8",
		"device 0 /var/lib/docker/volumes/x/_data/vol-3.img /dev/loop6 4", "device 0 / (deleted) /dev/loop7 1",
	})
	require.NoError(t, err)
	assert.Equal(t, map[string]disk{
		"vol-1": {1024, 1024, "/dev/loop3"}, "snap-1": {size: 2048}, "vol-2": {size: 4096}, "vol-3": {8192, 2048, "/dev/loop6"},
	}, found, "what is detached, and what another rehearsal has, is none")
	for _, line := range []string{"file vol-1.img x", "device 0 /ebs/vol-1.img /dev/loop3 x", "device 0 /ebs/vol-1.img /dev/loop3", "device 0 /ebs/vol-1.img (deleted) /dev/loop3 2"} {
		_, err := parseDisks([]string{"file vol-1.img 1024", line})
		assert.ErrorContains(t, err, line)
	}
}

// TestDisksThatCannotBeListedAreNoDisks: a volume that seems to be missing would be made again of its snapshot.
func TestDisksThatCannotBeListedAreNoDisks(t *testing.T) {
	list := func(find, losetup string) (string, error) {
		folder := t.TempDir()
		for name, script := range map[string]string{"find": find, "losetup": losetup} {
			require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script), 0o755))
		}
		command := exec.CommandContext(t.Context(), "bash", "-c", listDisks)
		command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
		output, err := command.Output()
		return string(output), err
	}
	output, err := list("echo file vol-1.img 1024", "echo 0 /ebs/vol-1.img /dev/none")
	require.NoError(t, err)
	assert.Equal(t, "file vol-1.img 1024\ndevice 0 /ebs/vol-1.img /dev/none \n", output)
	_, err = list("exit 1", "true")
	require.Error(t, err)
	_, err = list("true", "exit 1")
	require.Error(t, err)
}
