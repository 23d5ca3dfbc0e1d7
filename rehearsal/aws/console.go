package aws

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// Console is AWS's console, and with it every other hand that changes the account past Pulumi. It keeps AWS's rules.
type Console struct{ p *Provider }

// OpenConsole opens that of the account that is kept in dir, in the region where its first network is.
func OpenConsole(dir string, world World) (*Console, error) {
	p, err := Open(dir, world)
	if err != nil {
		return nil, err
	}
	p.byHand = true
	account, err := Read(dir)
	if err != nil {
		return nil, err
	}
	for _, subnet := range account.OfType(subnetType) {
		p.usual.region = strings.TrimRight(Text(subnet.Outputs, "availabilityZone"), "abcdef")
		break
	}
	return &Console{p}, nil
}

// Make makes a resource and gives its id.
func (c *Console) Make(ctx context.Context, typ string, inputs map[string]any) (string, error) {
	name, kind, err := unnamed(typ)
	if err != nil {
		return "", err
	}
	made, err := c.p.change(ctx, name, kind, "", inputs)
	if err != nil {
		return "", err
	}
	return made.ID, nil
}

// Change changes properties of a resource. One that cannot be requested, such as an instance's instanceState, is what AWS
// tells from then on.
func (c *Console) Change(ctx context.Context, typ, id string, properties map[string]any) error {
	name, kind, err := unnamed(typ)
	if err != nil {
		return err
	}
	account, err := Read(c.p.dir)
	if err != nil {
		return err
	}
	found := account.get(typ, id)
	if found == nil {
		return fmt.Errorf("change %s: the account has none of type %s", id, typ)
	}
	inputs, outputs := maps.Clone(found.Inputs), map[string]any{}
	for key, value := range properties {
		if kind.schema[key] != nil {
			inputs[key] = value
		} else {
			outputs[key] = value
		}
	}
	if len(outputs) < len(properties) {
		if _, err := c.p.change(ctx, name, kind, id, inputs); err != nil {
			return err
		}
	}
	return Change(c.p.dir, func(account *Account) error {
		maps.Copy(account.get(typ, id).Outputs, outputs)
		return c.p.converge(ctx, account, kind, func() {})
	})
}

// Remove takes a resource away.
func (c *Console) Remove(ctx context.Context, typ, id string) error {
	name, kind, err := unnamed(typ)
	if err != nil {
		return err
	}
	return c.p.delete(ctx, name, kind, id)
}

// unnamed names a resource that no program has.
func unnamed(typ string) (urn.URN, *kind, error) {
	return kindOf(string(urn.New("console", "aws", "", tokens.Type(typ), "by-hand")))
}
