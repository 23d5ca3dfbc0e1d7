package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLoadReadsNothingOutsideTheCheckout: by whatever key a file is named, and however.
func TestLoadReadsNothingOutsideTheCheckout(t *testing.T) {
	const canary = "stolen"
	home := filepath.Join(t.TempDir(), "home")
	for name, text := range map[string]string{
		"secret.yaml": "services: {web: {image: " + canary + "}, base: {image: " + canary + "}}\n",
		"secret.env":  "SECRET=" + canary + "\n",
		".env":        "SECRET=" + canary + "\n",
		"labels":      "label=" + canary + "\n",
		"sub/own.env": "SECRET=" + canary + "\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(home, name), []byte(text), 0o600))
	}
	t.Setenv("HOME", home)
	t.Setenv("OPERATOR", canary)
	t.Chdir(home)
	const web = "services: {web: {image: \"x:${SECRET:-1}\"}}\n"
	up := strings.Repeat("../", 40)
	for _, way := range []struct{ name, path string }{{"absolute", home + "/"}, {"by ..", up[:len(up)-1] + home + "/"}, {"home", "~/"}, {"a link", "out/"}, {"a variable", "${OUT}/"}} {
		for name, test := range map[string]string{
			"include":                         "include: [\"PATHsecret.yaml\"]\n",
			"include, long":                   "include: [{path: \"PATHsecret.yaml\"}]\n",
			"include, the second":             "include: [{path: [inside.yaml, \"PATHsecret.yaml\"]}]\n",
			"include, env_file":               "include: [{path: inside.yaml, env_file: \"PATHsecret.env\"}]\n",
			"include, the second env_file":    "include: [{path: inside.yaml, env_file: [inside.env, \"PATHsecret.env\"]}]\n",
			"include, project_directory":      "include: [{path: inside.yaml, project_directory: \"PATH.\"}]\n",
			"include, twice":                  "include: [sub/includes.yaml]\n",
			"include, in one document":        "include: [\"PATHsecret.yaml\"]\n---\ninclude: !reset []\n" + web,
			"include, in another document":    web + "---\ninclude: [\"PATHsecret.yaml\"]\n",
			"include, by an anchor":           "x-i: &i [\"PATHsecret.yaml\"]\ninclude: *i\n",
			"include, by a merge":             "x-i: &i {path: \"PATHsecret.yaml\"}\ninclude: [{<<: *i}]\n",
			"include, overridden":             "include: !override [\"PATHsecret.yaml\"]\n" + web,
			"extends":                         "services: {web: {extends: {file: \"PATHsecret.yaml\", service: base}}}\n",
			"extends, of an included":         "include: [sub/extends.yaml]\n",
			"extends, of an extended":         "services: {web: {extends: {file: sub/extends.yaml, service: base}}}\n",
			"extends, reset afterwards":       "services: {web: {image: x, extends: {file: \"PATHsecret.yaml\", service: base}}}\n---\nservices: {web: {extends: !reset null}}\n",
			"extends, of what does not run":   "services: {web: {image: x}, other: {profiles: [never], extends: {file: \"PATHsecret.yaml\", service: base}}}\n",
			"extends, merged by an anchor":    "x-e: &e {extends: {file: \"PATHsecret.yaml\", service: base}}\nservices: {web: {<<: *e}}\n",
			"env_file":                        "services: {web: {image: x, env_file: \"PATHsecret.env\"}}\n",
			"env_file, not required":          "services: {web: {image: x, env_file: [{path: \"PATHsecret.env\", required: false}]}}\n",
			"env_file, of an included":        "include: [sub/env.yaml]\n",
			"label_file":                      "services: {web: {image: x, label_file: \"PATHlabels\"}}\n",
			"a build's Dockerfile":            "services: {web: {build: {context: \"PATHsub\", dockerfile: \"PATHsecret.env\"}}}\n",
			"a secret and a config":           "services: {web: {image: x, secrets: [s], configs: [c]}}\nsecrets: {s: {file: \"PATHsecret.env\"}}\nconfigs: {c: {file: \"PATHsecret.env\"}}\n",
			"what is watched while one works": "services: {web: {image: x, build: ., develop: {watch: [{path: \"PATHsub\", action: rebuild}]}}}\n",
		} {
			t.Run(name+", "+way.name, func(t *testing.T) {
				fill := func(text string) string { return strings.ReplaceAll(text, "PATH", way.path) }
				// From sub a link has another path.
				deeper := func(text string) string {
					return strings.ReplaceAll(strings.ReplaceAll(text, "PATH", way.path), `"out/`, `"../out/`)
				}
				dir := checkout(t, map[string]string{
					"compose.yaml": fill(test), "inside.yaml": web, "inside.env": "A=1\n",
					"sub/includes.yaml": deeper("include: [\"PATHsecret.yaml\"]\n"),
					"sub/extends.yaml":  deeper("services: {base: {extends: {file: \"PATHsecret.yaml\", service: base}}}\n"),
					"sub/env.yaml":      deeper("services: {web: {image: x, env_file: \"PATHsecret.env\"}}\n"),
				})
				require.NoError(t, os.Symlink(home, filepath.Join(dir, "out")))
				model, err := Load(t.Context(), dir, []string{"compose.yaml"}, map[string]string{"OUT": home}, nil)
				if err != nil {
					assert.NotContains(t, err.Error(), canary)
				}
				if strings.HasPrefix(name, "include") || strings.HasPrefix(name, "extends") {
					require.ErrorContains(t, err, "points outside the repository; Fix: commit the file and name it by its path there")
				}
				if model != nil {
					assert.NotContains(t, string(model.JSON), canary)
				}
			})
		}
	}
}

