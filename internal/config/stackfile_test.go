package config

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// stray is what Stray says of a stack's file.
func stray(t *testing.T, text string, settings map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "Pulumi.live.yaml"), []byte(text), 0o600))
	var lines []string
	for _, problem := range Stray(folder, "shop", "live", settings) {
		lines = append(lines, problem.String())
	}
	return strings.Join(lines, "\n")
}

func TestStraySettingsAreNamedWithTheirLine(t *testing.T) {
	const sound = "config:\n  berth:domain: app.example.com\nencryptionsalt: v1:x\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"below the salt":         {sound + "berth:volumeSize: 40\n", []string{"berth:volumeSize: line 4 of Pulumi.live.yaml has it outside config:", `"${EDITOR:-vi}" Pulumi.live.yaml`}},
		"a map":                  {sound + "berth:environment:\n  A: b\n", []string{"berth:environment: line 4"}},
		"the project's":          {sound + "shop:volumeSize: 40\n", []string{"berth:volumeSize: line 4"}},
		"with a path":            {sound + "berth:routes[0].port: 40\n", []string{"berth:routes[0].port: line 4"}},
		"without a namespace":    {sound + "volumeSize: 40\n", []string{"berth:volumeSize: line 4"}},
		"above config":           {"berth:protect: false\n" + sound, []string{"berth:protect: line 1"}},
		"a misspelt config":      {"Config:\n  berth:domain: x\n  berth:zone: y\n", []string{"berth:domain: line 2", "berth:zone: line 3"}},
		"beside an empty map":    {"config:\n  berth:domain: app.example.com\n  berth:tags:\n  #  Team: web\nberth:volumeSize: 40\n", []string{"berth:volumeSize: line 5"}},
		"a second document":      {sound + "---\nconfig:\n  berth:volumeSize: 40\n", []string{"berth:volumeSize: line 6"}},
		"too far in":             {"config:\n  berth:environment:\n    A: b\n    berth:volumeSize: 40\n", []string{"berth:volumeSize: line 4 of Pulumi.live.yaml has it inside berth:environment"}},
		"too far in, in a list":  {"config:\n  berth:routes:\n    - path: /\n      berth:volumeSize: 40\n", []string{"berth:volumeSize: line 4 of Pulumi.live.yaml has it inside berth:routes"}},
		"a secret in plain text": {sound + "berth:secrets:\n  TOKEN: " + canary + "\n", []string{"berth:secrets: line 4", "counts as leaked"}},
		"plain beside encrypted": {"config:\n  berth:secrets:\n    A:\n      secure: v1:x\n    TOKEN: " + canary + "\n", []string{"berth:secrets.TOKEN: line 5", "counts as leaked", "pulumi config set --secret --path berth:secrets.TOKEN"}},
	} {
		t.Run(name, func(t *testing.T) {
			said := stray(t, c.text, map[string]string{"berth:domain": "app.example.com", "berth:environment": "{}", "berth:routes": "[]", "berth:secrets": "{}"})
			for _, want := range c.want {
				assert.Contains(t, said, want)
			}
			assert.NotContains(t, said, canary)
		})
	}
	encryptedSecret := stray(t, sound+"berth:deployKey:\n  secure: v1:x\n", nil)
	assert.Contains(t, encryptedSecret, "berth:deployKey: line 4")
	assert.NotContains(t, encryptedSecret, "leaked")
}

func TestWhatIsNoStraySetting(t *testing.T) {
	for name, text := range map[string]string{
		"a sound file":          "config:\n  berth:domain: app.example.com\n  aws:region: x\n  berth:secrets:\n    A:\n      secure: v1:x\nencryptionsalt: v1:x\n",
		"Pulumi's environment":  "environment:\n  values:\n    pulumiConfig:\n      berth:domain: app.example.com\n",
		"nothing":               "",
		"what YAML cannot read": "config:\n\t- [",
		"text":                  "only a text\n",
	} {
		assert.Empty(t, stray(t, text, nil), name)
	}
	const other = "config:\n  berth:domain: app.example.com\nberth:volumeSize: 40\n"
	assert.Empty(t, stray(t, other, map[string]string{"berth:zone": "x"}), "Pulumi read another file")
	assert.NotEmpty(t, stray(t, other, map[string]string{"berth:domain": "x"}))
	assert.Empty(t, Stray(t.TempDir(), "shop", "live", nil), "no file")
	assert.Empty(t, Stray("", "shop", "live", nil), "an inline program")
}

