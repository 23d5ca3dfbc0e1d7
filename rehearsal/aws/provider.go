package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"berth/rehearsal/provider"
)

// version of pulumi-aws whose contract is kept.
const version = "6.83.4"

// Provider implements pulumirpc.ResourceProviderServer on an account.
type Provider struct {
	provider.Base
	dir   string
	world World
	// byHand is set where it is not the provider that asks, but a person.
	byHand bool
	// role is whose permissions the requests take, nil for one that may do everything; observe is called with each.
	role    *Role
	observe func(Request)

	lock sync.Mutex
	// faults guards the account's file of them.
	faults sync.Mutex
	// settings guards what follows: it is read while a change of the account waits for the world.
	settings sync.Mutex
	// configured is what each of the engine's connections was configured with: the engine has one for each of a stack's
	// providers, and they differ in region.
	configured map[string]settings
	// usual is for calls outside of any of them.
	usual settings
}

// settings are one provider's configuration.
type settings struct {
	region      string
	defaultTags map[string]any
}

// Open makes the provider of the account that is kept in dir. A nil world is none.
func Open(dir string, world World) (*Provider, error) {
	if _, err := Read(dir); err != nil {
		return nil, err
	}
	return &Provider{Base: provider.Base{Version: version}, dir: dir, world: world, configured: map[string]settings{}}, nil
}

// CheckConfig refuses what the provider's configuration does not have.
func (p *Provider) CheckConfig(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	inputs, err := provider.Unmarshal("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	known := provider.Fields(aws.ProviderArgs{})
	var failures []*pulumirpc.CheckFailure
	for key := range inputs {
		if !slices.Contains(known, string(key)) && key != "version" && !strings.HasPrefix(string(key), "__") {
			failures = append(failures, &pulumirpc.CheckFailure{Property: string(key), Reason: "unknown property of the provider"})
		}
	}
	if region := inputs["region"]; !region.IsString() && !region.IsComputed() {
		failures = append(failures, &pulumirpc.CheckFailure{Property: "region", Reason: "Missing region configuration"})
	}
	return &pulumirpc.CheckResponse{Inputs: request.GetNews(), Failures: failures}, nil
}

// Configure takes region and default tags, for the connection that it comes by.
func (p *Provider) Configure(ctx context.Context, request *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	inputs, err := provider.Unmarshal("args", request.GetArgs())
	if err != nil {
		return nil, err
	}
	given := settings{region: Text(inputs.Mappable(), "region")}
	switch tags := inputs["defaultTags"]; {
	case tags.IsObject():
		given.defaultTags = Object(tags.ObjectValue().Mappable(), "tags")
	case tags.IsString(): // The engine hands nested configuration over as JSON text.
		var parsed struct{ Tags map[string]any }
		if err := json.Unmarshal([]byte(tags.StringValue()), &parsed); err != nil {
			return nil, fmt.Errorf("read the provider's default tags: %w", err)
		}
		given.defaultTags = parsed.Tags
	}
	p.settings.Lock()
	defer p.settings.Unlock()
	p.configured[connection(ctx)] = given
	if p.usual.region == "" {
		p.usual = given
	}
	// Without typed secrets the engine itself keeps secret what came in secret.
	return &pulumirpc.ConfigureResponse{SupportsPreview: true}, nil
}

// connection tells the engine's connections apart, by where they come from.
func connection(ctx context.Context) string {
	if from, ok := peer.FromContext(ctx); ok {
		return from.Addr.String()
	}
	return ""
}

// settingsOf is what the connection that a call comes by was configured with.
func (p *Provider) settingsOf(ctx context.Context) settings {
	p.settings.Lock()
	defer p.settings.Unlock()
	if given, ok := p.configured[connection(ctx)]; ok {
		return given
	}
	return p.usual
}

// regionOf is that of the connection that a call comes by.
func (p *Provider) regionOf(ctx context.Context) string {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.settingsOf(ctx).region
}

// Create makes a resource; in a preview it says what is known of it.
func (p *Provider) Create(ctx context.Context, request *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	if request.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: request.GetProperties()}, nil
	}
	inputs, err := mapOf(request.GetProperties())
	if err != nil {
		return nil, err
	}
	made, err := p.apply(ctx, request.GetUrn(), "", inputs)
	if err != nil {
		return nil, err
	}
	properties, err := structOf(made.Outputs)
	return &pulumirpc.CreateResponse{Id: made.ID, Properties: properties}, err
}

