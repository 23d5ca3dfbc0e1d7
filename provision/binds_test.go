package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBindsThatContainEachOther: where a container may write above what another mount starts from, it could have Docker follow
// a link to any file of the server.
func TestBindsThatContainEachOther(t *testing.T) {
	bind := func(source, more string) string {
		return `{"type":"bind","source":"` + source + `","target":"/m` + strings.ReplaceAll(source, "/", "-") + `"` + more + `}`
	}
	service := func(name string, binds ...string) string {
		return `,"` + name + `":{"image":"x:1","volumes":[` + strings.Join(binds, ",") + `]}`
	}
	const readOnly, stateless = `,"read_only":true`, `,"labels":{"berth.stateful":"false"}`
	allowed := map[string]any{"allow": []any{"host-mounts"}}
	for name, test := range map[string]struct {
		services string
		changes  map[string]any
		refused  string
	}{
		"of two services":          {service("a", bind("/src/s", "")) + service("b", bind("/src/s/x", "")), nil, "service a mounts s, and service b mounts s/x, which lies in it, while a may write there"},
		"the lower one only read":  {service("a", bind("/src/s", "")) + service("b", bind("/src/s/x", readOnly)), nil, "while a may write there"},
		"the upper one only read":  {service("a", bind("/src/s", readOnly)) + service("b", bind("/src/s/x", "")), nil, "while b may write there"},
		"of one service":           {service("a", bind("/src/s", ""), bind("/src/s/x/y", "")), nil, "service a mounts s, and service a mounts s/x/y"},
		"with a slash at the end":  {service("a", bind("/src/s/", "")) + service("b", bind("/src/s/x", "")), nil, "which lies in it"},
		"one of them is stateless": {service("a", bind("/src/s", "")) + `,"b":{"image":"x:1","volumes":[` + bind("/src/s/x", "") + `]` + stateless + `}`, nil, "which lies in it"},
		"both only read":           {service("a", bind("/src/s", readOnly)) + service("b", bind("/src/s/x", readOnly)), nil, ""},
		"the same folder":          {service("a", bind("/src/s", "")) + service("b", bind("/src/s", "")), nil, ""},
		"beside each other":        {service("a", bind("/src/s", "")) + service("b", bind("/src/s2", ""), bind("/src/t/s", "")), nil, ""},
		// What the commit holds is only read, and lies elsewhere than what it does not hold.
		"of the commit":               {service("a", bind("/src/web", "")) + service("b", bind("/src/web/uploads", "")), nil, ""},
		"of the commit, writable":     {service("a", bind("/src/web", "")) + service("b", bind("/src/web/conf", "")), map[string]any{"allow": []any{"host-mounts"}, "trees": map[string]any{"/src/web": "t1", "/src/web/conf": "t2"}}, "service a mounts web, and service b mounts web/conf"},
		"the checkout":                {service("a", bind("/src", "")) + service("b", bind("/src/init.sql", readOnly)), map[string]any{"allow": []any{"host-mounts"}}, "which lies in it"},
		"the checkout, only read":     {service("a", bind("/src", "")) + service("b", bind("/src/init.sql", readOnly), bind("/src/uploads", "")), nil, ""},
		"a secret":                    {`,"a":{"image":"x:1","volumes":[` + bind("/src/s", "") + `],"secrets":[{"source":"s"}]}},"secrets":{"s":{"file":"/data/binds/s/token"}`, allowed, "which lies in it"},
		"a config":                    {`,"a":{"image":"x:1","volumes":[` + bind("/srv/a", "") + `],"configs":[{"source":"c"}]}},"configs":{"c":{"file":"/srv/a/c"}`, allowed, "service a mounts /srv/a, and service a mounts /srv/a/c"},
		"of the server":               {service("a", bind("/srv/a", "")) + service("b", bind("/srv/a/b", readOnly)), allowed, "service a mounts /srv/a, and service b mounts /srv/a/b"},
		"the whole disk":              {service("a", bind("/", "")) + service("b", bind("/srv/b", readOnly)), allowed, "service a mounts /, and service b mounts /srv/b"},
		"the whole disk, only read":   {service("a", bind("/", readOnly)) + service("b", bind("/srv/b", "")), allowed, ""},
		"the app's place on the disk": {service("a", bind("/data/binds", "")) + service("b", bind("/src/s", "")), allowed, "service a mounts /data/binds, and service b mounts s"},
		"a socket below what is read": {service("a", bind("/var/run", readOnly), bind("/var/run/docker.sock", "")), allowed, ""},
	} {
		made, _ := planned(t, `{"services":{`+web+test.services+`}}`, test.changes)
		text := strings.Join(made.Problems, "\n")
		if test.refused == "" {
			assert.Empty(t, text, name)
		} else {
			assert.Contains(t, text, test.refused, name)
			assert.Contains(t, text, "by a link it could have Docker mount any file of the server; mount the same folder in both", name)
		}
	}
}

// TestWhatTheCommitHoldsIsOnlyRead: in either project, and where it holds other mounts their places are made.
func TestWhatTheCommitHoldsIsOnlyRead(t *testing.T) {
	model := `{"services":{` + web + `,
	  "a":{"image":"x:1","volumes":[{"type":"bind","source":"/src/web","target":"/app/"},{"type":"volume","target":"/app/node_modules"},{"type":"bind","source":"/src/uploads","target":"/app/up/loads"},
	    {"type":"bind","source":"/src/init.sql","target":"/app/init.sql"},{"type":"tmpfs","target":"/app/up/loads/tmp"},{"type":"volume","target":"/apple"}],"tmpfs":["/app/cache:size=1m"],"labels":{"berth.stateful":"false"}},
	  "db":{"image":"postgres:17","volumes":[{"type":"bind","source":"/src/web","target":"/conf"},{"type":"volume","source":"v","target":"/conf/data"}]}},"volumes":{"v":{}}}`
	folders := map[string]any{"folders": []any{"/src/web"}, "image_volumes": map[string]any{"a": []any{"/app/declared", "/elsewhere"}}}
	mounts := func(whole map[string]any, path ...string) (found []string) {
		for _, one := range at(whole, path...).(map[string]any)["volumes"].([]any) {
			if source, ok := at(one, "source").(string); ok && at(one, "type") == "bind" {
				if at(one, "read_only") == true {
					source += " ro"
				}
				found = append(found, source)
			}
		}
		return found
	}
	made, whole := planned(t, model, folders)
	assert.Empty(t, made.Problems)
	assert.Equal(t, []string{"/src/web ro", "/data/binds/uploads", "/src/init.sql ro"}, mounts(whole, "app", "services", "a"))
	assert.Equal(t, []string{"/data/files/t1 ro"}, mounts(whole, "data", "services", "db"))
	place := func(path, source string) any { return map[string]any{"path": path, "source": source} }
	assert.Equal(t, []any{
		place("/data/files/t1/data", ""), place("/src/web/cache", ""), place("/src/web/declared", ""), place("/src/web/init.sql", "/src/init.sql"),
		place("/src/web/node_modules", ""), place("/src/web/up/loads", "/data/binds/uploads"),
	}, at(whole, "mountpoints"))

	folders["allow"] = []any{"host-mounts"}
	_, whole = planned(t, model, folders)
	assert.Equal(t, []string{"/src/web", "/data/binds/uploads", "/src/init.sql"}, mounts(whole, "app", "services", "a"))
	assert.Equal(t, []string{"/data/files/t1"}, mounts(whole, "data", "services", "db"))
	assert.Empty(t, at(whole, "mountpoints"), "Docker makes them itself")
}

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
