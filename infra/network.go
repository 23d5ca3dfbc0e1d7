package infra

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/ec2"
)

// Network is the subnet of the server: the public one of a small dual-stack VPC of its own, or an existing
// one that the stack names. Several servers have a second one, in another zone.
type Network struct {
	pulumi.ResourceState

	// VPCID is the VPC of the subnet.
	VPCID pulumi.StringOutput
	// SubnetID is the subnet of the server.
	SubnetID pulumi.StringOutput
	// Zone is the subnet's availability zone, such as "eu-central-1a". A volume must be made in the same one.
	Zone pulumi.StringOutput
	// DualStack tells whether the server gets an IPv6 address.
	DualStack bool
	// ServerIPv6 is the address reserved for the server, or "" where the subnet is not Berth's own or has no IPv6.
	// A reserved address survives the replacement of the server, as the Elastic IP does for IPv4.
	ServerIPv6 pulumi.StringOutput

	// secondID is the subnet in another zone that several servers have: a load balancer needs two.
	secondID pulumi.StringOutput
	// databaseIDs are the private subnets of a database in RDS, in two zones.
	databaseIDs pulumi.StringArray
	// tableID is the route table of the stack's own subnets.
	tableID pulumi.StringOutput
	// shared tells whether the subnet existed already.
	shared bool
	// gateway is what an Elastic IP needs first: nothing in an existing subnet, whose gateway is its owner's.
	gateway []pulumi.Resource
	// egress is what has to exist before a server can reach the Internet.
	egress []pulumi.Resource
}

// NetworkArgs are what a Network needs.
type NetworkArgs struct {
	// Domain is the site's, for the name in AWS's console.
	Domain string
	// Region is the stack's.
	Region string
	// SubnetID is an existing subnet, "" for a network of the stack's own in CIDR and AvailabilityZone.
	SubnetID         string
	CIDR             netip.Prefix
	AvailabilityZone string
	// Several takes a second subnet, in another zone.
	Several bool
	// Database takes two private subnets, in two zones.
	Database bool
	// VolumeZone is where the protected data volume is, "" for none: a subnet in another zone is refused.
	VolumeZone string
}

// NewNetwork declares the network, or looks up the subnet that exists.
func NewNetwork(ctx *pulumi.Context, name string, args *NetworkArgs, opts ...pulumi.ResourceOption) (*Network, error) {
	n := &Network{}
	if err := ctx.RegisterComponentResource("berth:infra:Network", name, n, opts...); err != nil {
		return nil, fmt.Errorf("declare the network: %w", err)
	}
	declare := n.create
	if args.SubnetID != "" {
		declare = n.useExistingSubnet
	}
	if err := declare(ctx, args); err != nil {
		return nil, err
	}
	outputs := pulumi.Map{"vpcId": n.VPCID, "subnetId": n.SubnetID, "zone": n.Zone}
	if err := ctx.RegisterResourceOutputs(n, outputs); err != nil {
		return nil, fmt.Errorf("register the network: %w", err)
	}
	return n, nil
}

// useExistingSubnet takes the existing subnet that the stack names, and changes nothing about it.
func (n *Network) useExistingSubnet(ctx *pulumi.Context, args *NetworkArgs) error {
	subnet, err := ec2.LookupSubnet(ctx, &ec2.LookupSubnetArgs{Id: &args.SubnetID}, pulumi.Parent(n))
	if err != nil {
		return fmt.Errorf("look up subnet %s in %s: %w. Fix: pulumi config set berth:subnetId <subnet>, "+
			"or pulumi config rm berth:subnetId for a network of the stack's own", args.SubnetID, args.Region, err)
	}
	if err := refuseSubnet(args.SubnetID, subnet.AvailabilityZone, args.VolumeZone); err != nil {
		return err
	}
	n.shared = true
	n.VPCID = pulumi.String(subnet.VpcId).ToStringOutput()
	n.SubnetID = pulumi.String(args.SubnetID).ToStringOutput()
	n.Zone = pulumi.String(subnet.AvailabilityZone).ToStringOutput()
	n.DualStack = subnet.Ipv6CidrBlock != ""
	// Any address of a shared subnet may be taken already: there AWS chooses one.
	n.ServerIPv6 = pulumi.String("").ToStringOutput()
	return nil
}

