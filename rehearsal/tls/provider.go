// Package tls stands in for the pulumi-tls provider: Ed25519 private keys, which is what Berth declares of it.
package tls

import (
	"context"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"berth/rehearsal/provider"
)

// version of pulumi-tls whose contract is kept.
const version = "5.2.0"

// privateKey is the only resource kind.
const privateKey = "tls:index/privateKey:PrivateKey"

// Provider implements pulumirpc.ResourceProviderServer.
type Provider struct{ provider.Base }

// New makes the provider.
func New() *Provider { return &Provider{Base: provider.Base{Version: version}} }

// Check refuses what the real provider's schema does not have, and what is not here.
func (p *Provider) Check(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	if token := resource.URN(request.GetUrn()).Type(); token != privateKey {
		return nil, fmt.Errorf("check %s: the rehearsal's tls stand-in does not know %s", request.GetUrn(), token)
	}
	inputs, err := provider.Unmarshal("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	failures := provider.CheckArgs(tls.PrivateKeyArgs{}, inputs)
	algorithm := inputs["algorithm"]
	if algorithm.IsSecret() {
		algorithm = algorithm.SecretValue().Element
	}
	if algorithm.IsString() && algorithm.StringValue() != "ED25519" {
		failures = append(failures, &pulumirpc.CheckFailure{
			Property: "algorithm", Reason: fmt.Sprintf("algorithm %s: the rehearsal's tls stand-in makes ED25519 keys only", algorithm.StringValue()),
		})
	}
	return &pulumirpc.CheckResponse{Inputs: request.GetNews(), Failures: failures}, nil
}

// Diff replaces a key on any changed input: a key cannot be changed.
func (p *Provider) Diff(_ context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := provider.Unmarshal("olds", request.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := provider.Unmarshal("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	for _, name := range provider.Fields(tls.PrivateKeyArgs{}) {
		key := resource.PropertyKey(name)
		if slices.Contains(request.GetIgnoreChanges(), name) || olds[key].DeepEquals(news[key]) {
			continue
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs, response.Replaces = append(response.Diffs, name), append(response.Replaces, name)
	}
	return response, nil
}

// Create makes the key.
func (p *Provider) Create(_ context.Context, request *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	inputs, err := provider.Unmarshal("properties", request.GetProperties())
	if err != nil {
		return nil, err
	}
	made, err := generate()
	if err != nil {
		return nil, fmt.Errorf("make the key %s: %w", request.GetUrn(), err)
	}
	outputs := resource.PropertyMap{
		// What the real provider reports of the other algorithms.
		"ecdsaCurve": resource.NewStringProperty("P224"),
		"rsaBits":    resource.NewNumberProperty(2048),
	}
	for name, value := range made.outputs() {
		if request.GetPreview() {
			value = unknown(value)
		}
		outputs[name] = value
	}
	for name, value := range inputs {
		outputs[name] = value
	}
	properties, err := provider.Marshal("outputs", outputs)
	return &pulumirpc.CreateResponse{Id: made.id, Properties: properties}, err
}

// unknown hides a value that a preview cannot tell, and keeps it secret where it is.
func unknown(value resource.PropertyValue) resource.PropertyValue {
	hidden := resource.MakeComputed(resource.NewStringProperty(""))
	if value.IsSecret() {
		return resource.MakeSecret(hidden)
	}
	return hidden
}

// Read tells what is known: a key is nowhere but in the state.
func (p *Provider) Read(_ context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: request.GetId(), Properties: request.GetProperties(), Inputs: request.GetInputs()}, nil
}

// Delete forgets the key.
func (p *Provider) Delete(context.Context, *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}
