package command

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"berth/rehearsal/provider"
)

func TestCommandLivesAndDies(t *testing.T) {
	server := startServer(t)
	p, _ := attached(t)
	trace := filepath.Join(t.TempDir(), "trace")
	inputs := properties{
		"connection": server.connection(t), "addPreviousOutputInEnv": false, "stdin": "from stdin",
		"create": "echo create >> " + trace + "; cat; echo aside >&2",
	}
	state, err := create(t, p, remoteURN, inputs)
	require.NoError(t, err)
	assert.Equal(t, "from stdin", text(state, "stdout"))
	assert.Equal(t, "aside", text(state, "stderr"), "without its final newline")

	state, err = update(t, p, remoteURN, state, inputs)
	require.NoError(t, err, "without update, create runs again")

	inputs["update"] = "cat > /dev/null; echo update >> " + trace + "; printf 'one\n\n'"
	state, err = update(t, p, remoteURN, state, inputs)
	require.NoError(t, err)
	assert.Equal(t, "one\n", text(state, "stdout"), "one newline is taken off, not all")
	assert.Equal(t, "", text(state, "stderr"))

	assert.EqualValues(t, 3, p.Connections())
	require.NoError(t, remove(t, p, remoteURN, state))
	assert.EqualValues(t, 3, p.Connections(), "without delete, nothing is connected to")
	state["delete"] = resource.NewStringProperty("cat > /dev/null; echo delete >> " + trace)
	require.NoError(t, remove(t, p, remoteURN, state))
	assert.EqualValues(t, 4, p.Connections())

	content, err := os.ReadFile(trace)
	require.NoError(t, err)
	assert.Equal(t, "create\ncreate\nupdate\ndelete\n", string(content))
}

func TestCommandWithNothingToRunConnectsToNothing(t *testing.T) {
	server := startServer(t)
	p, _ := attached(t)
	state, err := create(t, p, remoteURN, properties{"connection": server.connection(t), "delete": "true"})
	require.NoError(t, err)
	assert.Equal(t, "", text(state, "stdout"))
	state["stdout"] = resource.NewStringProperty("kept")
	state, err = update(t, p, remoteURN, state, properties{"connection": server.connection(t)})
	require.NoError(t, err)
	assert.Equal(t, "kept", text(state, "stdout"))
	assert.Zero(t, p.Connections())
}

func TestFailureTellsTheCommandAndItsOutput(t *testing.T) {
	server := startServer(t)
	p, _ := attached(t)
	_, err := create(t, p, remoteURN, properties{"connection": server.connection(t), "create": "echo out; sleep 0.1; echo err >&2; exit 7"})
	assert.EqualError(t, err, "Process exited with status 7: running \"echo out; sleep 0.1; echo err >&2; exit 7\":\nout\nerr\n")
}

func TestEnvironmentNeedsAcceptEnv(t *testing.T) {
	server := startServer(t)
	server.accepted = []string{"GREETING"}
	p, _ := attached(t)
	inputs := properties{"connection": server.connection(t), "create": "echo $GREETING", "environment": properties{"GREETING": "hello $HOME"}}
	state, err := create(t, p, remoteURN, inputs)
	require.NoError(t, err)
	assert.Equal(t, "hello $HOME", text(state, "stdout"))

	inputs["environment"] = properties{"GREETING": "hello", "OTHER": "x"}
	_, err = create(t, p, remoteURN, inputs)
	require.Error(t, err)
	assert.Contains(t, err.Error(), `could not set environment variable "OTHER"`)
	assert.Contains(t, err.Error(), "AcceptEnv")
}

func TestPreviousOutputIsPassedUnlessSwitchedOff(t *testing.T) {
	show := `echo "$PULUMI_COMMAND_STDOUT,$PULUMI_COMMAND_STDERR"`
	for _, test := range []struct {
		name     string
		accepted []string
		switched any
		want     string
		warned   bool
	}{
		{"accepted, by default", []string{"PULUMI_COMMAND_STDOUT", "PULUMI_COMMAND_STDERR"}, nil, "old out,old err", false},
		{"accepted, switched on", []string{"PULUMI_COMMAND_STDOUT", "PULUMI_COMMAND_STDERR"}, true, "old out,old err", false},
		{"accepted, switched off", []string{"PULUMI_COMMAND_STDOUT", "PULUMI_COMMAND_STDERR"}, false, ",", false},
		{"not accepted is a warning alone", nil, nil, ",", true},
		{"not accepted, switched off", nil, false, ",", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := startServer(t)
			server.accepted = test.accepted
			p, log := attached(t)
			inputs := properties{"connection": server.connection(t), "create": "echo old out; echo old err >&2", "logging": "none"}
			if test.switched != nil {
				inputs["addPreviousOutputInEnv"] = test.switched
			}
			state, err := create(t, p, remoteURN, inputs)
			require.NoError(t, err)
			inputs["update"] = show
			state, err = update(t, p, remoteURN, state, inputs)
			require.NoError(t, err)
			assert.Equal(t, test.want, text(state, "stdout"))
			warnings := strings.Join(log.lines(remoteURN), "\n")
			assert.Equal(t, test.warned, strings.Contains(warnings, `Unable to set "PULUMI_COMMAND_STDOUT"`), warnings)
		})
	}
}

