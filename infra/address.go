package infra

import (
	"fmt"

	"berth/internal/config"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Address is the Elastic IP: the public IPv4 address that DNS names and that moves to a new server unchanged.
type Address struct {
	pulumi.ResourceState

	// PublicIP is the IPv4 address. It leads to the server once Server.Association stands.
	PublicIP pulumi.StringOutput
	// AllocationID is what AWS calls the address, "eipalloc-…".
	AllocationID pulumi.StringOutput
}

func newAddress(
	ctx *pulumi.Context, cfg *config.Config, network *Network, opts ...pulumi.ResourceOption,
) (*Address, error) {
	a := &Address{}
	if err := ctx.RegisterComponentResource("berth:infra:Address", "address", a, opts...); err != nil {
		return nil, fmt.Errorf("declare the address: %w", err)
	}
	eip, err := ec2.NewEip(ctx, "elastic-ip", &ec2.EipArgs{
		Domain: pulumi.String("vpc"),
		Tags:   nameTag(cfg),
	},
		pulumi.Parent(a),
		// AWS asks for the gateway first, and refuses to detach it while an address is in use behind it.
		pulumi.DependsOn(network.gateway),
		// A released address is not given back: DNS and every allow-list that names it would be wrong for good.
		pulumi.Protect(cfg.Protect),
	)
	if err != nil {
		return nil, fmt.Errorf("declare the Elastic IP: %w", err)
	}
	a.PublicIP = eip.PublicIp
	a.AllocationID = eip.AllocationId
	if err := ctx.RegisterResourceOutputs(a, pulumi.Map{"publicIp": a.PublicIP}); err != nil {
		return nil, fmt.Errorf("register the address: %w", err)
	}
	return a, nil
}
