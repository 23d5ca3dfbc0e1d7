package aws

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const (
	vpcType      = "aws:ec2/vpc:Vpc"
	gatewayType  = "aws:ec2/internetGateway:InternetGateway"
	subnetType   = "aws:ec2/subnet:Subnet"
	tableType    = "aws:ec2/routeTable:RouteTable"
	routeType    = "aws:ec2/route:Route"
	tableUseType = "aws:ec2/routeTableAssociation:RouteTableAssociation"
	vpcLimit     = 5 // VPCs a region. Source: VPC User Guide, "Amazon VPC quotas".
)

func networkKinds() map[string]*kind {
	return map[string]*kind{
		vpcType:      {create: createVPC, remove: removeVPC},
		gatewayType:  {create: createGateway, remove: removeGateway},
		subnetType:   {world: true, create: createSubnet, update: updateSubnet, remove: removeSubnet},
		tableType:    {create: createTable, remove: removeTable},
		routeType:    {world: true, create: createRoute, update: updateRoute},
		tableUseType: {create: createTableUse},
	}
}

func createVPC(c *call) error {
	if len(c.account.OfType(vpcType)) >= vpcLimit {
		return apiError("CreateVpc", "VpcLimitExceeded", "The maximum number of VPCs has been reached.")
	}
	prefix, err := netip.ParsePrefix(Text(c.inputs, "cidrBlock"))
	if err != nil || !prefix.Addr().Is4() || prefix.Bits() < 16 || prefix.Bits() > 28 {
		return apiError("CreateVpc", "InvalidVpc.Range", "The CIDR '%s' is invalid.", Text(c.inputs, "cidrBlock"))
	}
	c.id = newID("vpc")
	c.outputs["arn"] = c.arn("ec2", c.region, "vpc/"+c.id)
	c.outputs["defaultSecurityGroupId"], c.outputs["defaultRouteTableId"] = newID("sg"), newID("rtb")
	c.outputs["mainRouteTableId"] = c.outputs["defaultRouteTableId"]
	c.outputs["ownerId"] = number
	defaulted(c.outputs, "enableDnsSupport", true)
	defaulted(c.outputs, "enableDnsHostnames", false)
	c.outputs["ipv6CidrBlock"] = ""
	if Truth(c.inputs, "assignGeneratedIpv6CidrBlock") {
		c.outputs["ipv6CidrBlock"] = c.account.Internet.ipv6(len(c.account.OfType(vpcType)))
	}
	return nil
}

func removeVPC(c *call) error {
	for _, typ := range []string{subnetType, gatewayType, securityGroupType, tableType} {
		if len(c.account.users(typ, "vpcId", c.id)) > 0 {
			return apiError("DeleteVpc", "DependencyViolation", "The vpc '%s' has dependencies and cannot be deleted.", c.id)
		}
	}
	return nil
}

func createGateway(c *call) error {
	if vpc := Text(c.inputs, "vpcId"); vpc != "" {
		if _, err := c.find("AttachInternetGateway", vpcType, vpc, "InvalidVpcID.NotFound"); err != nil {
			return err
		}
		if len(c.account.users(gatewayType, "vpcId", vpc)) > 0 {
			return apiError("AttachInternetGateway", "Resource.AlreadyAssociated", "resource %s already has an internet gateway attached", vpc)
		}
	}
	c.id = newID("igw")
	c.outputs["arn"], c.outputs["ownerId"] = c.arn("ec2", c.region, "internet-gateway/"+c.id), number
	return nil
}

func removeGateway(c *call) error {
	for _, instance := range c.account.OfType(instanceType) {
		if Text(instance.Outputs, "publicIp") != "" && c.account.vpcOf(instance) == Text(c.old.Outputs, "vpcId") {
			return apiError("DetachInternetGateway", "DependencyViolation", "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", Text(c.old.Outputs, "vpcId"))
		}
	}
	for _, balancer := range c.account.users(LoadBalancerType, "vpcId", Text(c.old.Outputs, "vpcId")) {
		return apiError("DetachInternetGateway", "DependencyViolation", "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway: %s", Text(c.old.Outputs, "vpcId"), balancer.ID)
	}
	for _, route := range c.account.users(routeType, "gatewayId", c.id) {
		return apiError("DeleteInternetGateway", "DependencyViolation", "The internetGateway '%s' has dependencies and cannot be deleted: %s.", c.id, route.ID)
	}
	return nil
}

