package infra

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/ec2"
)

// Address is the Elastic IP: the public IPv4 address that DNS names and that moves to a new server unchanged.
type Address struct {
	pulumi.ResourceState

	// PublicIP is the IPv4 address. It routes to the server when Server.Association exists.
	PublicIP pulumi.StringOutput
	// AllocationID is what AWS calls the address, "eipalloc-…".
	AllocationID pulumi.StringOutput
}

// AddressArgs are what an Address needs.
type AddressArgs struct {
	// Domain is the site's, for the name in AWS's console.
	Domain string
	// Protect keeps it from being released.
	Protect bool
	// Gateway is the internet gateway of a network that is the stack's own.
	Gateway []pulumi.Resource
}

// NewAddress declares the Elastic IP.
func NewAddress(ctx *pulumi.Context, name string, args *AddressArgs, opts ...pulumi.ResourceOption) (*Address, error) {
	a := &Address{}
	if err := ctx.RegisterComponentResource("berth:infra:Address", name, a, opts...); err != nil {
		return nil, fmt.Errorf("declare the address: %w", err)
	}
	eip, err := ec2.NewEip(ctx, "elastic-ip", &ec2.EipArgs{
		Domain: pulumi.String("vpc"),
		Tags:   nameTag(args.Domain),
	},
		pulumi.Parent(a),
		// AWS asks for the gateway first, and refuses to detach it while an address is in use behind it.
		pulumi.DependsOn(args.Gateway),
		// A released address is not given back: DNS and every allow-list that names it would be wrong for good.
		pulumi.Protect(args.Protect),
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