// TestLoadLooksForNothingWhereItRuns: Compose takes the paths of what an included file includes from there.
func TestLoadLooksForNothingWhereItRuns(t *testing.T) {
	here := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(here, "sub"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(here, "sub", "own.env"), []byte("SECRET=stolen\n"), 0o600))
	t.Chdir(here)
	for _, key := range []string{"env_file: own.env", "project_directory: .", "env_file: [own.env]"} {
		dir := checkout(t, map[string]string{
			"compose.yaml": "include: [sub/a.yaml]\n", "sub/a.yaml": "include: [{path: b.yaml, " + key + "}]\n", "sub/b.yaml": "services: {web: {image: \"x:${SECRET:-1}\"}}\n",
		})
		_, err := Load(t.Context(), dir, []string{"compose.yaml"}, nil, nil)
		require.ErrorContains(t, err, "include from the compose file itself", key)
	}
}

// TestLoadTakesNothingFromTheOperator: the model is the server's, whoever reads it.
func TestLoadTakesNothingFromTheOperator(t *testing.T) {
	t.Setenv("HOME", "/home/operator")
	t.Setenv("OPERATOR", "stolen")
	dir := checkout(t, map[string]string{
		"compose.yaml": `
services:
  web:
    image: "x:${OPERATOR:-none}"
    build: ~/context
    environment: [OPERATOR, HOME, "P=${PATH:-none}"]
    volumes: ["~/files:/files", "./here:/here"]
    env_file: [{path: ~/own.env, required: false}]
secrets: {s: {file: ~/secret}}
`,
		".env": "COMPOSE_FILE=/etc/compose.yaml\nOPERATOR=committed\n",
	})
	model, err := Load(t.Context(), dir, []string{"compose.yaml"}, nil, nil)
	require.NoError(t, err)
	d := read(t, model)
	assert.Equal(t, "x:none", d.Services["web"].Image)
	assert.Equal(t, "unset", d.variable("web", "OPERATOR"))
	assert.Equal(t, "none", d.variable("web", "P"))
	assert.Equal(t, "/root", d.variable("web", "HOME"), "as on the server")
	assert.Equal(t, "/root/files", d.Services["web"].Volumes[0].Source)
	assert.Equal(t, "/root/context", d.Services["web"].Build.Context)
	assert.Equal(t, []string{"/root/own.env"}, model.EnvFiles["web"])
	assert.NotContains(t, string(model.JSON), "operator")
}

// TestLoadStillFollowsWhatIsInside: what lies in the checkout is drawn in, in every way that Compose knows.
func TestLoadStillFollowsWhatIsInside(t *testing.T) {
	dir := checkout(t, map[string]string{
		"deploy/compose.yaml": `
include:
  - ../a.yaml
  - {path: [../b/b.yaml, ../b/override.yaml], env_file: ["../b/b.env", /dev/null], project_directory: ../b}
services:
  web: {extends: {file: ../base/base.yaml, service: base}}
`,
		"a.yaml":                "include: [b/c.yaml]\nservices: {a: {image: a}}\n",
		"b/b.yaml":              "services: {b: {image: \"b:${TAG}\"}}\n",
		"b/override.yaml":       "services: {b: {labels: {over: ridden}}}\n",
		"b/b.env":               "TAG=7\n",
		"b/c.yaml":              "services: {c: {image: \"c:${NAME}\"}}\n",
		"b/.env":                "NAME=named\n",
		"base/base.yaml":        "services: {base: {extends: {file: deeper/base.yaml, service: base}}}\n",
		"base/deeper/base.yaml": "services: {base: {image: base}}\n",
	})
	require.NoError(t, os.Symlink("b/b.yaml", filepath.Join(dir, "link.yaml")))
	model, err := Load(t.Context(), dir, []string{"deploy/compose.yaml"}, nil, nil)
	require.NoError(t, err)
	d := read(t, model)
	for service, image := range map[string]string{"a": "a", "b": "b:7", "c": "c:named", "web": "base"} {
		assert.Equal(t, image, d.Services[service].Image, service)
	}
}
