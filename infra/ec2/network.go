package ec2

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// Vpc is a virtual private cloud.
type Vpc struct {
	pulumi.CustomResourceState

	Ipv6CidrBlock pulumi.StringOutput `pulumi:"ipv6CidrBlock"`
}

// VpcArgs are a Vpc's inputs.
type VpcArgs struct {
	CidrBlock                    pulumi.StringInput    `pulumi:"cidrBlock"`
	AssignGeneratedIpv6CidrBlock pulumi.BoolInput      `pulumi:"assignGeneratedIpv6CidrBlock"`
	EnableDnsSupport             pulumi.BoolInput      `pulumi:"enableDnsSupport"`
	EnableDnsHostnames           pulumi.BoolInput      `pulumi:"enableDnsHostnames"`
	Tags                         pulumi.StringMapInput `pulumi:"tags"`
}

// NewVpc declares a Vpc.
func NewVpc(ctx *pulumi.Context, name string, args *VpcArgs, opts ...pulumi.ResourceOption) (*Vpc, error) {
	return Register(ctx, "aws:ec2/vpc:Vpc", name, args, &Vpc{}, opts)
}

// Subnet is a subnet of a VPC.
type Subnet struct {
	pulumi.CustomResourceState

	AvailabilityZone pulumi.StringOutput `pulumi:"availabilityZone"`
}

// SubnetArgs are a Subnet's inputs.
type SubnetArgs struct {
	VpcId                       pulumi.StringInput    `pulumi:"vpcId"`
	AvailabilityZone            pulumi.StringInput    `pulumi:"availabilityZone"`
	CidrBlock                   pulumi.StringInput    `pulumi:"cidrBlock"`
	Ipv6CidrBlock               pulumi.StringInput    `pulumi:"ipv6CidrBlock"`
	AssignIpv6AddressOnCreation pulumi.BoolInput      `pulumi:"assignIpv6AddressOnCreation"`
	MapPublicIpOnLaunch         pulumi.BoolInput      `pulumi:"mapPublicIpOnLaunch"`
	Tags                        pulumi.StringMapInput `pulumi:"tags"`
}

// NewSubnet declares a Subnet.
func NewSubnet(ctx *pulumi.Context, name string, args *SubnetArgs, opts ...pulumi.ResourceOption) (*Subnet, error) {
	return Register(ctx, "aws:ec2/subnet:Subnet", name, args, &Subnet{}, opts)
}

// LookupSubnetArgs say which subnet LookupSubnet is to find.
type LookupSubnetArgs struct {
	Id *string `pulumi:"id"`
}

// LookupSubnetResult is a subnet that exists.
type LookupSubnetResult struct {
	AvailabilityZone string `pulumi:"availabilityZone"`
	Ipv6CidrBlock    string `pulumi:"ipv6CidrBlock"`
	VpcId            string `pulumi:"vpcId"`
}

// LookupSubnet finds a subnet that exists.
func LookupSubnet(ctx *pulumi.Context, args *LookupSubnetArgs, opts ...pulumi.InvokeOption) (*LookupSubnetResult, error) {
	found := &LookupSubnetResult{}
	if err := ctx.Invoke("aws:ec2/getSubnet:getSubnet", args, found, opts...); err != nil {
		return nil, err
	}
	return found, nil
}

// InternetGateway is what joins a VPC to the Internet.
type InternetGateway struct{ pulumi.CustomResourceState }

// InternetGatewayArgs are an InternetGateway's inputs.
type InternetGatewayArgs struct {
	VpcId pulumi.StringInput    `pulumi:"vpcId"`
	Tags  pulumi.StringMapInput `pulumi:"tags"`
}

// NewInternetGateway declares an InternetGateway.
func NewInternetGateway(ctx *pulumi.Context, name string, args *InternetGatewayArgs, opts ...pulumi.ResourceOption) (*InternetGateway, error) {
	return Register(ctx, "aws:ec2/internetGateway:InternetGateway", name, args, &InternetGateway{}, opts)
}

// RouteTable is a route table of a VPC.
type RouteTable struct{ pulumi.CustomResourceState }

// RouteTableArgs are a RouteTable's inputs.
type RouteTableArgs struct {
	VpcId pulumi.StringInput    `pulumi:"vpcId"`
	Tags  pulumi.StringMapInput `pulumi:"tags"`
}

// NewRouteTable declares a RouteTable.
func NewRouteTable(ctx *pulumi.Context, name string, args *RouteTableArgs, opts ...pulumi.ResourceOption) (*RouteTable, error) {
	return Register(ctx, "aws:ec2/routeTable:RouteTable", name, args, &RouteTable{}, opts)
}

// Route is a route of a route table.
type Route struct{ pulumi.CustomResourceState }

// RouteArgs are a Route's inputs.
type RouteArgs struct {
	RouteTableId             pulumi.StringInput `pulumi:"routeTableId"`
	DestinationCidrBlock     pulumi.StringInput `pulumi:"destinationCidrBlock"`
	DestinationIpv6CidrBlock pulumi.StringInput `pulumi:"destinationIpv6CidrBlock"`
	GatewayId                pulumi.StringInput `pulumi:"gatewayId"`
	NetworkInterfaceId       pulumi.StringInput `pulumi:"networkInterfaceId"`
}

// NewRoute declares a Route.
func NewRoute(ctx *pulumi.Context, name string, args *RouteArgs, opts ...pulumi.ResourceOption) (*Route, error) {
	return Register(ctx, "aws:ec2/route:Route", name, args, &Route{}, opts)
}

// RouteTableAssociation ties a route table to a subnet.
type RouteTableAssociation struct{ pulumi.CustomResourceState }

// RouteTableAssociationArgs are a RouteTableAssociation's inputs.
type RouteTableAssociationArgs struct {
	RouteTableId pulumi.StringInput `pulumi:"routeTableId"`
	SubnetId     pulumi.StringInput `pulumi:"subnetId"`
}

// NewRouteTableAssociation declares a RouteTableAssociation.
func NewRouteTableAssociation(ctx *pulumi.Context, name string, args *RouteTableAssociationArgs, opts ...pulumi.ResourceOption) (*RouteTableAssociation, error) {
	return Register(ctx, "aws:ec2/routeTableAssociation:RouteTableAssociation", name, args, &RouteTableAssociation{}, opts)
}

// SecurityGroup is a security group of a VPC.
type SecurityGroup struct{ pulumi.CustomResourceState }

// SecurityGroupArgs are a SecurityGroup's inputs.
type SecurityGroupArgs struct {
	Description pulumi.StringInput    `pulumi:"description"`
	VpcId       pulumi.StringInput    `pulumi:"vpcId"`
	Tags        pulumi.StringMapInput `pulumi:"tags"`
}

// NewSecurityGroup declares a SecurityGroup.
func NewSecurityGroup(ctx *pulumi.Context, name string, args *SecurityGroupArgs, opts ...pulumi.ResourceOption) (*SecurityGroup, error) {
	return Register(ctx, "aws:ec2/securityGroup:SecurityGroup", name, args, &SecurityGroup{}, opts)
}
