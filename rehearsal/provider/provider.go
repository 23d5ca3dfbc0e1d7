// Package provider is what the rehearsal's stand-ins for Pulumi providers share: serving, the calls that all answer
// alike, and strict checking of inputs against the SDK's own types.
package provider

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// messageLimit is the largest gRPC message in bytes that the engine sends a provider; gRPC's own limit of 4 MB is too
// small for a resource that carries a file. Source: sdk/go/common/util/rpcutil.
const messageLimit = 400 << 20

// Serve listens on a free port of the loopback interface and serves a provider there until stop is called.
func Serve(server pulumirpc.ResourceProviderServer) (port int, stop func(), err error) {
	return ServeWith(func(service *grpc.Server) { pulumirpc.RegisterResourceProviderServer(service, server) })
}

// ServeWith is Serve for a plugin of any kind, which register adds to the server.
func ServeWith(register func(*grpc.Server)) (port int, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, fmt.Errorf("listen for the engine: %w", err)
	}
	options := append(rpcutil.OpenTracingServerInterceptorOptions(nil), grpc.MaxRecvMsgSize(messageLimit))
	service := grpc.NewServer(options...)
	register(service)
	go func() { _ = service.Serve(listener) }() // It ends, with nil, when stop is called.
	return listener.Addr().(*net.TCPAddr).Port, service.Stop, nil
}

// Base answers the calls that every stand-in answers alike.
type Base struct {
	pulumirpc.UnimplementedResourceProviderServer
	// Version is the version of the real provider whose contract is kept.
	Version string

	lock    sync.Mutex
	address string
	engine  *grpc.ClientConn
}

// Attach connects back to the engine, for log lines. A provider outlasts the engines that attach to it: each preview,
// update and destroy has its own.
func (b *Base) Attach(_ context.Context, request *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.engine != nil && b.address == request.GetAddress() {
		return &emptypb.Empty{}, nil
	}
	connection, err := grpc.NewClient(request.GetAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("connect to the engine: %w", err)
	}
	if b.engine != nil {
		_ = b.engine.Close() // The earlier engine has gone already.
	}
	b.address, b.engine = request.GetAddress(), connection
	return &emptypb.Empty{}, nil
}

// Log shows a message under a resource in the engine's progress and again among the diagnostics at the end. A message
// that cannot be shown is no reason to fail.
func (b *Base) Log(ctx context.Context, severity diag.Severity, urn, message string) {
	b.send(ctx, &pulumirpc.LogRequest{Severity: levels[severity], Urn: urn, Message: message})
}

// LogStatus shows a line under a resource in the engine's progress alone: what a step prints while it runs.
func (b *Base) LogStatus(ctx context.Context, urn, line string) {
	b.send(ctx, &pulumirpc.LogRequest{Severity: pulumirpc.LogSeverity_INFO, Urn: urn, Message: line, Ephemeral: true})
}

// levels are the engine's names for the severities.
var levels = map[diag.Severity]pulumirpc.LogSeverity{
	diag.Debug:   pulumirpc.LogSeverity_DEBUG,
	diag.Info:    pulumirpc.LogSeverity_INFO,
	diag.Infoerr: pulumirpc.LogSeverity_INFO,
	diag.Warning: pulumirpc.LogSeverity_WARNING,
	diag.Error:   pulumirpc.LogSeverity_ERROR,
}

func (b *Base) send(ctx context.Context, request *pulumirpc.LogRequest) {
	b.lock.Lock()
	engine := b.engine
	b.lock.Unlock()
	if engine != nil {
		_, _ = pulumirpc.NewEngineClient(engine).Log(ctx, request)
	}
}

// GetPluginInfo tells the version.
func (b *Base) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: b.Version}, nil
}

// CheckConfig takes the provider's configuration as it is.
func (b *Base) CheckConfig(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: request.GetNews()}, nil
}

// DiffConfig says that a changed configuration replaces nothing.
func (b *Base) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_UNKNOWN}, nil
}

// Configure accepts typed secrets and takes part in previews.
func (b *Base) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}

// Cancel has nothing to end.
func (b *Base) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// Unmarshal reads properties, keeping secrets and unknown values.
func Unmarshal(label string, properties *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(properties, plugin.MarshalOptions{Label: label, KeepUnknowns: true, KeepSecrets: true, SkipNulls: true, SkipInternalKeys: true})
}

// Marshal writes properties, keeping secrets and unknown values.
func Marshal(label string, properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, plugin.MarshalOptions{Label: label, KeepUnknowns: true, KeepSecrets: true, SkipNulls: true})
}
