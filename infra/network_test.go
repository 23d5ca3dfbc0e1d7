package infra

import (
	"net/netip"
	"testing"

	"berth/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOwnNetworkIsDualStackAndPublic(t *testing.T) {
	var ipv6 string
	c := declare(t, nil, func(env *Environment) {
		assert.True(t, env.Network.DualStack)
		read(t, env.Network.ServerIPv6, &ipv6)
	})
	vpc := c.only(t, "ec2/vpc:Vpc")
	assert.Equal(t, "10.20.0.0/16", text(vpc, "cidrBlock"))
	assert.True(t, input(vpc, "assignGeneratedIpv6CidrBlock").BoolValue())
	assert.True(t, input(vpc, "enableDnsHostnames").BoolValue())

	subnet := c.only(t, "ec2/subnet:Subnet")
	assert.Equal(t, "10.20.0.0/24", text(subnet, "cidrBlock"))
	assert.Equal(t, "2001:db8:12:3400::/64", text(subnet, "ipv6CidrBlock"))
	assert.Equal(t, "eu-central-1a", text(subnet, "availabilityZone"))
	assert.True(t, input(subnet, "mapPublicIpOnLaunch").BoolValue())
	assert.True(t, input(subnet, "assignIpv6AddressOnCreation").BoolValue())
	assert.Equal(t, "2001:db8:12:3400::10", ipv6)

	routes := map[string]string{}
	for _, route := range c.of("ec2/route:Route") {
		routes[text(route, "destinationCidrBlock")+text(route, "destinationIpv6CidrBlock")] = text(route, "gatewayId")
	}
	assert.Equal(t, map[string]string{"0.0.0.0/0": "internet-gateway-id", "::/0": "internet-gateway-id"}, routes)
	assert.Equal(t, "subnet-id", text(c.only(t, "ec2/routeTableAssociation:RouteTableAssociation"), "subnetId"))
}

func TestExistingSubnetIsTakenAsItIs(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { cfg.SubnetID = "subnet-shared" }, nil)
	for _, kind := range []string{
		"ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/internetGateway:InternetGateway", "ec2/routeTable:RouteTable",
		"ec2/route:Route", "ec2/routeTableAssociation:RouteTableAssociation",
	} {
		assert.Empty(t, c.of(kind), kind)
	}
	assert.Equal(t, "vpc-shared", text(c.only(t, "ec2/securityGroup:SecurityGroup"), "vpcId"))
	assert.Equal(t, "subnet-shared", text(c.only(t, "ec2/instance:Instance"), "subnetId"))
	assert.Equal(t, "eu-central-1c", text(c.only(t, "ebs/volume:Volume"), "availabilityZone"),
		"the volume is in the subnet's zone, whatever berth:availabilityZone says")
}

func TestMissingSubnetIsExplained(t *testing.T) {
	cfg, c := production(), newCloud()
	cfg.SubnetID, c.failing = "subnet-gone", "aws:ec2/getSubnet:getSubnet"
	err := c.run(cfg, nil)
	require.ErrorContains(t, err, "look up subnet subnet-gone in eu-central-1")
	assert.ErrorContains(t, err, "refused by AWS")
	assert.ErrorContains(t, err, "pulumi config set berth:subnetId")
}

func TestSubnetIPv4(t *testing.T) {
	for vpc, want := range map[string]string{
		"10.20.0.0/16":   "10.20.0.0/24",
		"172.16.4.0/22":  "172.16.4.0/24",
		"10.0.2.0/23":    "10.0.2.0/24",
		"192.168.1.0/24": "192.168.1.0/25",
	} {
		assert.Equal(t, want, subnetIPv4(netip.MustParsePrefix(vpc)).String(), vpc)
	}
}

func TestSubnetIPv6(t *testing.T) {
	got, err := subnetIPv6("2001:db8:12:3400::/56")
	require.NoError(t, err)
	assert.Equal(t, "2001:db8:12:3400::/64", got)
	for _, wrong := range []string{"", "10.0.0.0/16", "2001:db8::/80"} {
		_, err := subnetIPv6(wrong)
		assert.Error(t, err, wrong)
	}
}

func TestServerIPv6(t *testing.T) {
	got, err := serverIPv6("2001:db8:12:34ff::/64")
	require.NoError(t, err)
	assert.Equal(t, "2001:db8:12:34ff::10", got)
	_, err = serverIPv6("")
	assert.Error(t, err)
}
