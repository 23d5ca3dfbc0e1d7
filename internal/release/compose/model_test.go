package compose

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkout writes files, by path, into a folder to throw away.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "checkout")
	for path, content := range files {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

// document is the part of a model that the tests check.
type document struct {
	Name     string
	Services map[string]struct {
		Image       string
		Environment map[string]*string
		EnvFile     any `json:"env_file"`
		Labels      map[string]string
		Build       struct{ Context string }
		Volumes     []struct{ Source string }
	}
	Volumes map[string]struct{ Name string }
}

func read(t *testing.T, model *Model) document {
	t.Helper()
	var d document
	require.NoError(t, json.Unmarshal(model.JSON, &d))
	return d
}

func (d document) variable(service, name string) string {
	if value := d.Services[service].Environment[name]; value != nil {
		return *value
	}
	return "unset"
}

func TestLoadIsWhatComposeConfigPrints(t *testing.T) {
	dir := checkout(t, map[string]string{"deploy/compose.yaml": `
name: ignored
services:
  web:
    build: ../web
    ports: ["8080:80"]
    environment: {GREETING: "${GREETING:-Hello}", PRICE: $$5, SECRET: "${SECRET}"}
    volumes: [data:/data, ./static:/static]
    depends_on: [db]
  db:
    image: postgres
    profiles: [never]
volumes: {data: , unused: }
`})
	t.Setenv("GREETING", "the operator's own")
	_, err := Load(t.Context(), dir, []string{"deploy/compose.yaml"}, map[string]string{"SECRET": "a$b"}, nil)
	require.ErrorContains(t, err, `depends on undefined service`)

	model, err := Load(t.Context(), dir, []string{"deploy/compose.yaml"}, map[string]string{"SECRET": "a$b", "COMPOSE_PROFILES": "other, never"}, nil)
	require.NoError(t, err)
	// The order of the keys is compose-go's, which differs between its versions.
	want := `{
  "name": "app",
  "networks": {
    "default": {
      "name": "app_default",
      "ipam": {}
    }
  },
  "services": {
    "db": {
      "profiles": [
        "never"
      ],
      "command": null,
      "entrypoint": null,
      "image": "postgres",
      "networks": {
        "default": null
      }
    },
    "web": {
      "build": {
        "context": "DIR/web",
        "dockerfile": "Dockerfile"
      },
      "command": null,
      "depends_on": {
        "db": {
          "condition": "service_started",
          "required": true
        }
      },
      "entrypoint": null,
      "environment": {
        "GREETING": "Hello",
        "PRICE": "$$5",
        "SECRET": "a$$b"
      },
      "networks": {
        "default": null
      },
      "ports": [
        {
          "mode": "ingress",
          "target": 80,
          "published": "8080",
          "protocol": "tcp"
        }
      ],
      "volumes": [
        {
          "type": "volume",
          "source": "data",
          "target": "/data",
          "volume": {}
        },
        {
          "type": "bind",
          "source": "DIR/deploy/static",
          "target": "/static",
          "bind": {}
        }
      ]
    }
  },
  "volumes": {
    "data": {
      "name": "app_data"
    }
  }
}`
	assert.JSONEq(t, want, strings.ReplaceAll(string(model.JSON), dir, "DIR"))
	assert.Empty(t, model.EnvFiles)
}

func TestLoadKnowsOnlyTheVariables(t *testing.T) {
	t.Setenv("OWN", "the operator's own")
	t.Setenv("COMPOSE_PROFILES", "debug")
	t.Setenv("COMPOSE_PROJECT_NAME", "own")
	t.Setenv("COMPOSE_FILE", "/nowhere/compose.yaml")
	dir := checkout(t, map[string]string{
		"compose.yaml": `
services:
  web: {image: "web:${OWN:-none}", environment: {OWN: , GIVEN: , "DOTENV": "${DOTENV:-none}"}}
  debug: {image: debug, profiles: [debug]}
`,
		"compose.override.yaml": "services: {web: {image: overridden}}",
		".env":                  "DOTENV=read\n",
	})
	model, err := Load(t.Context(), dir, []string{"compose.yaml"}, map[string]string{"GIVEN": "it's $5"}, nil)
	require.NoError(t, err)
	d := read(t, model)
	assert.Equal(t, "app", d.Name)
	assert.Equal(t, "web:none", d.Services["web"].Image)
	assert.NotContains(t, d.Services, "debug")
	assert.Equal(t, "unset", d.variable("web", "OWN"))
	assert.Equal(t, "none", d.variable("web", "DOTENV"), "who has read it says what it has among the variables")
	assert.Equal(t, "it's $$5", d.variable("web", "GIVEN"))
}

func TestLoadResolvesEnvFiles(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "own.env")
	require.NoError(t, os.WriteFile(outside, []byte("OWN=stolen\n"), 0o600))
	dir := checkout(t, map[string]string{
		"deploy/compose.yaml": `
services:
  web:
    image: web
    env_file: [.env.production, ../common.env, {path: absent.env, required: false}]
    environment: {C: service}
  api:
    image: api
    env_file: ["` + outside + `", ../../` + filepath.Base(filepath.Dir(outside)) + `/own.env, linked.env, later.env]
    label_file: ["` + outside + `", ../labels]
  db: {image: db}
`,
		"deploy/.env.production": "A=committed\nB=committed\n",
		"common.env":             "B=common\nC=common\n",
		"labels":                 "com.example.team=web\n",
	})
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "deploy/linked.env")))
	require.NoError(t, os.Symlink(".env.production", filepath.Join(dir, "deploy/later.env")))
	model, err := Load(t.Context(), dir, []string{"deploy/compose.yaml"}, map[string]string{"A": "it's $5", "B": "given"}, nil)
	require.NoError(t, err)
	up := filepath.Dir(dir)
	assert.Equal(t, map[string][]string{
		"web": {"deploy/.env.production", "common.env", "deploy/absent.env"},
		"api": {outside, filepath.Join(up, filepath.Base(filepath.Dir(outside)), "own.env"), "deploy/linked.env", "deploy/later.env"},
	}, model.EnvFiles)
	d := read(t, model)
	for name, want := range map[string]string{"A": "it's $$5", "B": "common", "C": "service"} {
		assert.Equal(t, want, d.variable("web", name), name)
	}
	assert.Nil(t, d.Services["web"].EnvFile)
	assert.Equal(t, "given", d.variable("api", "B"), "through a link that led nowhere in the commit")
	assert.Equal(t, map[string]string{"com.example.team": "web"}, d.Services["api"].Labels)
	assert.NotContains(t, string(model.JSON), "stolen")
}

