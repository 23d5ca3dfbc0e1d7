package release

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
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
		text := problemsOf(made)
		if test.refused == "" {
			assert.Empty(t, text, name)
		} else {
			assert.Contains(t, text, test.refused, name)
			assert.Contains(t, text, "by a link it could have Docker mount any file of the server [mounts-nested]; mount the same folder in both", name)
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