func TestTheStacksFileIsWherePulumiLooks(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "Pulumi.yaml"), []byte("name: shop\nruntime: go\nstackConfigDir: stacks\n"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "stacks"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "stacks", "Pulumi.live.yaml"), []byte("berth:volumeSize: 40\n"), 0o600))
	problems := Stray(folder, "shop", "live", nil)
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].String(), "line 1 of stacks/Pulumi.live.yaml")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "stacks", "Pulumi.live.yml"), []byte("config:\n  berth:volumeSize: 40\n"), 0o600))
	problems = Stray(folder, "shop", "live", nil)
	require.Len(t, problems, 2)
	assert.Contains(t, problems[0].String(), "Pulumi reads Pulumi.live.yaml and not this file")
}

// cli runs the real Pulumi CLI in a project of that name with Berth's Pulumi.yaml, with a state and a home of its own.
type cli struct {
	t           *testing.T
	folder      string
	environment []string
}

func newCLI(t *testing.T, project string) *cli {
	t.Helper()
	path := os.Getenv("BERTH_PULUMI")
	if path == "" {
		t.Skip("BERTH_PULUMI does not name the Pulumi CLI; make tools builds it")
	}
	folder, home := t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(path, filepath.Join(home, "pulumi")))
	file := strings.Replace(read(t, "../../Pulumi.yaml"), "name: berth\n", "name: "+project+"\n", 1)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "Pulumi.yaml"), []byte(file), 0o600))
	return &cli{t, folder, append(os.Environ(), "PATH="+home+":"+os.Getenv("PATH"), "HOME="+home, "PULUMI_HOME="+filepath.Join(home, "home"),
		"PULUMI_CONFIG_PASSPHRASE=test", "PULUMI_SKIP_UPDATE_CHECK=true")}
}

// run runs a script; what asks for a secret gets new-secret.
func (c *cli) run(script string) []byte {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), "sh", "-ec", script)
	command.Dir, command.Env, command.Stdin = c.folder, c.environment, strings.NewReader("new-secret\n")
	var said strings.Builder
	command.Stderr = &said
	output, err := command.Output()
	require.NoErrorf(c.t, err, "%s: %s", script, said.String())
	return output
}

// settings are the stack's as Pulumi hands them to the program.
func (c *cli) settings() (settings map[string]string, isSecret func(string) bool) {
	c.t.Helper()
	var listed map[string]struct {
		Value  string
		Secret bool
	}
	require.NoError(c.t, json.Unmarshal(c.run("pulumi config --show-secrets --json"), &listed))
	settings = map[string]string{}
	for key, setting := range listed {
		settings[key] = setting.Value
	}
	return settings, func(key string) bool { return listed[key].Secret }
}

// uncomment takes every setting of a stack's file out of its comment, with an encrypted value where there is a placeholder.
const uncomment = `
pulumi config set --secret berth:deployKey
encrypted=$(sed -n 's/^ *secure: //p' "$1")
pulumi config rm berth:deployKey
awk -v encrypted="$encrypted" '
  /^ *# berth:[A-Za-z0-9]+:/ { inside = 1; sub(/# /, ""); sub(/secure: …/, "secure: " encrypted); print; next }
  inside && /^ *#   / { sub(/# /, ""); sub(/secure: …/, "secure: " encrypted); print; next }
  { inside = 0; print }' "$1" >"$1.new"
mv "$1.new" "$1"
`

