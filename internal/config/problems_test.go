package config

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const canary = "canary-5b1f"

func TestSecretsAreStoredEncryptedAndNeverShown(t *testing.T) {
	settings := with("secrets", `{"A":"`+canary+`\n","B":{"`+canary+`":1}}`, "deployKey", canary, "sshPrivateKey", canary, "secretss", canary,
		"registries", `{"registry.example.com":"`+canary+`"}`, "acmeEabKey", canary, "rdsPassword", canary, "auth", `{"alice":"`+canary+`"}`)
	_, err := Load(settings, func(string) bool { return false })
	require.Error(t, err)
	assert.NotContains(t, err.Error(), canary)
	for _, key := range SecretKeys() {
		assert.Contains(t, err.Error(), "berth:"+key+": it is stored in plain text")
	}
	assert.Contains(t, err.Error(), "pulumi config set --secret --path berth:secrets.A")
	_, err = Load(with("secrets", `{"A":"x"}`, "environment", `{"A":"x"}`), allSecret)
	assert.ErrorContains(t, err, "in the environment too")
}

// TestCredentialsInTheWrongPlaceAreNotShown: people paste tokens into addresses and keys into the next setting.
func TestCredentialsInTheWrongPlaceAreNotShown(t *testing.T) {
	key := newKey(t)
	for setting, value := range map[string]string{
		"repository":    "https://you:" + canary + "@git.example.com/a.git",
		"domain":        "https://you:" + canary + "@app.example.com",
		"acmeDirectory": "https://you:" + canary + "@ca.example.com/directory",
		"environment":   `{"DATABASE_URL":"postgres://you:` + canary + `@db/app\n"}`,
		"acmeRoots":     key,
		"ref":           key,
		"routes":        `"` + strings.ReplaceAll(key, "\n", `\n`) + `"`,
	} {
		_, err := Load(with(setting, value), allSecret)
		require.ErrorContains(t, err, "berth:"+setting)
		assert.NotContains(t, err.Error(), canary, setting)
		assert.NotContains(t, err.Error(), "b3BlbnNzaC1rZXktdjE", setting)
	}
}

// TestMendingCommandsAreSafe runs no hostile value when an operator pastes a command.
func TestMendingCommandsAreSafe(t *testing.T) {
	for _, hostile := range []string{"$(touch pwned)", "`touch pwned`", "'; touch pwned; '", "a\ntouch pwned", `\"$(touch pwned)`, "x\x1b]0;pwned\a"} {
		settings := with("domain", hostile, "region", hostile, "tags", encoded(map[string]string{hostile: strings.Repeat("x", 300)}),
			"aliases", encoded([]string{hostile}), "environment", encoded(map[string]any{hostile: "", "A": 1.5}), "secrets", encoded(map[string]any{hostile: nil}),
			"routes", encoded([]map[string]any{{hostile: 1, "path": hostile}}), hostile, hostile)
		_, err := Load(settings, allSecret)
		var problems *Problems
		require.ErrorAs(t, err, &problems)
		folder := t.TempDir()
		for _, problem := range problems.List {
			command := exec.Command("sh", "-c", "pulumi() { :; }; "+problem.Fix)
			command.Dir, command.Env = folder, append(os.Environ(), "EDITOR=true")
			output, err := command.CombinedOutput()
			require.NoErrorf(t, err, "%s: %s", problem.Fix, output)
		}
		assert.NoFileExists(t, filepath.Join(folder, "pwned"), hostile)
	}
}

// TestMendingCommandsMend breaks a stack in many ways and runs the commands that the errors name, one after the other,
// with the real CLI, until nothing is wrong. It needs BERTH_PULUMI to name the CLI.
func TestMendingCommandsMend(t *testing.T) {
	cli := os.Getenv("BERTH_PULUMI")
	if cli == "" {
		t.Skip("BERTH_PULUMI does not name the Pulumi CLI; make tools builds it")
	}
	folder := t.TempDir()
	require.NoError(t, os.Symlink(cli, filepath.Join(folder, "pulumi")))
	environment := append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "PULUMI_HOME="+filepath.Join(folder, "home"),
		"PULUMI_BACKEND_URL=file://"+folder, "PULUMI_CONFIG_PASSPHRASE=test", "PULUMI_SKIP_UPDATE_CHECK=true")
	run := func(script string) []byte {
		command := exec.Command("sh", "-c", script)
		command.Dir, command.Env, command.Stdin = folder, environment, strings.NewReader("new-secret\n")
		output, err := command.Output()
		require.NoError(t, err, script)
		return output
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "Pulumi.yaml"), []byte(read(t, "../../Pulumi.yaml")), 0o600))
	run("pulumi stack init test")
	stack := filepath.Join(folder, "Pulumi.test.yaml")
	require.NoError(t, os.WriteFile(stack, []byte(read(t, stack)+`config:
  berth:domain: App.Example.com.
  berth:aliases: [www.other.org, "*.example.com"]
  berth:operatorCidrs: 203.0.113.7/32
  berth:volumeSize: 4
  berth:tags: { "aws:x y": z, "berth:z": z }
  berth:repository: git@github.com:you/app.git
  berth:routes: [{ path: /, service: web, prot: 80 }]
  berth:environment: { PORT: 8080, RATIO: 1.5 }
  berth:secrets: { TOKEN: plain }
  berth:volumsize: 20
  berth:servers: { min: 5, max: 4, cpu: 95, sticki: true }
  berth:http3: true
`), 0o600))

	fixed := 0
	for ; fixed < 30; fixed++ {
		var listed map[string]struct {
			Value  string
			Secret bool
		}
		require.NoError(t, json.Unmarshal(run("pulumi config --show-secrets --json"), &listed))
		settings := map[string]string{}
		for key, setting := range listed {
			settings[key] = setting.Value
		}
		cfg, err := Load(settings, func(key string) bool { return listed[key].Secret })
		if err == nil {
			assert.Equal(t, "8080", cfg.Environment["PORT"])
			assert.Equal(t, "new-secret", cfg.Secrets["TOKEN"])
			break
		}
		var problems *Problems
		require.ErrorAs(t, err, &problems)
		t.Log(problems.List[0])
		run(problems.List[0].Fix)
	}
	assert.Less(t, fixed, 30, "the commands give settings that load")
	assert.Greater(t, fixed, 10)
}
