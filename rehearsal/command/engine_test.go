package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	sdktls "github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/provider"
	"berth/rehearsal/tls"
)

// newStack makes a stack of the real engine, with this package's provider and the one for keys attached. It skips the
// test where BERTH_PULUMI does not name the Pulumi CLI. stored reads the state as the backend keeps it.
func newStack(t *testing.T, p *Provider, program pulumi.RunFunc) (stack auto.Stack, stored func() string) {
	cli := os.Getenv("BERTH_PULUMI")
	if cli == "" {
		t.Skip("BERTH_PULUMI does not name the Pulumi CLI; make tools builds it")
	}
	// The Automation API wants a folder that holds bin/pulumi.
	root, home, work, backend := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "bin"), 0o700))
	require.NoError(t, os.Symlink(cli, filepath.Join(root, "bin", "pulumi")))
	pulumiCommand, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root})
	require.NoError(t, err)

	var attach []string
	for name, server := range map[string]pulumirpc.ResourceProviderServer{"command": p, "tls": tls.New()} {
		port, stop, err := provider.Serve(server)
		require.NoError(t, err)
		t.Cleanup(stop)
		attach = append(attach, fmt.Sprintf("%s:%d", name, port))
	}
	stack, err = auto.UpsertStackInlineSource(t.Context(), "test", "engine", program,
		auto.Pulumi(pulumiCommand), auto.PulumiHome(home), auto.WorkDir(work), auto.SecretsProvider("passphrase"),
		auto.EnvVars(map[string]string{
			"PULUMI_BACKEND_URL": "file://" + backend, "PULUMI_CONFIG_PASSPHRASE": "x", "PULUMI_SKIP_UPDATE_CHECK": "true",
			"PULUMI_DEBUG_PROVIDERS": strings.Join(attach, ","), "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		}))
	require.NoError(t, err)
	return stack, func() string {
		content, err := os.ReadFile(filepath.Join(backend, ".pulumi", "stacks", "engine", "test.json"))
		require.NoError(t, err)
		return string(content)
	}
}

func TestTheEngineKeepsTheContract(t *testing.T) {
	server := startServer(t)
	trace := filepath.Join(t.TempDir(), "trace")
	create, trigger := "echo create >> "+trace+"; cat; echo line $((6 * 7))", "one"
	p := New()
	stack, stored := newStack(t, p, func(ctx *pulumi.Context) error {
		key, err := sdktls.NewPrivateKey(ctx, "key", &sdktls.PrivateKeyArgs{Algorithm: pulumi.String("ED25519")})
		if err != nil {
			return err
		}
		connection := server.connection(t)
		step, err := remote.NewCommand(ctx, "step", &remote.CommandArgs{
			Connection: &remote.ConnectionArgs{
				Host: pulumi.String(connection["host"].(string)), Port: pulumi.Float64(connection["port"].(float64)),
				User: pulumi.String(server.user), PrivateKey: pulumi.String(server.key), HostKey: pulumi.String(server.hostLine()),
			},
			Create: pulumi.String(create), Delete: pulumi.String("cat > /dev/null; echo delete >> " + trace), Stdin: key.PrivateKeyOpenssh,
			Triggers: pulumi.Array{pulumi.String(trigger)}, AddPreviousOutputInEnv: pulumi.Bool(false),
		})
		if err != nil {
			return err
		}
		ctx.Export("stdout", step.Stdout)
		ctx.Export("public", key.PublicKeyOpenssh)
		return nil
	})
	traced := func(want string) {
		t.Helper()
		content, err := os.ReadFile(trace)
		require.NoError(t, err)
		assert.Equal(t, want, string(content))
	}

	var progress bytes.Buffer
	up, err := stack.Up(t.Context(), optup.ProgressStreams(&progress))
	require.NoError(t, err)
	traced("create\n")
	assert.Contains(t, progress.String(), "line 42", "output shows while the step runs")
	assert.True(t, up.Outputs["stdout"].Secret)
	assert.Contains(t, up.Outputs["stdout"].Value, "BEGIN OPENSSH PRIVATE KEY")
	assert.False(t, up.Outputs["public"].Secret)
	state := stored()
	assert.Contains(t, state, "BEGIN PUBLIC KEY")
	assert.False(t, strings.Contains(state, "PRIVATE KEY"), "a secret stands plain in the state")

	opened := p.Connections()
	require.EqualValues(t, 1, opened)
	up, err = stack.Up(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"same": 3}, *up.Summary.ResourceChanges)
	_, err = stack.Refresh(t.Context())
	require.NoError(t, err)
	create += "; true"
	preview, err := stack.Preview(t.Context(), optpreview.Diff())
	require.NoError(t, err)
	assert.Equal(t, 1, preview.ChangeSummary[apitype.OpUpdate])
	assert.Equal(t, opened, p.Connections(), "an unchanged update, a refresh and a preview open no connection")

	_, err = stack.Up(t.Context())
	require.NoError(t, err)
	traced("create\ncreate\n")
	trigger = "two"
	up, err = stack.Up(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"same": 2, "replace": 1}, *up.Summary.ResourceChanges)
	traced("create\ncreate\ncreate\ndelete\n")
	_, err = stack.Destroy(t.Context())
	require.NoError(t, err)
	traced("create\ncreate\ncreate\ndelete\ndelete\n")
}

func TestTheEngineKeepsNothingOfAFailedCreate(t *testing.T) {
	server := startServer(t)
	p := New()
	stack, stored := newStack(t, p, func(ctx *pulumi.Context) error {
		_, err := remote.NewCommand(ctx, "step", &remote.CommandArgs{
			Connection: &remote.ConnectionArgs{Host: pulumi.String("127.0.0.1"), Port: pulumi.Float64(server.connection(t)["port"].(float64)),
				User: pulumi.String(server.user), Password: pulumi.String(server.password)},
			Create: pulumi.String("echo why; false"),
		})
		return err
	})
	_, err := stack.Up(t.Context())
	require.ErrorContains(t, err, "Process exited with status 1: running \"echo why; false\":")
	assert.NotContains(t, stored(), "command:remote:Command")
	assert.EqualValues(t, 1, p.Connections())
}
