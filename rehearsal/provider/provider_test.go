package provider

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// engine collects what a provider logs.
type engine struct {
	pulumirpc.UnimplementedEngineServer
	logged chan *pulumirpc.LogRequest
}

func (e *engine) Log(_ context.Context, request *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	e.logged <- request
	return &emptypb.Empty{}, nil
}

func startEngine(t *testing.T) (*engine, string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &engine{logged: make(chan *pulumirpc.LogRequest, 10)}
	service := grpc.NewServer()
	pulumirpc.RegisterEngineServer(service, e)
	go func() { _ = service.Serve(listener) }()
	t.Cleanup(service.Stop)
	return e, listener.Addr().String()
}

func TestServeAnswersUntilStopped(t *testing.T) {
	port, stop, err := Serve(&Base{Version: "1.2.3"})
	require.NoError(t, err)
	defer stop()
	connection, err := grpc.NewClient(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer func() { assert.NoError(t, connection.Close()) }()
	client := pulumirpc.NewResourceProviderClient(connection)

	info, err := client.GetPluginInfo(t.Context(), &emptypb.Empty{})
	require.NoError(t, err)
	assert.Equal(t, "1.2.3", info.GetVersion())
	configured, err := client.Configure(t.Context(), &pulumirpc.ConfigureRequest{})
	require.NoError(t, err)
	assert.True(t, configured.GetAcceptSecrets(), "else the engine would send secrets in the clear and forget that they are secret")
	assert.True(t, configured.GetSupportsPreview())

	large, err := Marshal("large", resource.PropertyMap{"text": resource.NewStringProperty(strings.Repeat("x", 5<<20))})
	require.NoError(t, err)
	checked, err := client.CheckConfig(t.Context(), &pulumirpc.CheckRequest{News: large}, grpc.MaxCallRecvMsgSize(messageLimit))
	require.NoError(t, err, "a message larger than gRPC's own limit passes")
	assert.Len(t, checked.GetInputs().GetFields()["text"].GetStringValue(), 5<<20)

	stop()
	_, err = client.GetPluginInfo(t.Context(), &emptypb.Empty{})
	assert.Equal(t, codes.Unavailable, status.Code(err))
}

func TestLogReachesTheEngineAttachedLast(t *testing.T) {
	base := &Base{}
	base.Log(t.Context(), diag.Warning, "urn", "no listener, and nothing fails")
	_, gone := startEngine(t)
	current, address := startEngine(t)
	for _, attach := range []string{gone, address, address} {
		_, err := base.Attach(t.Context(), &pulumirpc.PluginAttach{Address: attach})
		require.NoError(t, err)
	}
	base.Log(t.Context(), diag.Warning, "urn:one", "mind this")
	base.LogStatus(t.Context(), "urn:two", "a line")

	warning, line := <-current.logged, <-current.logged
	assert.Equal(t, pulumirpc.LogSeverity_WARNING, warning.GetSeverity())
	assert.Equal(t, "urn:one", warning.GetUrn())
	assert.Equal(t, "mind this", warning.GetMessage())
	assert.False(t, warning.GetEphemeral())
	assert.Equal(t, pulumirpc.LogSeverity_INFO, line.GetSeverity())
	assert.Equal(t, "urn:two", line.GetUrn())
	assert.Equal(t, "a line", line.GetMessage())
	assert.True(t, line.GetEphemeral())
}

func TestPropertiesKeepSecretsAndUnknowns(t *testing.T) {
	properties := resource.PropertyMap{
		"secret":  resource.MakeSecret(resource.NewStringProperty("x")),
		"unknown": resource.MakeComputed(resource.NewStringProperty("")),
		"list":    resource.NewArrayProperty([]resource.PropertyValue{resource.MakeSecret(resource.NewNumberProperty(1))}),
	}
	wire, err := Marshal("test", properties)
	require.NoError(t, err)
	back, err := Unmarshal("test", wire)
	require.NoError(t, err)
	assert.True(t, properties.DeepEquals(back), "%v", back)
}