func TestLoadReadsWhatTheFileDrawsIn(t *testing.T) {
	dir := checkout(t, map[string]string{
		"compose.yaml": `
include: [sub/compose.yaml]
services:
  web: {extends: {file: base/base.yaml, service: base}, image: "web:${TAG}"}
`,
		"sub/compose.yaml": "services: {api: {image: \"api:${TAG}\", build: ., env_file: api.env}}",
		"sub/api.env":      "A=1\n",
		"base/base.yaml":   "services: {base: {image: base, build: ., environment: {BASE: \"1\"}}}",
	})
	require.NoError(t, os.Symlink("compose.yaml", filepath.Join(dir, "linked.yaml")))
	for _, file := range []string{"compose.yaml", "linked.yaml"} {
		model, err := Load(t.Context(), dir, []string{file}, map[string]string{"TAG": "7"}, nil)
		require.NoError(t, err, file)
		d := read(t, model)
		assert.Equal(t, "web:7", d.Services["web"].Image)
		assert.Equal(t, "1", d.variable("web", "BASE"))
		assert.Equal(t, filepath.Join(dir, "base"), d.Services["web"].Build.Context)
		assert.Equal(t, "api:7", d.Services["api"].Image)
		assert.Equal(t, filepath.Join(dir, "sub"), d.Services["api"].Build.Context)
		assert.Equal(t, map[string][]string{"api": {"sub/api.env"}}, model.EnvFiles)
	}
}

