package program

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/internal/plain"
	"berth/provision/scripts"
)

// hostile values do something where anybody takes them for more than a value.
var hostile = []string{
	"$(touch pwned)", "`touch pwned`", "'; touch pwned; '", `"; touch pwned; "`, "a\ntouch pwned\n", "x;touch pwned", "&& touch pwned", "| touch pwned",
	"${IFS}touch${IFS}pwned", "\\$(touch pwned)", "x\x00touch pwned", "\x1b]0;pwned\a", "é☃\u202egnp", "\x1b[2Jpwned", "x\rpwned", "\u009b31mpwned", "\u2066pwned\u2069", "a[$(touch pwned)]", "../../etc/shadow", "--upload-pack=touch pwned",
	"ext::sh -c 'touch pwned'", "%0atouch pwned", "\"}],\"x\":[{\"$(touch pwned)", "{{touch}}", "<<EOF\ntouch pwned\nEOF", strings.Repeat("$(touch pwned)", 75_000),
}

func encode(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// shapes are the places of a value in a setting: alone, in a list, as a value and as a name in an object, in
// a list of objects.
func shapes(key, value string) []string {
	return []string{
		value, encode([]string{value}), encode(map[string]string{"TOKEN": canary, "A": value}), encode(map[string]string{"TOKEN": canary, value: "x"}),
		encode([]map[string]any{{"path": "/", "service": "web", "port": 80, "health": value}}), encode([]map[string]any{{"path": value, "service": value, "port": value}}),
		encode(map[string]string{"service": "web", "command": value, "dump": value, "restore": value}), encode(map[string]string{"web": value}),
	}
}

// TestHostileSettingsRunNothing tries every hostile value in every setting. It is refused by a sentence that names the
// setting and fits a screen, or what reaches the server is read there as a value: reading it runs nothing.
func TestHostileSettingsRunNothing(t *testing.T) {
	secret := func(string) bool { return true }
	folder := t.TempDir()
	here, err := os.Getwd()
	require.NoError(t, err)
	t.Chdir(folder)
	refused, taken := 0, 0
	for _, key := range config.Keys() {
		for _, value := range hostile {
			for _, shape := range shapes(key, value) {
				// The program loads it first of all, and ends there; that nothing is declared then has a test of its own.
				if _, err := config.Load(settings("berth:"+key, shape), secret); err != nil {
					refused++
					assert.Less(t, len(err.Error()), 4000, "%s: a value is not repeated whole", key)
					assert.Equal(t, plain.Text(err.Error()), err.Error(), key)
					continue
				}
				r := &recorder{declared: map[string]pulumi.MockResourceArgs{}}
				err := pulumi.RunErr(Run(settings("berth:"+key, shape)), pulumi.WithMocks("berth", "test", r), func(info *pulumi.RunInfo) {
					info.ConfigSecretKeys = []string{"berth:secrets", "berth:registries", "berth:deployKey", "berth:sshPrivateKey"}
				})
				if err != nil {
					refused++
					assert.Less(t, len(err.Error()), 4000, "%s: a value is not repeated whole", key)
					assert.Empty(t, r.declared, "nothing was touched")
					continue
				}
				taken++
				source(t, here, folder, key, r)
			}
		}
	}
	assert.NoFileExists(t, filepath.Join(folder, "pwned"))
	t.Logf("%d values: %d refused, %d taken as values", refused+taken, refused, taken)
	assert.Positive(t, taken)
}

// asked are the lines by which scripts ask for their settings: those of a step, or of a file that a step leaves.
var asked = regexp.MustCompile(`(?m)^ *(?:step_settings|load_settings (\w+)) ([A-Z][\w: ]*)$`)

// specs are the names and types that the steps, and the scripts, ask for, by step and by file.
var specs = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for _, name := range []string{"steps/edge", "steps/release", "steps/operations", "deploy", "health-check", "ssl-manager", "release/database"} {
		text, err := scripts.Read(name + ".sh")
		if err != nil {
			panic(err)
		}
		for _, line := range asked.FindAllStringSubmatch(text, -1) {
			all[cmp.Or(strings.ToUpper(line[1]), strings.TrimPrefix(name, "steps/"))] += " " + line[2]
		}
	}
	return all
})

// known is what was read before.
var known = map[string]bool{}

// source reads what goes to the server's steps, and what that leaves for the scripts, as they do: each value is what it was.
func source(t *testing.T, here, folder, key string, r *recorder) {
	t.Helper()
	lib := filepath.Join(here, "../../provision/scripts/lib.sh")
	for name, args := range r.declared {
		stdin := args.Inputs["stdin"]
		for stdin.IsSecret() {
			stdin = stdin.SecretValue().Element
		}
		spec := specs()[args.Name]
		if args.TypeToken != "command:remote:Command" || args.Name == "scripts" || args.Name == "volume" || args.Name == "certificate" || !stdin.IsString() {
			continue
		}
		require.NotEmpty(t, spec, args.Name)
		// Most settings reach one step alone.
		if sent := args.Name + stdin.StringValue(); known[sent] {
			continue
		} else {
			known[sent] = true
		}
		bash := exec.CommandContext(t.Context(), "bash", "-c", `set -euo pipefail
source "$1"
step_settings $2
for name in $2; do name=${name%%:*}; printf '%s\0' "${!name}"; done
file="" spec=""
case $2 in *RELEASE:*) file=$RELEASE spec=$3 ;; *CERTIFICATE:*) file=$CERTIFICATE spec=$4 ;; *OPERATIONS:*) file=$OPERATIONS spec=$5 ;; esac
step_settings $spec <<<"$file"
for name in $spec; do name=${name%%:*}; printf '%s\0' "${!name}"; done`, "test", lib, spec, specs()["RELEASE"], specs()["CERTIFICATE"], specs()["OPERATIONS"])
		bash.Dir, bash.Stdin = folder, strings.NewReader(stdin.StringValue())
		output, err := bash.CombinedOutput()
		require.NoErrorf(t, err, "%s: %s: %.2000s", key, name, output)
		require.NoFileExists(t, filepath.Join(folder, "pwned"), "%s: %s", key, name)
		var given map[string]any
		require.NoError(t, json.Unmarshal([]byte(stdin.StringValue()), &given))
		got := strings.Split(string(output), "\x00")
		names := strings.Fields(spec)
		for _, file := range []string{"RELEASE", "CERTIFICATE", "OPERATIONS"} {
			if inner, ok := given[file].(map[string]any); ok {
				maps.Copy(given, inner)
				names = append(names, strings.Fields(specs()[file])...)
			}
		}
		require.Len(t, got, len(names)+1, "%s: %s", key, name)
		for i, name := range names {
			name, _, _ = strings.Cut(name, ":")
			switch want := given[name].(type) {
			case string:
				assert.Equal(t, want, got[i], "%s: %s", key, name)
			case map[string]any, []any:
				assert.JSONEq(t, encode(want), got[i], "%s: %s", key, name)
			default:
				assert.Equal(t, fmt.Sprint(want), got[i], "%s: %s", key, name)
			}
		}
	}
	for name, args := range r.declared {
		for _, command := range []resource.PropertyKey{"create", "update", "delete"} {
			if args.TypeToken == "command:remote:Command" && args.Inputs[command].IsString() {
				assert.NotContains(t, args.Inputs[command].StringValue(), "pwned", "%s: %s: no setting is part of a command", key, name)
			}
		}
	}
}
