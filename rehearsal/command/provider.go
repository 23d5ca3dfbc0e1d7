// Package command stands in for the pulumi-command provider, with the same contract: a command runs on create, again
// on any changed input, again if a trigger changed, and is never read back.
package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"berth/rehearsal/provider"
)

// version of pulumi-command whose contract is kept.
const version = "1.2.1"

// Provider implements pulumirpc.ResourceProviderServer.
type Provider struct {
	provider.Base
	kinds       map[string]kind
	connections atomic.Int64

	lock   sync.Mutex
	alive  context.Context
	cancel context.CancelCauseFunc
}

var errCancelled = errors.New("cancelled; what runs on the server may go on")

// kind is one resource kind of the provider.
type kind interface {
	// arguments is the SDK's type of the resource's arguments.
	arguments() arguments
	// check finds what is wrong with inputs beside their types.
	check(inputs resource.PropertyMap) []*pulumirpc.CheckFailure
	// computed names the outputs beside the inputs; a preview cannot tell them.
	computed() []resource.PropertyKey
	// create, update and remove do their work, and the first two give the computed outputs.
	create(ctx context.Context, urn string, inputs resource.PropertyMap) (resource.PropertyMap, error)
	update(ctx context.Context, urn string, inputs, olds resource.PropertyMap) (resource.PropertyMap, error)
	remove(ctx context.Context, urn string, state resource.PropertyMap) error
}

// New makes the provider.
func New() *Provider {
	p := &Provider{Base: provider.Base{Version: version}}
	p.alive, p.cancel = context.WithCancelCause(context.Background())
	p.kinds = map[string]kind{
		"command:remote:Command":      remoteCommand(p),
		"command:remote:CopyToRemote": copyToRemote{p},
		"command:local:Command":       localCommand(p),
	}
	return p
}

// Connections counts the SSH connections opened so far, those to a proxy included.
func (p *Provider) Connections() int64 { return p.connections.Load() }

// Cancel ends the calls under way: their connections are closed, while what runs on a server may go on. Later calls
// are served.
func (p *Provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.cancel(errCancelled)
	p.alive, p.cancel = context.WithCancelCause(context.Background())
	return &emptypb.Empty{}, nil
}

// cancellable gives a call's context that Cancel ends, too.
func (p *Provider) cancellable(ctx context.Context) (context.Context, func()) {
	p.lock.Lock()
	alive := p.alive
	p.lock.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(alive, func() { cancel(context.Cause(alive)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

func (p *Provider) kindOf(urn string) (kind, error) {
	token := resource.URN(urn).Type()
	if kind, ok := p.kinds[string(token)]; ok {
		return kind, nil
	}
	return nil, fmt.Errorf("serve %s: the rehearsal's command stand-in does not know %s", urn, token)
}

// Check refuses what the real provider's schema does not have.
func (p *Provider) Check(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	kind, err := p.kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := provider.Unmarshal("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	failures := append(provider.CheckArgs(kind.arguments(), inputs), kind.check(inputs)...)
	return &pulumirpc.CheckResponse{Inputs: request.GetNews(), Failures: failures}, nil
}

// Diff replaces on a changed trigger and updates on any other change.
func (p *Provider) Diff(_ context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	kind, err := p.kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := plain("olds", request.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := plain("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true,
		DetailedDiff: map[string]*pulumirpc.PropertyDiff{},
	}
	for _, name := range provider.Fields(kind.arguments()) {
		before, had := olds[resource.PropertyKey(name)]
		after, has := news[resource.PropertyKey(name)]
		if slices.Contains(request.GetIgnoreChanges(), name) || had == has && before.DeepEquals(after) {
			continue
		}
		change := pulumirpc.PropertyDiff_UPDATE
		if name == "triggers" {
			change = pulumirpc.PropertyDiff_UPDATE_REPLACE
			response.Replaces = append(response.Replaces, name)
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, name)
		response.DetailedDiff[name] = &pulumirpc.PropertyDiff{Kind: change, InputDiff: true}
	}
	return response, nil
}

// Create does a new resource's work. When it fails, nothing is kept.
func (p *Provider) Create(ctx context.Context, request *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	kind, err := p.kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := provider.Unmarshal("properties", request.GetProperties())
	if err != nil {
		return nil, err
	}
	id, err := resource.NewUniqueHex(resource.URN(request.GetUrn()).Name(), 8, 0)
	if err != nil {
		return nil, fmt.Errorf("make an id for %s: %w", request.GetUrn(), err)
	}
	computed := unknown(kind)
	if !request.GetPreview() {
		ctx, done := p.cancellable(ctx)
		defer done()
		if computed, err = kind.create(ctx, request.GetUrn(), inputs); err != nil {
			return nil, err
		}
	}
	properties, err := provider.Marshal("outputs", outputs(inputs, computed))
	return &pulumirpc.CreateResponse{Id: id, Properties: properties}, err
}

// Update does a changed resource's work.
func (p *Provider) Update(ctx context.Context, request *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	kind, err := p.kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := provider.Unmarshal("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	olds, err := plain("olds", request.GetOlds())
	if err != nil {
		return nil, err
	}
	computed := unknown(kind)
	if !request.GetPreview() {
		ctx, done := p.cancellable(ctx)
		defer done()
		if computed, err = kind.update(ctx, request.GetUrn(), inputs, olds); err != nil {
			return nil, err
		}
	}
	properties, err := provider.Marshal("outputs", outputs(inputs, computed))
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

// Delete does what a resource asks for at its end.
func (p *Provider) Delete(ctx context.Context, request *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	kind, err := p.kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	state, err := provider.Unmarshal("state", request.GetProperties())
	if err != nil {
		return nil, err
	}
	ctx, done := p.cancellable(ctx)
	defer done()
	if err := kind.remove(ctx, request.GetUrn(), state); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// Read returns what is known: the real provider cannot see what a command did.
func (p *Provider) Read(_ context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: request.GetId(), Properties: request.GetProperties(), Inputs: request.GetInputs()}, nil
}

func unknown(kind kind) resource.PropertyMap {
	computed := resource.PropertyMap{}
	for _, name := range kind.computed() {
		computed[name] = resource.MakeComputed(resource.NewStringProperty(""))
	}
	return computed
}

// outputs joins a resource's inputs and its computed outputs. A connection holds a key, so it is secret whatever the
// program says; and what came of secret inputs is secret.
func outputs(inputs, computed resource.PropertyMap) resource.PropertyMap {
	joined := inputs.Copy()
	if connection, ok := joined["connection"]; ok && !connection.IsSecret() {
		joined["connection"] = resource.MakeSecret(connection)
	}
	secret := joined.ContainsSecrets()
	for name, value := range computed {
		if secret {
			value = resource.MakeSecret(value)
		}
		joined[name] = value
	}
	return joined
}