// Update changes a resource in place.
func (p *Provider) Update(ctx context.Context, request *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	if request.GetPreview() {
		olds, err1 := provider.Unmarshal("olds", request.GetOlds())
		news, err2 := provider.Unmarshal("news", request.GetNews())
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		maps.Copy(olds, news)
		properties, err := provider.Marshal("outputs", olds)
		return &pulumirpc.UpdateResponse{Properties: properties}, err
	}
	inputs, err := mapOf(request.GetNews())
	if err != nil {
		return nil, err
	}
	changed, err := p.apply(ctx, request.GetUrn(), request.GetId(), inputs)
	if err != nil {
		return nil, err
	}
	properties, err := structOf(changed.Outputs)
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

// apply makes a resource, or changes the one with the id.
func (p *Provider) apply(ctx context.Context, at, id string, inputs map[string]any) (*Resource, error) {
	name, kind, err := kindOf(at)
	if err != nil {
		return nil, err
	}
	operation := "create"
	if id != "" {
		operation = "update"
	}
	var result *Resource
	err = p.disturbed(ctx, operation, name.Name(), func() error {
		result, err = p.change(ctx, name, kind, id, inputs)
		return err
	})
	return result, err
}

func (p *Provider) change(ctx context.Context, name urn.URN, kind *kind, id string, inputs map[string]any) (*Resource, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	var result *Resource
	given := p.settingsOf(ctx)
	err := Change(p.dir, func(account *Account) error {
		c := &call{account: account, kind: kind, typ: string(name.Type()), id: id, region: given.region, byHand: p.byHand, defaultTags: given.defaultTags, inputs: inputs, outputs: map[string]any{}}
		run := kind.create
		if id != "" {
			if c.old = account.get(c.typ, id); c.old == nil {
				return fmt.Errorf("update %s: it is gone; look with: pulumi refresh", id)
			}
			// An input that was removed is no longer returned, but a value that AWS chose stays.
			maps.Copy(c.outputs, c.old.Outputs)
			for key := range c.old.Inputs {
				if input := kind.schema[key]; input == nil || !input.Computed {
					delete(c.outputs, key)
				}
			}
			run = kind.update
		}
		maps.Copy(c.outputs, inputs)
		if err := errors.Join(tag(c), c.unacceptable()); err != nil {
			return err
		}
		if run != nil {
			if err := run(c); err != nil {
				return err
			}
		}
		operation := "create"
		if c.old != nil {
			operation = "update"
		}
		if err := p.authorize(operation, c); err != nil {
			return err
		}
		result = c.resource()
		account.put(result)
		return p.converge(ctx, account, kind, func() { takeBack(account, c) })
	})
	return result, err
}

// takeBack undoes what the world could not follow.
func takeBack(account *Account, c *call) {
	if c.old != nil {
		account.put(c.old)
		return
	}
	account.remove(c.resource())
}

// converge lets the world follow a change. Where it cannot, the change is undone and the world put back, as far as it
// goes, so that nothing half-made lingers in either.
func (p *Provider) converge(ctx context.Context, account *Account, kind *kind, undo func()) error {
	if p.world == nil || !kind.world {
		return nil
	}
	err := p.world.Converge(ctx, account)
	if err == nil {
		return nil
	}
	undo()
	return errors.Join(err, p.world.Converge(context.WithoutCancel(ctx), account))
}

// tag gives a resource its tags: those that the provider hands over, or what a hand writes over them.
func tag(c *call) error {
	if !c.kind.schema.taggable() {
		return nil
	}
	all := map[string]any{}
	if c.byHand && c.old != nil {
		maps.Copy(all, Object(c.old.Outputs, "tagsAll"))
	} else {
		maps.Copy(all, c.defaultTags)
	}
	maps.Copy(all, Object(c.inputs, "tags"))
	c.inputs["tagsAll"], c.outputs["tagsAll"] = all, all
	return checkTags(c, all)
}

// Read tells what the account holds; nothing for a resource that is gone.
func (p *Provider) Read(ctx context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	name, kind, err := kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	account, err := Read(p.dir)
	if err != nil {
		return nil, err
	}
	found := account.get(string(name.Type()), request.GetId())
	if found == nil {
		return &pulumirpc.ReadResponse{}, nil
	}
	c := &call{account: account, kind: kind, typ: found.Type, id: found.ID, region: p.regionOf(ctx), old: found}
	if err := p.authorize("read", c); err != nil {
		return nil, err
	}
	inputs, err1 := structOf(found.Inputs)
	outputs, err2 := structOf(found.Outputs)
	return &pulumirpc.ReadResponse{Id: found.ID, Properties: outputs, Inputs: inputs}, errors.Join(err1, err2)
}

// Delete removes a resource; one that is gone already is no error.
func (p *Provider) Delete(ctx context.Context, request *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	name, kind, err := kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, p.disturbed(ctx, "delete", name.Name(), func() error {
		return p.delete(ctx, name, kind, request.GetId())
	})
}

func (p *Provider) delete(ctx context.Context, name urn.URN, kind *kind, id string) error {
	if err := p.empty(ctx, string(name.Type()), id); err != nil {
		return err
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	given := p.settingsOf(ctx)
	return Change(p.dir, func(account *Account) error {
		c := &call{account: account, kind: kind, typ: string(name.Type()), id: id, region: given.region, byHand: p.byHand}
		if c.old = account.get(c.typ, c.id); c.old == nil {
			return nil
		}
		if err := p.authorize("delete", c); err != nil {
			return err
		}
		if kind.remove != nil {
			if err := kind.remove(c); err != nil {
				return err
			}
		}
		account.remove(c.old)
		// What is deleted does not come back: a world that cannot follow is reported, and tried again next time.
		return p.converge(ctx, account, kind, func() {})
	})
}

// Invoke answers a lookup.
func (p *Provider) Invoke(ctx context.Context, request *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	lookup, ok := lookups[request.GetTok()]
	if !ok {
		return nil, fmt.Errorf("look up %s: the rehearsal's AWS does not have it", request.GetTok())
	}
	args, err := mapOf(request.GetArgs())
	if err != nil {
		return nil, err
	}
	account, err := Read(p.dir)
	if err != nil {
		return nil, err
	}
	result, err := lookup(account, p.regionOf(ctx), args)
	if err == nil || result != nil {
		// A reader without the permission gets an error and not an empty answer.
		if refused := p.lookup(account, p.regionOf(ctx), request.GetTok(), result); refused != nil {
			err = refused
		}
	}
	if err != nil {
		return nil, err
	}
	properties, err := structOf(result)
	return &pulumirpc.InvokeResponse{Return: properties}, err
}

func kindOf(text string) (urn.URN, *kind, error) {
	name := urn.URN(text)
	kind, ok := kinds[string(name.Type())]
	if !ok {
		return name, nil, fmt.Errorf("the rehearsal's AWS does not have resources of type %s", name.Type())
	}
	return name, kind, nil
}

// mapOf reads properties as plain values.
func mapOf(properties *structpb.Struct) (map[string]any, error) {
	values, err := plugin.UnmarshalProperties(properties, plugin.MarshalOptions{RejectUnknowns: true, SkipNulls: true, SkipInternalKeys: true})
	if err != nil {
		return nil, fmt.Errorf("read the properties: %w", err)
	}
	return values.Mappable(), nil
}

// structOf writes plain values as properties. They have the shape that JSON gives.
func structOf(values map[string]any) (*structpb.Struct, error) {
	normal := map[string]any{}
	text, err := json.Marshal(values)
	if err == nil {
		err = json.Unmarshal(text, &normal)
	}
	if err != nil {
		return nil, err
	}
	return provider.Marshal("outputs", resource.NewPropertyMapFromMap(normal))
}