// vpcOf is the VPC of an instance.
func (a *Account) vpcOf(instance *Resource) string {
	if subnet := a.get(subnetType, Text(instance.Outputs, "subnetId")); subnet != nil {
		return Text(subnet.Outputs, "vpcId")
	}
	return ""
}

func createSubnet(c *call) error {
	vpc, err := c.find("CreateSubnet", vpcType, Text(c.inputs, "vpcId"), "InvalidVpcID.NotFound")
	if err != nil {
		return err
	}
	prefix, err := netip.ParsePrefix(Text(c.inputs, "cidrBlock"))
	outer := netip.MustParsePrefix(Text(vpc.Outputs, "cidrBlock"))
	if err != nil || prefix.Bits() < outer.Bits() || prefix.Bits() > 28 || !outer.Contains(prefix.Addr()) {
		return apiError("CreateSubnet", "InvalidSubnet.Range", "The CIDR '%s' is invalid.", Text(c.inputs, "cidrBlock"))
	}
	for _, other := range c.account.users(subnetType, "vpcId", vpc.ID) {
		if prefix.Overlaps(netip.MustParsePrefix(Text(other.Outputs, "cidrBlock"))) {
			return apiError("CreateSubnet", "InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", prefix)
		}
	}
	if err := c.checkSubnetIPv6("CreateSubnet", vpc); err != nil {
		return err
	}
	zone := Text(c.inputs, "availabilityZone")
	if zone == "" {
		zone = c.region + "a"
	}
	if letter, inside := strings.CutPrefix(zone, c.region); !inside || !slices.Contains(zoneLetters, letter) {
		return apiError("CreateSubnet", "InvalidParameterValue", "Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %[2]sa, %[2]sb, %[2]sc.", zone, c.region)
	}
	c.id = newID("subnet")
	c.outputs["arn"], c.outputs["ownerId"], c.outputs["availabilityZone"] = c.arn("ec2", c.region, "subnet/"+c.id), number, zone
	defaulted(c.outputs, "mapPublicIpOnLaunch", false)
	defaulted(c.outputs, "assignIpv6AddressOnCreation", false)
	return nil
}

// updateSubnet associates another IPv6 range in place.
func updateSubnet(c *call) error {
	const operation = "AssociateSubnetCidrBlock"
	vpc, err := c.find(operation, vpcType, Text(c.inputs, "vpcId"), "InvalidVpcID.NotFound")
	if err != nil {
		return err
	}
	return c.checkSubnetIPv6(operation, vpc)
}

func (c *call) checkSubnetIPv6(operation string, vpc *Resource) error {
	v6 := Text(c.inputs, "ipv6CidrBlock")
	if v6 == "" {
		return nil
	}
	inner, err := netip.ParsePrefix(v6)
	whole, none := netip.ParsePrefix(Text(vpc.Outputs, "ipv6CidrBlock"))
	if err != nil || none != nil || inner.Bits() != 64 || !whole.Contains(inner.Addr()) {
		return apiError(operation, "InvalidSubnet.Range", "The IPv6 CIDR '%s' is invalid.", v6)
	}
	return nil
}

func removeSubnet(c *call) error {
	inside := func(balancer *Resource) bool { return slices.Contains(Texts(balancer.Outputs, "subnets"), c.id) }
	if len(c.account.users(instanceType, "subnetId", c.id))+len(c.account.users(DatabaseType, "privateSubnetId", c.id)) > 0 || slices.ContainsFunc(c.account.OfType(LoadBalancerType), inside) {
		return apiError("DeleteSubnet", "DependencyViolation", "The subnet '%s' has dependencies and cannot be deleted.", c.id)
	}
	return nil
}

func createTable(c *call) error {
	if _, err := c.find("CreateRouteTable", vpcType, Text(c.inputs, "vpcId"), "InvalidVpcID.NotFound"); err != nil {
		return err
	}
	c.id = newID("rtb")
	c.outputs["arn"], c.outputs["ownerId"] = c.arn("ec2", c.region, "route-table/"+c.id), number
	return nil
}

func removeTable(c *call) error {
	if len(c.account.users(tableUseType, "routeTableId", c.id)) > 0 {
		return apiError("DeleteRouteTable", "DependencyViolation", "The routeTable '%s' has dependencies and cannot be deleted.", c.id)
	}
	return nil
}

