package program

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/config"
)

// hostile values do something where anybody takes them for more than a value.
var hostile = []string{
	"$(touch pwned)", "`touch pwned`", "'; touch pwned; '", `"; touch pwned; "`, "a\ntouch pwned\n", "x;touch pwned", "&& touch pwned", "| touch pwned",
	"${IFS}touch${IFS}pwned", "\\$(touch pwned)", "x\x00touch pwned", "\x1b]0;pwned\a", "é☃\u202egnp", "../../etc/shadow", "--upload-pack=touch pwned",
	"ext::sh -c 'touch pwned'", "%0atouch pwned", "\"}],\"x\":[{\"$(touch pwned)", "{{touch}}", "<<EOF\ntouch pwned\nEOF", strings.Repeat("$(touch pwned)", 75_000),
}

// shapes are the ways in which a value can stand in a setting: alone, in a list, as a value and as a name in an object, in
// a list of objects.
func shapes(key, value string) []string {
	encode := func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	return []string{
		value, encode([]string{value}), encode(map[string]string{"TOKEN": canary, "A": value}), encode(map[string]string{"TOKEN": canary, value: "x"}),
		encode([]map[string]any{{"path": "/", "service": "web", "port": 80, "health": value}}), encode([]map[string]any{{"path": value, "service": value, "port": value}}),
		encode(map[string]string{"service": "web", "command": value, "dump": value, "restore": value}), encode(map[string]string{"web": value}),
	}
}

// TestHostileSettingsRunNothing tries every hostile value in every setting. It is refused by a sentence that names the
// setting and fits a screen, or what reaches the server is read there as a value: sourcing it runs nothing.
func TestHostileSettingsRunNothing(t *testing.T) {
	secret := func(string) bool { return true }
	folder := t.TempDir()
	t.Chdir(folder)
	refused, taken := 0, 0
	for _, key := range config.Keys() {
		for _, value := range hostile {
			for _, shape := range shapes(key, value) {
				// The program loads it first of all, and ends there; that nothing is declared then has a test of its own.
				if _, err := config.Load(settings("berth:"+key, shape), secret); err != nil {
					refused++
					assert.Less(t, len(err.Error()), 4000, "%s: a value is not repeated whole", key)
					assert.NotContains(t, err.Error(), "\x1b", key)
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
				source(t, folder, key, r)
			}
		}
	}
	assert.NoFileExists(t, filepath.Join(folder, "pwned"))
	t.Logf("%d values: %d refused, %d taken as values", refused+taken, refused, taken)
	assert.Positive(t, taken)
}

// source reads what goes to the server's steps, and what that leaves for the scripts, as they do.
func source(t *testing.T, folder, key string, r *recorder) {
	t.Helper()
	for name, args := range r.declared {
		stdin := args.Inputs["stdin"]
		for stdin.IsSecret() {
			stdin = stdin.SecretValue().Element
		}
		if args.TypeToken != "command:remote:Command" || args.Name == "scripts" || !stdin.IsString() {
			continue
		}
		bash := exec.CommandContext(t.Context(), "bash", "-c", `set -euo pipefail
source /dev/stdin
for file in "${RELEASE_SETTINGS:-}" "${CERTIFICATE_SETTINGS:-}" "${OPERATIONS_SETTINGS:-}"; do source /dev/stdin <<<"$file"; done`)
		bash.Dir, bash.Stdin = folder, strings.NewReader(stdin.StringValue())
		output, err := bash.CombinedOutput()
		require.NoErrorf(t, err, "%s: %s: %s", key, name, output)
		require.NoFileExists(t, filepath.Join(folder, "pwned"), "%s: %s", key, name)
	}
	for name, args := range r.declared {
		for _, command := range []resource.PropertyKey{"create", "update", "delete"} {
			if args.TypeToken == "command:remote:Command" && args.Inputs[command].IsString() {
				assert.NotContains(t, args.Inputs[command].StringValue(), "pwned", "%s: %s: no setting is part of a command", key, name)
			}
		}
	}
}