// create declares a VPC with one public subnet and its way to the Internet.
func (n *Network) create(ctx *pulumi.Context, args *NetworkArgs) error {
	parent := pulumi.Parent(n)
	vpc, err := ec2.NewVpc(ctx, "vpc", &ec2.VpcArgs{
		CidrBlock:                    pulumi.String(args.CIDR.String()),
		AssignGeneratedIpv6CidrBlock: pulumi.Bool(true),
		EnableDnsSupport:             pulumi.Bool(true),
		EnableDnsHostnames:           pulumi.Bool(true),
		Tags:                         nameTag(args.Domain),
	}, parent)
	if err != nil {
		return fmt.Errorf("declare the VPC: %w", err)
	}
	ipv6 := vpc.Ipv6CidrBlock.ApplyT(subnetIPv6).(pulumi.StringOutput)

	subnet, err := ec2.NewSubnet(ctx, "subnet", &ec2.SubnetArgs{
		VpcId:                       vpc.ID(),
		AvailabilityZone:            pulumi.String(args.AvailabilityZone),
		CidrBlock:                   pulumi.String(subnetIPv4(args.CIDR).String()),
		Ipv6CidrBlock:               ipv6,
		AssignIpv6AddressOnCreation: pulumi.Bool(true),
		// The Elastic IP is associated only once the instance runs. Until then first boot reaches the Internet
		// through this passing address, which AWS takes back when the Elastic IP comes.
		MapPublicIpOnLaunch: pulumi.Bool(true),
		Tags:                nameTag(args.Domain),
	}, parent)
	if err != nil {
		return fmt.Errorf("declare the subnet: %w", err)
	}

	gateway, err := ec2.NewInternetGateway(ctx, "internet-gateway", &ec2.InternetGatewayArgs{
		VpcId: vpc.ID(),
		Tags:  nameTag(args.Domain),
	}, parent)
	if err != nil {
		return fmt.Errorf("declare the internet gateway: %w", err)
	}
	n.gateway = []pulumi.Resource{gateway}

	table, err := n.route(ctx, args.Domain, vpc, subnet, gateway)
	if err != nil {
		return err
	}
	if args.Several {
		if err := n.second(ctx, args, vpc, table); err != nil {
			return err
		}
	}
	if args.Database {
		if err := n.private(ctx, args, vpc); err != nil {
			return err
		}
	}
	n.VPCID = vpc.ID().ToStringOutput()
	n.SubnetID = subnet.ID().ToStringOutput()
	n.Zone = subnet.AvailabilityZone
	n.DualStack = true
	n.ServerIPv6 = ipv6.ApplyT(serverIPv6).(pulumi.StringOutput)
	return nil
}

// route sends the subnet's traffic, IPv4 and IPv6, through the gateway.
func (n *Network) route(
	ctx *pulumi.Context, domain string, vpc *ec2.Vpc, subnet *ec2.Subnet, gateway *ec2.InternetGateway,
) (*ec2.RouteTable, error) {
	parent := pulumi.Parent(n)
	table, err := ec2.NewRouteTable(ctx, "route-table", &ec2.RouteTableArgs{
		VpcId: vpc.ID(),
		Tags:  nameTag(domain),
	}, parent)
	if err != nil {
		return nil, fmt.Errorf("declare the route table: %w", err)
	}
	ipv4, err := ec2.NewRoute(ctx, "internet-ipv4", &ec2.RouteArgs{
		RouteTableId:         table.ID(),
		DestinationCidrBlock: pulumi.String(anyIPv4),
		GatewayId:            gateway.ID(),
	}, parent)
	if err != nil {
		return nil, fmt.Errorf("declare the IPv4 route: %w", err)
	}
	ipv6, err := ec2.NewRoute(ctx, "internet-ipv6", &ec2.RouteArgs{
		RouteTableId:             table.ID(),
		DestinationIpv6CidrBlock: pulumi.String(anyIPv6),
		GatewayId:                gateway.ID(),
	}, parent)
	if err != nil {
		return nil, fmt.Errorf("declare the IPv6 route: %w", err)
	}
	association, err := ec2.NewRouteTableAssociation(ctx, "route-table-association", &ec2.RouteTableAssociationArgs{
		RouteTableId: table.ID(),
		SubnetId:     subnet.ID(),
	}, parent)
	if err != nil {
		return nil, fmt.Errorf("declare the route table's association: %w", err)
	}
	n.egress = []pulumi.Resource{ipv4, ipv6, association}
	n.tableID = table.ID().ToStringOutput()
	return table, nil
}

