package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func given() *Given {
	return &Given{Commit: "c0ffee", Source: "/tmp/x/source", Binds: "/data/binds", Files: "/data/files", Trees: map[string]string{"/tmp/x/source/web": "t1", "/tmp/x/source/data": ""},
		Settings: Settings{Strategy: "blue-green", Routes: []Route{{Path: "/", Service: "web", Port: 80}, {Path: "/api/", Service: "web", Port: 8080}}}}
}

func document(t *testing.T, model string) (*Document, map[string]any) {
	t.Helper()
	read, err := ReadModel([]byte(model), nil)
	require.NoError(t, err)
	made := MakeDocument(read, given())
	text, err := made.Text("/tmp/x/source")
	require.NoError(t, err)
	var whole map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &whole))
	return made, whole
}

func at(value any, path ...string) any {
	for _, key := range path {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	return value
}

// TestTheServersComposeReadsIt: what newer ones write in another way is written in its own, and what it does not know is refused.
func TestTheServersComposeReadsIt(t *testing.T) {
	_, whole := document(t, `{"services":{"web":{"image":"x:1","develop":{"watch":[{"path":"/tmp/x/source/web"}]},"pull_refresh_after":"1h","mem_swappiness":"60","deploy":{"resources":{"limits":{"cpus":4},"reservations":{"cpus":0.5}}},"devices":[{"source":"/dev/a","target":"/dev/b","permissions":"rwm"},{"source":"/dev/c"}],
	  "secrets":[{"source":"s","mode":"0440"}],"configs":[{"source":"c","mode":"0444"}],"blkio_config":{"weight":5,"weight_device":[{"Path":"/dev/a","Weight":5}]}}},"secrets":{"s":{"environment":"S"}},"configs":{"c":{"content":"x"}}}`)
	web := at(whole, "app", "services", "web")
	assert.Nil(t, at(web, "develop"))
	assert.Nil(t, at(web, "pull_refresh_after"))
	assert.Equal(t, 60.0, at(web, "mem_swappiness"))
	assert.Equal(t, "4", at(web, "deploy", "resources", "limits", "cpus"))
	assert.Equal(t, "0.5", at(web, "deploy", "resources", "reservations", "cpus"))
	assert.Equal(t, []any{"/dev/a:/dev/b:rwm", "/dev/c"}, at(web, "devices"))
	assert.Equal(t, []any{map[string]any{"source": "s", "mode": 288.0}}, at(web, "secrets"))
	assert.Equal(t, []any{map[string]any{"source": "c", "mode": 292.0}}, at(web, "configs"))
	assert.Equal(t, []any{map[string]any{"path": "/dev/a", "weight": 5.0}}, at(web, "blkio_config", "weight_device"))
	for _, key := range []string{`"post_start":[{"command":["x"]}]`, `"pre_stop":[{"command":["x"]}]`, `"pre_start":[{"image":"x:1"}]`, `"umask":"022"`, `"gpus":[{"count":1}]`, `"networks":{"n":{"gw_priority":5}}`, `"networks":{"n":{"interface_name":"eth5"}}`,
		`"volumes":[{"type":"image","source":"x:1","target":"/i"}]`, `"volumes":[{"type":"bind","source":"/srv","target":"/i","bind":{"recursive":"enabled"}}]`, `"volumes":[{"type":"volume","source":"v","target":"/i","volume":{"labels":{"a":"b"}}}]`} {
		made, _ := document(t, `{"services":{"web":{"image":"x:1",`+key+`}},"networks":{"n":{}},"volumes":{"v":{}}}`)
		assert.Contains(t, fmt.Sprint(made.Problems), "which the server's Compose, Debian's 2.26, does not know", key)
	}
	made, _ := document(t, `{"services":{"web":{"image":"x:1"}},"networks":{"n":{"enable_ipv4":false}}}`)
	assert.Contains(t, fmt.Sprint(made.Problems), "network n has enable_ipv4")
}

// TestWhatTheServerKnowsIsNamed, and what the app writes is not taken for it.
func TestWhatTheServerKnowsIsNamed(t *testing.T) {
	made, whole := document(t, `{"services":{"web":{"build":{"context":"/tmp/x/source/web","additional_contexts":{"more":"/tmp/x/source/web"}},"environment":{"A":"@ID@","B":"a@SOURCE@","C":"@SOURCE@/x"},"command":["@daily","@"],
	  "volumes":[{"type":"bind","source":"/tmp/x/source/web","target":"/w"},{"type":"bind","source":"/tmp/x/source/data","target":"/d","read_only":true}]}}}`)
	assert.Empty(t, made.Problems)
	assert.Equal(t, float64(Version), whole["version"])
	assert.Equal(t, "c0ffee", whole["commit"])
	assert.Equal(t, "@ID@", whole["id"])
	assert.Equal(t, "@PROJECT@", at(whole, "app", "name"))
	web := at(whole, "app", "services", "web")
	assert.Equal(t, map[string]any{"A": "@@ID@", "B": "a@SOURCE@", "C": "@@SOURCE@/x"}, at(web, "environment"))
	assert.Equal(t, []any{"@@daily", "@@"}, at(web, "command"))
	assert.Equal(t, map[string]any{"berth.release": "@ID@"}, at(web, "labels"))
	assert.Equal(t, "@SOURCE@/web", at(web, "volumes").([]any)[0].(map[string]any)["source"])
	assert.Equal(t, "/data/binds/data", at(web, "volumes").([]any)[1].(map[string]any)["source"])
	var published []any
	for _, port := range at(web, "ports").([]any) {
		published = append(published, at(port, "published"))
	}
	assert.Equal(t, []any{"@PORT:web:80@", "@PORT:web:8080@"}, published)
	assert.Equal(t, "@PORT:web:80@", whole["routes"].([]any)[0].(map[string]any)["upstream"])
	assert.Equal(t, []any{map[string]any{"path": "@SOURCE@/data", "hash": ""}, map[string]any{"path": "@SOURCE@/web", "hash": "t1"}}, whole["trees"])
	assert.Equal(t, "@SOURCE@/web", whole["builds"].([]any)[0].(map[string]any)["build"].(map[string]any)["context"])
	assert.NotContains(t, made.Builds[0].Material, "/tmp/x", "another checkout of the same commit builds nothing again")
}

// TestFilesOfTheServerAreReadThere: variables by its Compose; labels it does not know how.
func TestFilesOfTheServerAreReadThere(t *testing.T) {
	read, err := ReadModel([]byte(`{"services":{"web":{"image":"x:1","environment":{"A":"b"}},"db":{"image":"postgres:17"}}}`), nil)
	require.NoError(t, err)
	known := given()
	known.EnvFiles = map[string][]string{"web": {"/srv/web.env", "/srv/more.env"}, "db": {"/srv/db.env"}}
	made := MakeDocument(read, known)
	assert.Empty(t, made.Problems)
	assert.Equal(t, []any{object{"path": "/srv/web.env", "required": true}, object{"path": "/srv/more.env", "required": true}}, made.App.Services["web"]["env_file"])
	assert.Equal(t, []any{object{"path": "/srv/db.env", "required": true}}, made.Data.Services["db"]["env_file"])
	known.LabelFiles = map[string][]string{"web": {"/srv/labels"}}
	assert.Contains(t, fmt.Sprint(MakeDocument(read, known).Problems), "service web has label_file /srv/labels, a file of the server, which the server's Compose")
}

// TestTheSameCommitGivesTheSameText, so that an update without a change runs nothing.
func TestTheSameCommitGivesTheSameText(t *testing.T) {
	const model = `{"services":{"web":{"build":{"context":"FOLDER/web","secrets":[{"source":"s"}]},"depends_on":{"b":{},"a":{}}},"a":{"image":"a:1","links":["db:x","db:y"]},"b":{"image":"b:1"},"db":{"image":"postgres:17","networks":{"n":null}}},"networks":{"n":{}},"secrets":{"s":{"file":"FOLDER/s"}}}`
	texts := map[string]bool{}
	for _, folder := range []string{"/tmp/one/source", "/tmp/another/up/source", "/var/tmp/z/source"} {
		known := given()
		known.Source, known.Trees = folder, map[string]string{folder + "/web": "t1"}
		read, err := ReadModel([]byte(strings.ReplaceAll(model, "FOLDER", folder)), nil)
		require.NoError(t, err)
		text, err := MakeDocument(read, known).Text(folder)
		require.NoError(t, err)
		texts[text] = true
	}
	assert.Len(t, texts, 1)
}

// TestImagesVolumesHavePlansOfTheirOwn: for what is stateless without a label.
func TestImagesVolumesHavePlansOfTheirOwn(t *testing.T) {
	made, whole := document(t, `{"services":{"web":{"image":"x:1","tmpfs":["/run/x"]},"db":{"image":"postgres:17"},"free":{"image":"x:1","labels":{"berth.stateful":"false"}},"job":{"image":"x:1"},
	  "worker":{"image":"x:1","depends_on":{"job":{"condition":"service_completed_successfully"}}}}}`)
	assert.Equal(t, map[string][]string{"web": {"/run/x"}, "worker": {}}, made.Watched)
	assert.Len(t, made.Persistent, 3)
	assert.Equal(t, []string{"db", "job", "web", "worker"}, made.Persistent["web worker"].Stateful)
	assert.Equal(t, "its image declares the volume @VOLUME:web@", at(whole, "persistent", "web", "because", "web"))
	assert.Equal(t, "kept", at(whole, "persistent", "web", "ports").([]any)[0].(map[string]any)["of"])
	assert.Equal(t, []string{"db"}, made.Stateful)
	assert.Len(t, combinations(strings.Fields("a b c d e")), 5, "of many, each alone")
}