func TestLoadSaysWhatComposeHasAgainstAFile(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"unknown key":       {"services: {web: {image: web, prots: []}}", "compose.yaml is refused by Compose: services.web.prots is not known to Compose"},
		"not YAML":          {"services: {web: [", "compose.yaml is refused by Compose: "},
		"a tab":             {"services:\n\tweb: {}\n", "compose.yaml is refused by Compose: "},
		"empty":             {"", "compose.yaml is refused by Compose: empty compose file"},
		"a list":            {"[services]", "compose.yaml is refused by Compose: top-level object must be a mapping"},
		"a word":            {"services", "compose.yaml is refused by Compose: top-level object must be a mapping"},
		"services a list":   {"services: []", "compose.yaml is refused by Compose: services must be a mapping"},
		"a service a list":  {"services: {web: []}", "compose.yaml is refused by Compose: services.web must be a mapping"},
		"a service's null":  {"services: {web: }", "compose.yaml is refused by Compose: "},
		"no image":          {"services: {web: {}}", `service "web" has neither an image nor a build context`},
		"unset variable":    {`services: {web: {image: "${TAG:?set a tag}"}}`, "required variable TAG is missing a value: set a tag"},
		"broken env file":   {"services: {web: {image: web, env_file: broken.env}}", "failed to read broken.env: line 1"},
		"no include":        {"include: [absent.yaml]", "absent.yaml: no such file"},
		"a remote include":  {"include: [oci://docker.io/example/app]", "include: oci://docker.io/example/app is not in the repository, and Berth fetches nothing else"},
		"an include by git": {"include: [\"https://github.com/you/app.git\"]", "include: https://github.com/you/app.git is not in the repository"},
		"broken include":    {"include: [broken.yaml]", "validating broken.yaml: services.api.prots is not known to Compose"},
		"no extended":       {"services: {web: {extends: {file: broken.yaml, service: absent}}}", `service "absent" not found in broken.yaml`},
		"a cycle":           {"services: {a: {image: a, depends_on: [b]}, b: {image: b, depends_on: [a]}}", "cycle"},
		"one name twice":    {"services: {a: {image: a, container_name: one}, b: {image: b, container_name: one}}", "container name"},
		"a secret value":    {`services: {web: {image: web, ports: ["${SECRET}"]}}`, "${SECRET}"},
		"an alias bomb":     {"x-a: &a [1,1,1,1,1,1,1,1,1]\n" + bomb(), "compose.yaml is refused by Compose: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkout(t, map[string]string{
				"compose.yaml": test.file, "broken.yaml": "services: {api: {image: api, prots: []}}", "broken.env": "not a variable!\n",
			})
			_, err := Load(t.Context(), dir, []string{"compose.yaml"}, map[string]string{"SECRET": "hunter2\x1b[31m", "WORD": "web"}, map[string]string{"SECRET": "hunter2\x1b[31m", "SHORT": "a", "SAID": "services"})
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, "compose.yaml is refused by Compose: ")
			assert.NotContains(t, err.Error(), "\n")
			assert.NotContains(t, err.Error(), "\x1b")
			assert.NotContains(t, err.Error(), dir)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func bomb() string {
	var text strings.Builder
	for letter := 'b'; letter < 'k'; letter++ {
		text.WriteString("x-" + string(letter) + ": &" + string(letter) + " [" + strings.Repeat("*"+string(letter-1)+",", 9) + "]\n")
	}
	return text.String()
}

func TestLoadFindsTheFileInsideTheRepository(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "compose.yaml")
	require.NoError(t, os.WriteFile(outside, []byte("services: {web: {image: web}}"), 0o600))
	dir := checkout(t, map[string]string{"folder/x": ""})
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "linked.yaml")))
	for file, want := range map[string]string{
		"compose.yaml": "the repository has no compose.yaml; name the file: pulumi config set berth:composeFile",
		"linked.yaml":  "points outside the repository",
		"../" + filepath.Base(filepath.Dir(outside)) + "/compose.yaml": "the repository has no",
		"folder": "is a directory",
	} {
		_, err := Load(t.Context(), dir, []string{file}, nil, nil)
		assert.ErrorContains(t, err, want, file)
	}
	assert.NoFileExists(t, filepath.Join(filepath.Dir(outside), ".env.production"))
}

func TestLoadTakesTheSampleApp(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../../tests/sample-app")))
	model, err := Load(t.Context(), dir, []string{"compose.yaml"}, map[string]string{"DATABASE_PASSWORD": "it's $5"}, nil)
	require.NoError(t, err)
	assert.Contains(t, string(model.JSON), "it's $$5")
}