// second declares the subnet in another zone, with the same way to the Internet.
func (n *Network) second(ctx *pulumi.Context, args *NetworkArgs, vpc *ec2.Vpc, table *ec2.RouteTable) error {
	zone, err := zoneAfter(ctx, args.AvailabilityZone, "a load balancer needs two. Fix: pulumi config set berth:servers 1", n)
	if err != nil {
		return err
	}
	subnet, err := ec2.NewSubnet(ctx, "subnet-2", &ec2.SubnetArgs{
		VpcId:                       vpc.ID(),
		AvailabilityZone:            pulumi.String(zone),
		CidrBlock:                   pulumi.String(secondIPv4(args.CIDR).String()),
		Ipv6CidrBlock:               vpc.Ipv6CidrBlock.ApplyT(secondIPv6).(pulumi.StringOutput),
		AssignIpv6AddressOnCreation: pulumi.Bool(true),
		// Web servers have no other way to package mirrors and registries of IPv4 alone.
		MapPublicIpOnLaunch: pulumi.Bool(true),
		Tags:                nameTag(args.Domain),
	}, pulumi.Parent(n))
	if err != nil {
		return fmt.Errorf("declare the second subnet: %w", err)
	}
	association, err := ec2.NewRouteTableAssociation(ctx, "route-table-association-2", &ec2.RouteTableAssociationArgs{
		RouteTableId: table.ID(),
		SubnetId:     subnet.ID(),
	}, pulumi.Parent(n))
	if err != nil {
		return fmt.Errorf("declare the route table's second association: %w", err)
	}
	n.secondID = subnet.ID().ToStringOutput()
	n.egress = append(n.egress, association)
	return nil
}

// private declares the database's subnets, in the server's zone and another one. They have the VPC's own route table, which has no
// route out of it.
func (n *Network) private(ctx *pulumi.Context, args *NetworkArgs, vpc *ec2.Vpc) error {
	zone, err := zoneAfter(ctx, args.AvailabilityZone, "a database in RDS needs two. Fix, where there is no database yet: pulumi config rm berth:rds", n)
	if err != nil {
		return err
	}
	for i, zone := range []string{args.AvailabilityZone, zone} {
		name := fmt.Sprintf("database-subnet-%d", i+1)
		subnet, err := ec2.NewSubnet(ctx, name, &ec2.SubnetArgs{
			VpcId:            vpc.ID(),
			AvailabilityZone: pulumi.String(zone),
			CidrBlock:        pulumi.String(databaseIPv4(args.CIDR, i).String()),
			Tags:             nameTag(args.Domain + " database"),
			// The database is there: neither another zone of the server nor a new one of the account's moves it.
		}, pulumi.Parent(n), pulumi.IgnoreChanges([]string{"availabilityZone"}))
		if err != nil {
			return fmt.Errorf("declare the database's subnet %s: %w", name, err)
		}
		n.databaseIDs = append(n.databaseIDs, subnet.ID())
	}
	return nil
}

