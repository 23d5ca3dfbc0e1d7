package command

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tree lists a folder's files with their content.
func tree(t *testing.T, folder string) map[string]string {
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		relative, _ := filepath.Rel(folder, name)
		files[relative] = string(content)
		return err
	}))
	return files
}

func write(t *testing.T, name, content string) {
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
}

func TestCopyPaths(t *testing.T) {
	for _, test := range []struct {
		name, from, to string
		want           map[string]string
		err            string
	}{
		{"a file to a new name", "site/a", "new", map[string]string{"file": "old", "folder/old": "old", "new": "A"}, ""},
		{"a file over another", "site/a", "file", map[string]string{"file": "A", "folder/old": "old"}, ""},
		{"a file into a folder", "site/a", "folder", map[string]string{"file": "old", "folder/old": "old", "folder/a": "A"}, ""},
		{"a file into no folder", "site/a", "none/new", nil, "its folder must exist"},
		{"a folder into a folder", "site", "folder", map[string]string{"file": "old", "folder/old": "old", "folder/site/a": "A", "folder/site/sub/b": "B"}, ""},
		{"a folder into a new one", "site", "new", map[string]string{"file": "old", "folder/old": "old", "new/site/a": "A", "new/site/sub/b": "B"}, ""},
		{"a folder's content", "site/", "folder", map[string]string{"file": "old", "folder/old": "old", "folder/a": "A", "folder/sub/b": "B"}, ""},
		{"a folder over a file", "site", "file", nil, "it exists and is no folder"},
		{"nothing", "none", "new", nil, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := startServer(t)
			p, _ := attached(t)
			from, to := t.TempDir(), t.TempDir()
			write(t, filepath.Join(from, "site/a"), "A")
			write(t, filepath.Join(from, "site/sub/b"), "B")
			write(t, filepath.Join(to, "file"), "old")
			write(t, filepath.Join(to, "folder/old"), "old")
			_, err := create(t, p, copyURN, properties{
				"connection": server.connection(t), "remotePath": to + "/" + test.to,
				"source": &asset.Asset{Path: from + "/" + test.from, Hash: "x", Sig: asset.AssetSig},
			})
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, tree(t, to))
		})
	}
}

func TestCopyAgainOnlyWhenSomethingToCopyChanged(t *testing.T) {
	server := startServer(t)
	p, _ := attached(t)
	from, to := t.TempDir(), t.TempDir()
	inputs := func(content, name string) properties {
		write(t, filepath.Join(from, "a"), content)
		source, err := archive.FromPath(from)
		require.NoError(t, err)
		return properties{"connection": server.connection(t), "remotePath": filepath.Join(to, name), "source": source}
	}
	state, err := create(t, p, copyURN, inputs("one", "x"))
	require.NoError(t, err)
	assert.True(t, state["connection"].IsSecret())
	require.EqualValues(t, 1, p.Connections())

	changed := inputs("one", "x")
	changed["triggers"] = []any{"a trigger replaces, and never comes here; another connection does"}
	state, err = update(t, p, copyURN, state, changed)
	require.NoError(t, err)
	require.EqualValues(t, 1, p.Connections(), "the same content and path")

	state, err = update(t, p, copyURN, state, inputs("two", "x"))
	require.NoError(t, err)
	require.EqualValues(t, 2, p.Connections())
	state, err = update(t, p, copyURN, state, inputs("two", "y"))
	require.NoError(t, err)
	require.EqualValues(t, 3, p.Connections())
	require.NoError(t, remove(t, p, copyURN, state))

	folder := filepath.Base(from)
	assert.Equal(t, map[string]string{"x/" + folder + "/a": "two", "y/" + folder + "/a": "two"}, tree(t, to), "nothing is removed")
}
