package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shell runs lines of bash with the parts of deploy.sh, below folder.
func shell(t *testing.T, folder, lines string, parts ...string) (string, error) {
	t.Helper()
	text := "source scripts/lib.sh\n"
	for _, part := range parts {
		text += "source scripts/release/" + part + "\n"
	}
	command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", text+lines)
	command.Env = append(os.Environ(), "RELEASES="+folder+"/releases")
	output, err := command.CombinedOutput()
	return string(output), err
}

func put(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

// TestNoLinkIsFollowedAtAStart: not one that a container made and is gone, nor one that a container of another release could make.
func TestNoLinkIsFollowedAtAStart(t *testing.T) {
	const writable, readOnly = "", ",\"read_only\":true"
	for name, test := range map[string]struct{ old, new, oldMode, newMode, link, refused string }{
		"nothing before":            {"", "/binds/s/x", "", writable, "", ""},
		"the same folder":           {"/binds/s", "/binds/s", writable, writable, "", ""},
		"beside it":                 {"/binds/s", "/binds/s2", writable, writable, "", ""},
		"inside of what may write":  {"/binds/s", "/binds/s/x", writable, readOnly, "", "one lies in the other"},
		"around what runs":          {"/binds/s/x", "/binds/s", readOnly, writable, "", "one lies in the other"},
		"inside of what is read":    {"/binds/s", "/binds/s/x", readOnly, writable, "", ""},
		"around, and only read":     {"/binds/s/x", "/binds/s", writable, readOnly, "", ""},
		"a link":                    {"", "/binds/s/x", "", writable, "binds/s/x", "is reached by a link, to /etc, and Docker would follow it"},
		"a link on the way":         {"", "/binds/s/x/y", "", readOnly, "binds/s/x", "is reached by a link, to /etc/y"},
		"a link on the way to file": {"", "/files/t1/x", "", readOnly, "files/t1", "is reached by a link"},
		"what is named with a $":    {"/binds/$$s", "/binds/$$s/x", writable, readOnly, "", "/binds/$s/x and release old"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			for release, mount := range map[string][2]string{"old": {test.old, test.oldMode}, "new": {test.new, test.newMode}} {
				put(t, filepath.Join(folder, "releases", release, "app.json"), `{"services":{"w":{"image":"x:1"}}}`)
				put(t, filepath.Join(folder, "releases", release, "data.json"), `{"services":{"a":{"volumes":[{"type":"volume","source":"v","target":"/v"},{"type":"bind","source":"`+folder+mount[0]+`","target":"/m"`+mount[1]+`}]}}}`)
			}
			if test.link != "" {
				require.NoError(t, os.MkdirAll(filepath.Join(folder, filepath.Dir(test.link)), 0o755))
				require.NoError(t, os.Symlink("/etc", filepath.Join(folder, test.link)))
			}
			old := "old"
			if test.old == "" {
				old = ""
			}
			output, err := shell(t, folder, `check_binds "`+old+`" new`, "binds.sh")
			if test.refused == "" {
				require.NoError(t, err, output)
				return
			}
			require.Error(t, err, output)
			assert.Contains(t, output, test.refused)
			assert.Contains(t, output, "what runs is left as it was")
		})
	}
}

// TestPlacesForMountsAreMade: folders and files that every user may reach, and never through a link.
func TestPlacesForMountsAreMade(t *testing.T) {
	folder, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	source := filepath.Join(folder, "releases/new/source")
	put(t, filepath.Join(source, "app/main.py"), "print()")
	put(t, filepath.Join(folder, "binds/settings"), "a")
	place := func(path, from string) string { return `{"path":"` + source + path + `","source":"` + from + `"}` }
	plan := filepath.Join(folder, "releases/new/plan.json")
	put(t, plan, `{"mountpoints":[`+place("/app/node_modules/a", "")+","+place("/app/main.py", "")+","+place("/app/conf/settings", folder+"/binds/settings")+`]}`)
	for range 2 {
		output, err := shell(t, folder, "umask 077; make_mountpoints new", "binds.sh")
		require.NoError(t, err, output)
	}
	for path, mode := range map[string]os.FileMode{"app/node_modules": os.ModeDir | 0o755, "app/node_modules/a": os.ModeDir | 0o755, "app/conf": os.ModeDir | 0o755, "app/conf/settings": 0o644} {
		info, err := os.Stat(filepath.Join(source, path))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode(), path)
	}
	content, err := os.ReadFile(filepath.Join(source, "app/main.py"))
	require.NoError(t, err)
	assert.Equal(t, "print()", string(content))

	outside := t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(source, "link")))
	put(t, plan, `{"mountpoints":[`+place("/link/x", "")+`]}`)
	output, err := shell(t, folder, "make_mountpoints new", "binds.sh")
	require.Error(t, err, output)
	assert.Contains(t, output, "is reached by a link")
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	assert.Empty(t, entries)

	put(t, plan, `{}`)
	output, err = shell(t, folder, "make_mountpoints new", "binds.sh")
	require.NoError(t, err, "a plan of before: "+output)
}