// TestTheReadmesCommandsTakeEverySettingOfTheSample runs them as they stand, as far as they need neither an account nor a
// clone, and uncomments every setting in the editor: each arrives.
func TestTheReadmesCommandsTakeEverySettingOfTheSample(t *testing.T) {
	c := newCLI(t, "berth")
	editor := filepath.Join(t.TempDir(), "editor")
	require.NoError(t, os.WriteFile(editor, []byte("#!/bin/sh\nset -eu\n"+uncomment), 0o700))
	c.environment = append(c.environment, "EDITOR="+editor)
	require.NoError(t, os.WriteFile(filepath.Join(c.folder, "Pulumi.production.yaml"), []byte(read(t, "../../Pulumi.production.yaml")), 0o600))
	home := t.TempDir()
	_, block, _ := strings.Cut(read(t, "../../README.md"), "## Quick start\n")
	ran := 0
	for _, line := range regexp.MustCompile(`(?m)^    (\S.*)$`).FindAllStringSubmatch(block, 6) {
		if strings.HasPrefix(line[1], "git clone ") || strings.HasPrefix(line[1], "make doctor") || line[1] == "pulumi up" {
			continue
		}
		// Pulumi takes ~ for the user's own folder, whatever HOME says.
		c.run(strings.ReplaceAll(line[1], "~", home))
		ran++
	}
	require.Equal(t, 3, ran)

	var file struct{ Config map[string]any }
	require.NoError(t, yaml.Unmarshal([]byte(read(t, filepath.Join(c.folder, "Pulumi.production.yaml"))), &file))
	settings, isSecret := c.settings()
	for _, key := range Keys() {
		want, ok := file.Config["berth:"+key]
		require.True(t, ok, "%s is in config:", key)
		switch want := want.(type) {
		case string:
			assert.Equal(t, want, settings["berth:"+key], key)
		case map[string]any, []any:
			if isSecret("berth:" + key) {
				assert.Contains(t, settings["berth:"+key], "new-secret", key)
			} else {
				assert.JSONEq(t, encoded(want), settings["berth:"+key], key)
			}
		default:
			assert.Equal(t, encoded(want), settings["berth:"+key], key)
		}
	}
	for _, key := range SecretKeys() {
		assert.True(t, isSecret("berth:"+key), key)
	}
	assert.Empty(t, Stray(c.folder, "berth", "production", settings))
}

// TestCommandsForFlatKeys runs what is said of keys that --path was forgotten for, in projects of both kinds of name, until
// nothing is left to say.
func TestCommandsForFlatKeys(t *testing.T) {
	for _, project := range []string{"berth", "shop"} {
		t.Run(project, func(t *testing.T) {
			c := newCLI(t, project)
			c.environment = append(c.environment, "PULUMI_BACKEND_URL=file://"+c.folder)
			c.run(`pulumi stack init test`)
			file := filepath.Join(c.folder, "Pulumi.test.yaml")
			require.NoError(t, os.WriteFile(file, []byte(read(t, file)+`config:
  berth:domain: app.example.com
  berth:operatorCidrs: 203.0.113.7/32
  berth:repository: https://github.com/you/app.git
  berth:acmeEmail: you@example.com
  berth:routes: [{ path: /, service: web, port: 80 }]
  berth:routes[1].path: /api/
  berth:routes[1].service: api
  berth:routes[1].port: 8000
  berth:environment.LEVEL: info
  berth:secrets.TOKEN: `+canary+`
  berth:secretss.TOKEN: `+canary+`
  berth:registries["registry.example.com"]: `+canary+`
  berth:volumeSize: much
  berth:aliases: www
  ami: none
  snapshotsKept: [1]
  secrets.OTHER: `+canary+`
`), 0o600))
			settings, isSecret := c.settings()
			_, problems := Parse(project, settings, isSecret)
			require.NotNil(t, problems)
			assert.NotContains(t, problems.Error(), canary)
			for _, secret := range []string{"berth:secrets.TOKEN: ", `berth:registries[\"registry.example.com\"]: `, project + ":secrets.OTHER: "} {
				_, rest, found := strings.Cut(problems.Error(), secret)
				line, _, _ := strings.Cut(rest, "\n")
				require.True(t, found, secret)
				assert.Contains(t, line, "set without --path")
				assert.Contains(t, line, "counts as leaked")
			}
			for _, typed := range []string{"berth:volumeSize", "berth:aliases", "berth:snapshotsKept", "berth:ami"} {
				assert.Contains(t, problems.Error(), typed, "what is of a wrong type is said with the rest")
			}
			count := 0
			for ; problems != nil && count < 30; count++ {
				c.run(problems.List[0].Fix)
				settings, isSecret = c.settings()
				_, problems = Parse(project, settings, isSecret)
				if problems != nil && strings.Contains(problems.Error(), "credentials have the form user:password") {
					c.run(`echo user:password | ` + setSecret(`registries["registry.example.com"]`))
					settings, isSecret = c.settings()
					_, problems = Parse(project, settings, isSecret)
				}
			}
			require.Nil(t, problems, "the commands give settings that load")
			cfg, _ := Parse(project, settings, isSecret)
			assert.Equal(t, []Route{{Path: "/", Service: "web", Port: 80}, {Path: "/api/", Service: "api", Port: 8000}}, cfg.Routes)
			assert.Equal(t, "info", cfg.Environment["LEVEL"])
			assert.Equal(t, map[string]string{"TOKEN": "new-secret", "OTHER": "new-secret"}, cfg.Secrets)
			assert.NotContains(t, read(t, file), canary)
		})
	}
}
