package ec2host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
	"berth/rehearsal/machineimage"
)

// vpc is an account with a VPC of two subnets, an instance in each, and a route to what is behind the first one.
func vpc() *aws.Account {
	account := &aws.Account{Number: "123456789012", Resources: map[string]*aws.Resource{}}
	made := time.Now()
	put := func(typ, id string, outputs map[string]any) {
		made = made.Add(time.Second)
		account.Resources[typ+"::"+id] = &aws.Resource{Type: typ, ID: id, Inputs: outputs, Outputs: outputs, Created: made}
	}
	put(vpcType, "vpc-1", map[string]any{"cidrBlock": "10.241.0.0/16", "ipv6CidrBlock": "2001:db8:ffe0:100::/56"})
	for i, id := range []string{"subnet-1", "subnet-2"} {
		put(subnetType, id, map[string]any{"vpcId": "vpc-1", "cidrBlock": fmt.Sprintf("10.241.%d.0/24", i), "ipv6CidrBlock": fmt.Sprintf("2001:db8:ffe0:10%d::/64", i)})
		put("aws:ec2/routeTableAssociation:RouteTableAssociation", "use-"+id, map[string]any{"subnetId": id, "routeTableId": "rtb-1"})
	}
	put(routeType, "r-1", map[string]any{"routeTableId": "rtb-1", "destinationCidrBlock": "100.64.20.0/24", "networkInterfaceId": "eni-1"})
	for i, id := range []string{"i-1", "i-2"} {
		put(instanceType, id, map[string]any{
			"subnetId": fmt.Sprintf("subnet-%d", i+1), "privateIp": fmt.Sprintf("10.241.%d.4", i), "ipv6Addresses": []any{fmt.Sprintf("2001:db8:ffe0:10%d::a1b2", i)},
			"primaryNetworkInterfaceId": fmt.Sprintf("eni-%d", i+1), "vpcSecurityGroupIds": []any{"sg-" + id}, "availabilityZone": "eu-central-1a", "sourceDestCheck": i > 0,
		})
		put(egressType, "out-"+id, map[string]any{"securityGroupId": "sg-" + id, "cidrIpv4": "0.0.0.0/0", "ipProtocol": "-1"})
		put(egressType, "out6-"+id, map[string]any{"securityGroupId": "sg-" + id, "cidrIpv6": "::/0", "ipProtocol": "-1"})
	}
	put(ingressType, "in-1", map[string]any{"securityGroupId": "sg-i-1", "referencedSecurityGroupId": "sg-i-2", "ipProtocol": "-1"})
	return account
}

func TestRoutesOfASubnet(t *testing.T) {
	account := vpc()
	assert.Equal(t, []hop{{"100.64.20.0/24", "10.241.0.4"}}, routesOf(account, account.Resources[instanceType+"::i-2"]))
	assert.Empty(t, routesOf(account, account.Resources[instanceType+"::i-1"]), "its own network is behind itself")
	account.Resources["aws:ec2/routeTableAssociation:RouteTableAssociation::use-subnet-2"].Outputs["routeTableId"] = "rtb-2"
	assert.Empty(t, routesOf(account, account.Resources[instanceType+"::i-2"]), "another table's routes are another subnet's")
}

// TestInstancesOfAVPC: they reach one another across subnets, as far as security groups let them, and what is behind an instance that
// passes on what is for others.
func TestInstancesOfAVPC(t *testing.T) {
	if os.Geteuid() != 0 || !exists(t.Context(), "image", machineimage.AMI) {
		t.Skip("the machine image is made by a rehearsal, as root")
	}
	w := &World{Name: fmt.Sprintf("berth-test-%d-vpc", os.Getpid()), Dir: t.TempDir(), Bin: t.TempDir(), Internet: aws.Internets - 1}
	t.Cleanup(func() { assert.NoError(t, w.Remove(context.Background())) })
	for _, name := range []string{"dns", "acme"} {
		require.NoError(t, w.replaceContainer(t.Context(), w.object(name), "--network", "none", machineimage.AMI, "sleep", "infinity"))
		_, err := docker(t.Context(), "", "network", "disconnect", "none", w.object(name))
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(w.Bin, "rehearsal-imds"), []byte("#!/bin/sh\nexec sleep infinity\n"), 0o755))
	account := vpc()
	first, second := account.Resources[instanceType+"::i-1"], account.Resources[instanceType+"::i-2"]
	apply := func() {
		require.NoError(t, w.makeSubnets(t.Context(), account))
		for _, instance := range account.OfType(instanceType) {
			require.NoError(t, w.runInterface(t.Context(), account, instance))
		}
		require.NoError(t, w.applyRoutes(t.Context(), account))
		require.NoError(t, w.applySecurityGroups(t.Context(), account))
	}
	in := func(instance *aws.Resource, args ...string) error {
		_, err := docker(t.Context(), "", append([]string{"exec", w.eni(instance.ID)}, args...)...)
		return err
	}
	reaches := func(from *aws.Resource, address string) bool { return in(from, "ping", "-c1", "-W1", address) == nil }
	apply()
	network, err := w.networkOf(t.Context(), account.Resources[subnetType+"::subnet-2"])
	require.NoError(t, err)
	assert.Equal(t, w.object("subnet-1"), network, "one network for the VPC, of the first subnet's name")
	assert.True(t, reaches(second, "10.241.0.4"))
	assert.True(t, reaches(second, "2001:db8:ffe0:100::a1b2"))
	assert.False(t, reaches(first, "10.241.1.4"), "no rule lets it in")
	assert.False(t, reaches(first, "2001:db8:ffe0:101::a1b2"))

	// A bridge network behind the first one, as Docker makes it.
	require.NoError(t, in(first, "ip", "link", "add", "reach", "type", "bridge"))
	require.NoError(t, in(first, "ip", "address", "add", "100.64.20.1/24", "dev", "reach"))
	require.NoError(t, in(first, "ip", "link", "set", "reach", "up"))
	assert.True(t, reaches(second, "100.64.20.1"))
	first.Outputs["sourceDestCheck"] = true
	apply()
	assert.False(t, reaches(second, "100.64.20.1"), "the check of source and destination drops it")
	assert.True(t, reaches(second, "10.241.0.4"))
	first.Outputs["sourceDestCheck"] = false
	apply()
	assert.True(t, reaches(second, "100.64.20.1"))
	delete(account.Resources, routeType+"::r-1")
	apply()
	routes, err := docker(t.Context(), "", "exec", w.eni("i-2"), "ip", "route")
	require.NoError(t, err)
	assert.NotContains(t, routes, "100.64.20.0")
}
