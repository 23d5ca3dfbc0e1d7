// Package command stands in for the pulumi-command provider, with the same contract: a remote command runs on
// create, again on any changed input, anew where a trigger changed, and is never read back.
package command

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"berth/rehearsal/provider"
)

// version of pulumi-command whose contract is kept.
const version = "1.1.0"

// remoteCommand is the one resource kind that stands here; Berth declares no other of this provider.
const remoteCommand = "command:remote:Command"

// Provider implements pulumirpc.ResourceProviderServer.
type Provider struct {
	provider.Base
	connections atomic.Int64
	// log shows a line of a command's output under its resource.
	log func(ctx context.Context, urn, line string)
}

// New makes the provider.
func New() *Provider {
	p := &Provider{Base: provider.Base{Version: version}}
	p.log = func(ctx context.Context, urn, line string) { p.Log(ctx, diag.Info, urn, line) }
	return p
}

// Connections counts the SSH connections opened so far.
func (p *Provider) Connections() int64 { return p.connections.Load() }

// Check refuses what the real provider's schema does not have.
func (p *Provider) Check(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	if !strings.Contains(request.GetUrn(), "::"+remoteCommand+"::") && !strings.Contains(request.GetUrn(), "$"+remoteCommand+"::") {
		return nil, fmt.Errorf("check %s: the rehearsal's command provider knows %s alone", request.GetUrn(), remoteCommand)
	}
	inputs, err := provider.Unmarshal("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: request.GetNews(), Failures: provider.CheckArgs(remote.CommandArgs{}, inputs)}, nil
}

// Diff replaces on a changed trigger and updates on any other change.
func (p *Provider) Diff(_ context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := plainProperties(request.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := plainProperties(request.GetNews())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true,
		DetailedDiff: map[string]*pulumirpc.PropertyDiff{},
	}
	for _, name := range provider.Fields(remote.CommandArgs{}) {
		before, had := olds[resource.PropertyKey(name)]
		after, has := news[resource.PropertyKey(name)]
		if had == has && reflect.DeepEqual(before, after) {
			continue
		}
		kind := pulumirpc.PropertyDiff_UPDATE
		if name == "triggers" {
			kind = pulumirpc.PropertyDiff_UPDATE_REPLACE
			response.Replaces = append(response.Replaces, name)
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, name)
		response.DetailedDiff[name] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: true}
	}
	return response, nil
}

// Create runs the create command. When it fails, nothing is kept.
func (p *Provider) Create(ctx context.Context, request *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	inputs, err := provider.Unmarshal("properties", request.GetProperties())
	if err != nil {
		return nil, err
	}
	outputs, err := p.run(ctx, request.GetUrn(), inputs, "create", resource.PropertyMap{}, request.GetPreview())
	if err != nil {
		return nil, err
	}
	properties, err := provider.Marshal("outputs", outputs)
	return &pulumirpc.CreateResponse{Id: "command-" + newID(), Properties: properties}, err
}

// Update runs the update command, or create where there is none.
func (p *Provider) Update(ctx context.Context, request *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	inputs, err := provider.Unmarshal("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	olds, err := provider.Unmarshal("olds", request.GetOlds())
	if err != nil {
		return nil, err
	}
	verb := "update"
	if text(inputs, resource.PropertyKey(verb)) == "" {
		verb = "create"
	}
	outputs, err := p.run(ctx, request.GetUrn(), inputs, verb, olds, request.GetPreview())
	if err != nil {
		return nil, err
	}
	properties, err := provider.Marshal("outputs", outputs)
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

// Delete runs the delete command where there is one; without, nothing is connected to.
func (p *Provider) Delete(ctx context.Context, request *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	state, err := provider.Unmarshal("state", request.GetProperties())
	if err != nil {
		return nil, err
	}
	if text(state, "delete") == "" {
		return &emptypb.Empty{}, nil
	}
	_, err = p.run(ctx, request.GetUrn(), state, "delete", state, false)
	return &emptypb.Empty{}, err
}

// Read tells what is known: the real provider cannot look at what a command did.
func (p *Provider) Read(_ context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: request.GetId(), Properties: request.GetProperties(), Inputs: request.GetInputs()}, nil
}

// run runs one of a resource's commands and gives its new outputs.
func (p *Provider) run(ctx context.Context, urn string, inputs resource.PropertyMap, verb string, olds resource.PropertyMap, preview bool) (resource.PropertyMap, error) {
	outputs := inputs.Copy()
	// The connection holds a key. The provider marks it, whatever the program did.
	if connection, ok := outputs["connection"]; ok && !connection.IsSecret() {
		outputs["connection"] = resource.MakeSecret(connection)
	}
	var stdout, stderr resource.PropertyValue
	if preview {
		stdout, stderr = resource.MakeComputed(resource.NewStringProperty("")), resource.MakeComputed(resource.NewStringProperty(""))
	} else {
		result, err := p.execute(ctx, urn, inputs, verb, olds)
		if err != nil {
			return nil, err
		}
		stdout, stderr = resource.NewStringProperty(result.stdout), resource.NewStringProperty(result.stderr)
	}
	// What depends on a secret is one; the connection always holds one.
	outputs["stdout"], outputs["stderr"] = resource.MakeSecret(stdout), resource.MakeSecret(stderr)
	return outputs, nil
}

// plainProperties reads properties without their secret markers, which are no difference to a command.
func plainProperties(properties *structpb.Struct) (resource.PropertyMap, error) {
	values, err := provider.Unmarshal("properties", properties)
	if err != nil {
		return nil, err
	}
	plain := resource.PropertyMap{}
	for key, value := range values {
		plain[key] = reveal(value)
	}
	return plain, nil
}

// reveal takes the secret markers off a value, at any depth.
func reveal(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return reveal(value.SecretValue().Element)
	case value.IsArray():
		items := slices.Clone(value.ArrayValue())
		for i := range items {
			items[i] = reveal(items[i])
		}
		return resource.NewArrayProperty(items)
	case value.IsObject():
		object := resource.PropertyMap{}
		for key, item := range value.ObjectValue() {
			object[key] = reveal(item)
		}
		return resource.NewObjectProperty(object)
	default:
		return value
	}
}

// text reads a string property, secret or not; "" where it is absent.
func text(properties resource.PropertyMap, name resource.PropertyKey) string {
	if value := reveal(properties[name]); value.IsString() {
		return value.StringValue()
	}
	return ""
}