func TestOutputLinesAreLogged(t *testing.T) {
	// The pauses keep the two streams' lines in order.
	const command = `echo one; sleep 0.1; echo two >&2; sleep 0.1; printf 'thr'; sleep 0.1; printf 'ee\r\n\nfour'`
	for logging, want := range map[string][]string{
		"":                {"one", "two", "three", "four"},
		"stdoutAndStderr": {"one", "two", "three", "four"},
		"stdout":          {"one", "three", "four"},
		"stderr":          {"two"},
		"none":            nil,
	} {
		t.Run("logging "+logging, func(t *testing.T) {
			server := startServer(t)
			p, log := attached(t)
			inputs := properties{"connection": server.connection(t), "create": command}
			if logging != "" {
				inputs["logging"] = logging
			}
			state, err := create(t, p, remoteURN, inputs)
			require.NoError(t, err)
			assert.Equal(t, "one\nthree\r\n\nfour", text(state, "stdout"), "logging changes no output")
			assert.Equal(t, want, log.lines(remoteURN))
		})
	}
}

func TestLineOnWhichTheRealProviderHangsIsAnError(t *testing.T) {
	server := startServer(t)
	p, _ := attached(t)
	long := "head -c 70000 /dev/zero | tr '\\0' x"
	_, err := create(t, p, remoteURN, properties{"connection": server.connection(t), "create": long + "; exec sleep 5"})
	require.ErrorIs(t, err, errLongLine)
	state, err := create(t, p, remoteURN, properties{"connection": server.connection(t), "create": long, "logging": "none"})
	require.NoError(t, err, "what is not logged is not read by lines")
	assert.Len(t, text(state, "stdout"), 70000)
}

func TestCancelEndsTheConnection(t *testing.T) {
	server := startServer(t)
	p, log := attached(t)
	log.notify = make(chan string, 1)
	done := make(chan error)
	go func() {
		_, err := create(t, p, remoteURN, properties{"connection": server.connection(t), "create": "echo begun; exec sleep 5"})
		done <- err
	}()
	assert.Equal(t, "begun", <-log.notify)
	_, err := p.Cancel(t.Context(), &emptypb.Empty{})
	require.NoError(t, err)
	err = <-done
	require.ErrorIs(t, err, errCancelled)

	log.notify = nil
	_, err = create(t, p, remoteURN, properties{"connection": server.connection(t), "create": "true"})
	require.NoError(t, err, "a later update runs")
}

func TestEndedCallClosesTheConnection(t *testing.T) {
	server := startServer(t)
	p, log := attached(t)
	log.notify = make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-log.notify
		cancel()
	}()
	wire, err := provider.Marshal("inputs", propertyMap(properties{"connection": server.connection(t), "create": "echo begun; exec sleep 5"}))
	require.NoError(t, err)
	_, err = p.Create(ctx, &pulumirpc.CreateRequest{Urn: remoteURN, Properties: wire})
	require.ErrorIs(t, err, context.Canceled)
}

func TestSecretsStaySecret(t *testing.T) {
	server := startServer(t)
	p, _ := attached(t)
	state, err := create(t, p, remoteURN, properties{"connection": server.connection(t), "create": "cat > /dev/null; echo x", "stdin": secret("hush")})
	require.NoError(t, err)
	for _, name := range []resource.PropertyKey{"connection", "stdin", "stdout", "stderr"} {
		assert.True(t, state[name].IsSecret(), "%s", name)
	}
	assert.False(t, state["create"].IsSecret())

	state, err = create(t, p, localURN, properties{"create": "echo x"})
	require.NoError(t, err)
	assert.False(t, state["stdout"].IsSecret(), "nothing secret went in")
	state, err = create(t, p, localURN, properties{"create": "echo x", "environment": properties{"A": secret("hush")}})
	require.NoError(t, err)
	assert.True(t, state["stdout"].IsSecret())
	assert.Equal(t, "x", text(state, "stdout"))
}

func TestPreviewRunsNothing(t *testing.T) {
	p, _ := attached(t)
	wire, err := provider.Marshal("inputs", resource.PropertyMap{
		"connection": resource.NewObjectProperty(resource.PropertyMap{"host": resource.MakeComputed(resource.NewStringProperty(""))}),
		"create":     resource.NewStringProperty("false"),
	})
	require.NoError(t, err)
	created, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: remoteURN, Properties: wire, Preview: true})
	require.NoError(t, err)
	updated, err := p.Update(t.Context(), &pulumirpc.UpdateRequest{Urn: remoteURN, News: wire, Olds: wire, Preview: true})
	require.NoError(t, err)
	for _, response := range []interface{ GetProperties() *structpb.Struct }{created, updated} {
		outputs, err := provider.Unmarshal("outputs", response.GetProperties())
		require.NoError(t, err)
		for _, name := range []resource.PropertyKey{"stdout", "stderr"} {
			require.True(t, outputs[name].IsSecret())
			assert.True(t, outputs[name].SecretValue().Element.IsComputed())
		}
	}
	assert.Zero(t, p.Connections())
}
