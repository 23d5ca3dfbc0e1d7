package stack

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSettingsComeInPulumisOrder whatever order they are given in, and however often.
func TestSettingsComeInPulumisOrder(t *testing.T) {
	var inOrder []Setting
	for i := range 12 {
		for _, field := range []string{"path", "port", "service"} {
			inOrder = append(inOrder, Setting{Path: fmt.Sprintf("routes[%d].%s", i, field), Value: "x"})
		}
	}
	inOrder = append(inOrder, Setting{Path: `tags["a.b"]`, Value: "x"}, Setting{Path: "tags.c", Value: "x"})
	for range 100 {
		shuffled := append([]Setting(nil), inOrder...)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		sorted, err := ordered(shuffled)
		require.NoError(t, err)
		require.Equal(t, inOrder, sorted)
	}
}

func TestTheLaterSettingCounts(t *testing.T) {
	at := func(pairs ...string) (all []Setting) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, Setting{Path: pairs[i], Value: pairs[i+1]})
		}
		return all
	}
	for name, c := range map[string]struct{ given, want []Setting }{
		"the same path":     {at("ref", "a", "ref", "b"), at("ref", "b")},
		"the whole list":    {at("routes[0].path", "/", "routes[1].path", "/b", "routes", "web:80"), at("routes", "web:80")},
		"an element of one": {at("routes", "web:80", "routes[0].path", "/"), at("routes[0].path", "/")},
		"its neighbours":    {at("routes[1].path", "/", "routes[10].path", "/"), at("routes[1].path", "/", "routes[10].path", "/")},
	} {
		sorted, err := ordered(c.given)
		require.NoError(t, err, name)
		assert.Equal(t, c.want, sorted, name)
	}
	_, err := ordered(at("routes[", "x"))
	require.ErrorContains(t, err, "routes[")
}

// TestPulumiTakesTheSettings writes lists, secrets and values that mean something to a shell with the real CLI.
func TestPulumiTakesTheSettings(t *testing.T) {
	cli := os.Getenv("BERTH_PULUMI")
	if cli == "" {
		t.Skip("BERTH_PULUMI does not name the Pulumi CLI; make tools builds it")
	}
	root, home, state := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "bin"), 0o700))
	require.NoError(t, os.Symlink(cli, filepath.Join(root, "bin", "pulumi")))
	command, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root})
	require.NoError(t, err)
	stack, err := auto.UpsertStackInlineSource(t.Context(), "test", "berth", func(*pulumi.Context) error { return nil },
		auto.Pulumi(command), auto.PulumiHome(home), auto.WorkDir(t.TempDir()), auto.SecretsProvider("passphrase"), auto.EnvVars(map[string]string{
			"PULUMI_CONFIG_PASSPHRASE": "x", "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_BACKEND_URL": "file://" + state + "?metadata=skip",
		}))
	require.NoError(t, err)
	hostile := `it's "quoted" $HOME $(id) # = 100%`
	var settings []Setting
	for i := 3; i >= 0; i-- {
		settings = append(settings, Setting{Path: fmt.Sprintf("aliases[%d]", i), Value: fmt.Sprintf("a%d.example.com", i), Secret: i == 2})
	}
	settings = append(settings, Setting{Path: "environment.MOTTO", Value: hostile}, Setting{Path: "secrets.MOTTO", Value: hostile, Secret: true})
	file, known := filepath.Join(stack.Workspace().WorkDir(), "Pulumi.test.yaml"), filepath.Join(t.TempDir(), "settings.sum")
	written := ""
	for _, before := range []func(){
		func() {},
		// The same settings are not encrypted again, which would change the file.
		func() {},
		func() {
			require.NoError(t, os.WriteFile(file, []byte(written+"  berth:domain: other.example.com\n"), 0o600))
			written = ""
		},
	} {
		before()
		all := map[string]string{}
		require.NoError(t, configure(t.Context(), stack, settings, known, all))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if written != "" {
			assert.Equal(t, written, string(text))
		}
		written = string(text)
		assert.NotContains(t, all, "berth:domain", "what somebody else set is taken back")
		assert.JSONEq(t, `["a0.example.com","a1.example.com","a2.example.com","a3.example.com"]`, all["berth:aliases"])
		assert.Contains(t, all["berth:environment"], `it's \"quoted\" $HOME $(id) # = 100%`)
		assert.Equal(t, all["berth:environment"], all["berth:secrets"])
	}
}
