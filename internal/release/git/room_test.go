package git

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// TestAHugeCommitIsNotWritten: neither large files nor a few kilobytes that are millions of files.
func TestAHugeCommitIsNotWritten(t *testing.T) {
	o := newOrigin(t)
	small := o.commit("first", "a.txt", "a\n")
	entry := "100644 blob " + o.git("rev-parse", small+":a.txt")
	for range 12 {
		command := exec.CommandContext(t.Context(), "git", "-C", o.folder, "mktree")
		var list strings.Builder
		for i := range 10 {
			fmt.Fprintf(&list, "%s\t%d\n", entry, i)
		}
		command.Stdin = strings.NewReader(list.String())
		tree, err := command.Output()
		require.NoError(t, err)
		entry = "040000 tree " + strings.TrimSpace(string(tree))
	}
	bomb := o.git("commit-tree", "-m", "bomb", "-p", small, strings.TrimPrefix(entry, "040000 tree "))
	o.git("branch", "bomb", bomb)
	r := open(t, &config.Config{Repository: o.url(), Ref: "main", VolumeSize: 8})
	require.NoError(t, r.Fetch(t.Context(), small, bomb))
	into := filepath.Join(t.TempDir(), "tree")
	err := r.Checkout(t.Context(), bomb, into)
	require.ErrorContains(t, err, "and may take half of what is free here and on the server's volume: ")
	require.ErrorContains(t, err, "nothing of it was written; Fix: take large files and generated folders out of the repository; or take a larger volume: pulumi config set berth:volumeSize 40")
	assert.NoDirExists(t, into)
	require.NoError(t, r.Checkout(t.Context(), small, into))
}

// TestAFetchIsCutOff where it takes more than it may, and leaves nothing.
func TestAFetchIsCutOff(t *testing.T) {
	o := newOrigin(t)
	noise := make([]byte, 1<<20)
	_, err := rand.Read(noise)
	require.NoError(t, err)
	o.commit("first", "noise", string(noise))
	r := o.open("main")
	_, before, _, err := r.bounded()
	require.NoError(t, err)
	before[2] = "1024"
	_, err = r.ask(t.Context(), "", "sh", before, "-c", "fetch.unpackLimit=1", "fetch", "--quiet", "origin", "+refs/heads/*:refs/heads/*")
	require.Error(t, err)
	packs, err := filepath.Glob(filepath.Join(r.mirror, "objects/pack/tmp_*"))
	require.NoError(t, err)
	require.NotEmpty(t, packs, "git leaves what it began")
	assert.False(t, r.cutOff(64<<20), "another failure")
	_, err = os.Create(filepath.Join(r.mirror, "objects/pack/tmp_pack_x"))
	require.NoError(t, err)
	require.NoError(t, os.Truncate(filepath.Join(r.mirror, "objects/pack/tmp_pack_x"), 1024*512))
	assert.True(t, r.cutOff(1024*512))
	packs, err = filepath.Glob(filepath.Join(r.mirror, "objects/pack/tmp_*"))
	require.NoError(t, err)
	assert.Empty(t, packs)
}
