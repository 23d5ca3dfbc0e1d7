package compose

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const base = `x-app: &app {image: "shop:1", environment: {PASSWORD: hunter2, TOKEN: "${TOKEN}"}}
services:
  web:
    <<: *app
    command: [run, "${MODE}"]
    ports: ["80:80"]
    volumes: ["./a:/a"]
  db:
    image: postgres:17
    environment: ["POSTGRES_PASSWORD=hunter2", BARE]
`

const over = `services:
  db:
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD:?}"}
  web:
    command: [serve]
    ports: !reset []
    volumes: ["./b:/b"]
    environment:
      - PASSWORD=${PASSWORD:?}
    restart: always
  worker:
    image: shop:1
`

// TestALaterFileIsReadOverAnEarlierOne, and each line is found in the file that has it.
func TestALaterFileIsReadOverAnEarlierOne(t *testing.T) {
	source := ReadSource([]byte(base), []byte(over))
	assert.Equal(t, []string{"web", "db", "worker"}, source.Services())
	for _, of := range []struct {
		at   Place
		path []string
	}{
		{Place{0, 3}, []string{"services", "web"}},
		{Place{0, 1}, []string{"services", "web", "image"}},
		{Place{1, 5}, []string{"services", "web", "command"}},
		{Place{1, 10}, []string{"services", "web", "restart"}},
		{Place{1, 11}, []string{"services", "worker"}},
		{Place{1, 12}, []string{"services", "worker", "image"}},
		{Place{1, 3}, []string{"services", "db", "environment", "POSTGRES_PASSWORD"}},
		{Place{0, 3}, []string{"services", "web", "ports"}},
	} {
		assert.Equal(t, of.at, source.At(of.path...), of.path)
	}
	assert.Equal(t, Place{0, 7}, source.Holding("./a", "services", "web", "volumes"))
	assert.Equal(t, Place{1, 7}, source.Holding("./b", "services", "web", "volumes"))
	nobody := func(string) bool { return false }
	assert.Empty(t, source.Exposed(nobody), "what a later file replaces is not in use")
	var names []string
	for _, gap := range source.Gaps(nobody) {
		names = append(names, gap.Name)
	}
	assert.Equal(t, []string{"TOKEN", "BARE", "DB_PASSWORD", "PASSWORD"}, names, "MODE is of a command that is replaced")
	assert.Len(t, ReadSource([]byte(base)).Exposed(nobody), 2, "alone it is")
	assert.Equal(t, Place{1, 2}, ReadSource([]byte("\tno YAML"), []byte("services:\n  web: {image: x}\n")).At("services", "web"), "one without lines")
}

// TestSeveralFilesAreLoadedAsComposeDoes: paths belong to the first file's folder, and nothing is taken that is not named.
func TestSeveralFilesAreLoadedAsComposeDoes(t *testing.T) {
	dir := checkout(t, map[string]string{
		"compose.yaml":             "services:\n  web: {image: \"web:1\", volumes: [\"./a:/a\"], environment: {A: base, B: base}, labels: {x: \"1\"}}\n",
		"compose.override.yaml":    "services:\n  web: {image: \"laptop:1\"}\n",
		"deploy/compose.prod.yaml": "services:\n  web: {image: \"web:2\", volumes: [\"./b:/b\"], environment: [\"B=over\"], env_file: over.env}\n  more: {extends: {file: base.yaml, service: base}}\n",
		"base.yaml":                "services:\n  base: {image: \"base:1\"}\n",
		"over.env":                 "C=read\n",
		"deploy/over.env":          "C=elsewhere\n",
	})
	model, err := Load(t.Context(), dir, []string{"compose.yaml", "deploy/compose.prod.yaml"}, nil, nil)
	require.NoError(t, err)
	web := model.Project.Services["web"]
	assert.Equal(t, "web:2", web.Image)
	assert.Len(t, web.Volumes, 2)
	assert.Equal(t, dir+"/b", web.Volumes[1].Source, "relative to the first file's folder")
	assert.Equal(t, map[string]string{"A": "base", "B": "over", "C": "read"}, map[string]string{"A": *web.Environment["A"], "B": *web.Environment["B"], "C": *web.Environment["C"]})
	assert.Equal(t, "base:1", model.Project.Services["more"].Image)
}

// TestOfSeveralFilesEachIsLookedAt before Compose reads it.
func TestOfSeveralFilesEachIsLookedAt(t *testing.T) {
	for over, refused := range map[string]string{
		"services:\n  web: {extends: {file: /etc/passwd, service: x}}\n":       "/etc/passwd points outside the repository",
		"include: [../elsewhere.yaml]\nservices: {}\n":                         "../elsewhere.yaml points outside the repository",
		"services:\n  web: {image: !reset null}\n  x: {iamge: y}\n":            "compose.prod.yaml: ",
		"services:\n  web: {environment: {A: \"${MUST:?}\"}}\n":                "required variable MUST is missing a value",
		"services: !override\n  web: {extends: {file: ../../x, service: x}}\n": "../../x points outside the repository",
	} {
		dir := checkout(t, map[string]string{"compose.yaml": "services:\n  web: {image: x}\n", "compose.prod.yaml": over})
		_, err := Load(t.Context(), dir, []string{"compose.yaml", "compose.prod.yaml"}, nil, nil)
		require.Error(t, err, over)
		assert.Contains(t, err.Error(), "compose.yaml with compose.prod.yaml is refused by Compose: ")
		assert.Contains(t, err.Error(), refused)
	}
	_, err := Load(t.Context(), checkout(t, map[string]string{"compose.yaml": "services: {}\n"}), []string{"a.yaml", "compose.yaml", "deploy/b.yaml"}, nil, nil)
	require.Error(t, err)
	assert.Equal(t, "the repository has no a.yaml; name the file: pulumi config set --path 'berth:composeFile[0]' compose.yaml\n"+
		"the repository has no deploy/b.yaml; name the file: pulumi config set --path 'berth:composeFile[2]' compose.yaml", err.Error())
}