func createRoute(c *call) error {
	table, err := c.find("CreateRoute", tableType, Text(c.inputs, "routeTableId"), "InvalidRouteTableID.NotFound")
	if err != nil {
		return err
	}
	if err := c.checkRouteTarget("CreateRoute", table); err != nil {
		return err
	}
	destination := Text(c.inputs, "destinationCidrBlock") + Text(c.inputs, "destinationIpv6CidrBlock")
	if _, err := netip.ParsePrefix(destination); err != nil {
		return apiError("CreateRoute", "InvalidParameterValue", "Value (%s) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.", destination)
	}
	c.id = "r-" + table.ID + destination
	if c.account.get(routeType, c.id) != nil {
		return apiError("CreateRoute", "RouteAlreadyExists", "The route identified by %s already exists.", destination)
	}
	c.outputs["origin"], c.outputs["state"] = "CreateRoute", "active"
	return nil
}

// updateRoute gives a route another target in place.
func updateRoute(c *call) error {
	table, err := c.find("ReplaceRoute", tableType, Text(c.inputs, "routeTableId"), "InvalidRouteTableID.NotFound")
	if err != nil {
		return err
	}
	c.outputs["state"] = "active"
	return c.checkRouteTarget("ReplaceRoute", table)
}

// checkRouteTarget finds the internet gateway or the network interface of a route. AWS takes an interface
// whose source/destination check is on, and drops the packets there.
func (c *call) checkRouteTarget(operation string, table *Resource) error {
	target, vpc := Text(c.inputs, "networkInterfaceId"), ""
	if target != "" {
		owners := c.account.users(instanceType, "primaryNetworkInterfaceId", target)
		if len(owners) == 0 {
			return apiError(operation, "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist", target)
		}
		vpc = c.account.vpcOf(owners[0])
		c.outputs["instanceId"], c.outputs["instanceOwnerId"] = owners[0].ID, number
	} else {
		gateway, err := c.find(operation, gatewayType, Text(c.inputs, "gatewayId"), "InvalidInternetGatewayID.NotFound")
		if err != nil {
			return err
		}
		target, vpc = gateway.ID, Text(gateway.Outputs, "vpcId")
	}
	if vpc != Text(table.Outputs, "vpcId") {
		return apiError(operation, "InvalidParameterValue", "route table %s and network gateway %s belong to different networks", table.ID, target)
	}
	return nil
}

func createTableUse(c *call) error {
	subnet, table := Text(c.inputs, "subnetId"), Text(c.inputs, "routeTableId")
	if _, err := c.find("AssociateRouteTable", subnetType, subnet, "InvalidSubnetID.NotFound"); err != nil {
		return err
	}
	if _, err := c.find("AssociateRouteTable", tableType, table, "InvalidRouteTableID.NotFound"); err != nil {
		return err
	}
	if len(c.account.users(tableUseType, "subnetId", subnet)) > 0 {
		return apiError("AssociateRouteTable", "Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", table)
	}
	c.id = newID("rtbassoc")
	return nil
}

// nextPrivate is the next free address of a subnet; AWS keeps the first four to itself.
func (a *Account) nextPrivate(subnet *Resource) string {
	address := netip.MustParsePrefix(Text(subnet.Outputs, "cidrBlock")).Addr()
	for range 4 {
		address = address.Next()
	}
	var taken []string
	for _, instance := range a.users(instanceType, "subnetId", subnet.ID) {
		taken = append(taken, Text(instance.Outputs, "privateIp"))
	}
	for _, database := range a.users(DatabaseType, "privateSubnetId", subnet.ID) {
		taken = append(taken, Text(database.Outputs, "privateIpAddress"))
	}
	for slices.Contains(taken, address.String()) {
		address = address.Next()
	}
	return address.String()
}

// nextIPv6 is a free address of a subnet's IPv6 range.
func (a *Account) nextIPv6(subnet *Resource) string {
	var taken []string
	for _, instance := range a.users(instanceType, "subnetId", subnet.ID) {
		taken = append(taken, Texts(instance.Outputs, "ipv6Addresses")...)
	}
	for _, balancer := range a.OfType(LoadBalancerType) {
		taken = append(taken, Texts(balancer.Outputs, "ipv6Addresses")...)
	}
	range6 := strings.TrimSuffix(Text(subnet.Outputs, "ipv6CidrBlock"), "/64")
	for end := 0xa1b2; ; end++ {
		if address := fmt.Sprintf("%s%x", range6, end); !slices.Contains(taken, address) {
			return address
		}
	}
}
