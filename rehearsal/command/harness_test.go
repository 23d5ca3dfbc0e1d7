package command

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"berth/rehearsal/provider"
)

const (
	remoteURN = "urn:pulumi:test::berth::berth:provision:Host$command:remote:Command::step"
	copyURN   = "urn:pulumi:test::berth::command:remote:CopyToRemote::files"
	localURN  = "urn:pulumi:test::berth::command:local:Command::here"
)

// engine collects what a provider logs.
type engine struct {
	pulumirpc.UnimplementedEngineServer
	lock   sync.Mutex
	logged []*pulumirpc.LogRequest
	// notify gets each message, where a test waits for one.
	notify chan string
}

func (e *engine) Log(_ context.Context, request *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	e.lock.Lock()
	e.logged = append(e.logged, request)
	e.lock.Unlock()
	if e.notify != nil {
		e.notify <- request.GetMessage()
	}
	return &emptypb.Empty{}, nil
}

// lines are the messages logged under a resource.
func (e *engine) lines(urn string) []string {
	e.lock.Lock()
	defer e.lock.Unlock()
	var lines []string
	for _, request := range e.logged {
		if request.GetUrn() == urn {
			lines = append(lines, request.GetMessage())
		}
	}
	return lines
}

// attached makes a provider with an engine that listens to it.
func attached(t *testing.T) (*Provider, *engine) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &engine{}
	service := grpc.NewServer()
	pulumirpc.RegisterEngineServer(service, e)
	go func() { _ = service.Serve(listener) }()
	t.Cleanup(service.Stop)
	p := New()
	_, err = p.Attach(t.Context(), &pulumirpc.PluginAttach{Address: listener.Addr().String()})
	require.NoError(t, err)
	return p, e
}

type properties = map[string]any

func propertyMap(values properties) resource.PropertyMap {
	return resource.NewPropertyMapFromMap(values)
}

func create(t *testing.T, p *Provider, urn string, inputs properties) (resource.PropertyMap, error) {
	wire, err := provider.Marshal("inputs", propertyMap(inputs))
	require.NoError(t, err)
	response, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: wire})
	if err != nil {
		return nil, err
	}
	outputs, err := provider.Unmarshal("outputs", response.GetProperties())
	require.NoError(t, err)
	return outputs, nil
}

func update(t *testing.T, p *Provider, urn string, state resource.PropertyMap, inputs properties) (resource.PropertyMap, error) {
	olds, err := provider.Marshal("olds", state)
	require.NoError(t, err)
	news, err := provider.Marshal("news", propertyMap(inputs))
	require.NoError(t, err)
	response, err := p.Update(t.Context(), &pulumirpc.UpdateRequest{Urn: urn, Olds: olds, News: news})
	if err != nil {
		return nil, err
	}
	outputs, err := provider.Unmarshal("outputs", response.GetProperties())
	require.NoError(t, err)
	return outputs, nil
}

func remove(t *testing.T, p *Provider, urn string, state resource.PropertyMap) error {
	wire, err := provider.Marshal("state", state)
	require.NoError(t, err)
	_, err = p.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: urn, Properties: wire})
	return err
}