// zoneAfter is the zone that follows in the alphabet, of those that the account has, and the first one after the last; why says what needs
// it. Their letters differ by region and account: Tokyo has no b for most.
func zoneAfter(ctx *pulumi.Context, zone, why string, parent pulumi.Resource) (string, error) {
	state := "available"
	found, err := aws.GetAvailabilityZones(ctx, &aws.GetAvailabilityZonesArgs{
		State: &state,
		// Local Zones are not what a load balancer takes as a second zone.
		Filters: []aws.GetAvailabilityZonesFilter{{Name: "zone-type", Values: []string{"availability-zone"}}},
	}, pulumi.Parent(parent))
	if err != nil {
		return "", fmt.Errorf("look up the region's availability zones: %w. Fix: allow ec2:DescribeAvailabilityZones, as docs/iam does", err)
	}
	others := slices.DeleteFunc(slices.Sorted(slices.Values(found.Names)), func(name string) bool { return name == zone })
	if len(others) == 0 {
		return "", fmt.Errorf("find a second availability zone: the account has none beside %s, and %s", zone, why)
	}
	if after := slices.IndexFunc(others, func(name string) bool { return name > zone }); after >= 0 {
		return others[after], nil
	}
	return others[0], nil
}

// subnetIPv4 is the first /24 of the VPC, or its first half where the VPC is no larger than that: room remains for a
// second subnet either way.
func subnetIPv4(vpc netip.Prefix) netip.Prefix {
	return netip.PrefixFrom(vpc.Masked().Addr(), max(24, vpc.Bits()+1))
}

// subnetIPv6 is the first /64, the size AWS gives a subnet, of the /56 that it gives a VPC.
func subnetIPv6(vpc string) (string, error) {
	prefix, err := netip.ParsePrefix(vpc)
	if err != nil {
		return "", fmt.Errorf("read the VPC's IPv6 range: %w", err)
	}
	if !prefix.Addr().Is6() || prefix.Bits() > 64 {
		return "", fmt.Errorf("derive the subnet's IPv6 range: %s holds no /64", vpc)
	}
	return netip.PrefixFrom(prefix.Masked().Addr(), 64).String(), nil
}

// secondIPv4 is the range of the same size that follows.
func secondIPv4(vpc netip.Prefix) netip.Prefix {
	first := subnetIPv4(vpc)
	start := binary.BigEndian.Uint32(first.Addr().AsSlice()) + 1<<(32-first.Bits())
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, start))), first.Bits())
}

// databaseBits are those of a database's subnet, the smallest that AWS has: 11 addresses, of which a database takes one and a standby
// or an upgrade one more.
const databaseBits = 28

// databaseIPv4 is the first or the second of the two ranges at the end of the VPC's.
func databaseIPv4(vpc netip.Prefix, which int) netip.Prefix {
	end := uint64(binary.BigEndian.Uint32(vpc.Masked().Addr().AsSlice())) + 1<<(32-vpc.Bits())
	start := uint32(end - uint64(2-which)<<(32-databaseBits)) // #nosec G115 -- It lies within the range.
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, start))), databaseBits)
}

// secondIPv6 is the second /64 of the VPC's range.
func secondIPv6(vpc string) (string, error) {
	first, err := subnetIPv6(vpc)
	if err != nil {
		return "", err
	}
	address := netip.MustParsePrefix(first).Addr().As16()
	address[7]++
	if second := netip.PrefixFrom(netip.AddrFrom16(address), 64); netip.MustParsePrefix(vpc).Contains(second.Addr()) {
		return second.String(), nil
	}
	return "", fmt.Errorf("derive the second subnet's IPv6 range: %s holds one /64", vpc)
}

// serverIPv6 is the address ::10 of the subnet. AWS keeps the first four for itself.
func serverIPv6(subnet string) (string, error) {
	prefix, err := netip.ParsePrefix(subnet)
	if err != nil {
		return "", fmt.Errorf("read the subnet's IPv6 range: %w", err)
	}
	address := prefix.Masked().Addr().As16()
	address[15] = 0x10
	return netip.AddrFrom16(address).String(), nil
}
