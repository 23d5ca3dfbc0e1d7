package ec2host

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"

	"berth/rehearsal/aws"
)

//go:embed route.sh
var routeScript string

const routeType = "aws:ec2/route:Route"

// applyRoutes gives each instance the routes of its subnet's route table that go to other instances' network interfaces. A server that
// is alone has none.
func (w *World) applyRoutes(ctx context.Context, account *aws.Account) error {
	instances := account.OfType(instanceType)
	if len(instances) < 2 {
		return nil
	}
	for _, instance := range instances {
		if err := w.route(ctx, account, instance); err != nil {
			return err
		}
	}
	return nil
}

// route gives an instance's interface its routes, and its IPv6 address where Docker cannot.
func (w *World) route(ctx context.Context, account *aws.Account, instance *aws.Resource) error {
	address := ""
	if !dockerGives(account, instance) {
		address = byHand(account, instance)
	}
	args := []string{"exec", "--interactive", w.eni(instance.ID), "bash", "-s", aws.Text(instance.Outputs, "privateIp"), address}
	for _, route := range routesOf(account, instance) {
		args = append(args, route.to, route.via)
	}
	if _, err := docker(ctx, routeScript, args...); err != nil {
		return fmt.Errorf("route what %s sends: %w", instance.ID, err)
	}
	return nil
}

// hop is one route: a range, and the address of the instance that it goes to.
type hop struct{ to, via string }

// routesOf are the routes of an instance's subnet to interfaces of other instances.
func routesOf(account *aws.Account, instance *aws.Resource) []hop {
	tables := map[string]bool{}
	for _, use := range account.OfType("aws:ec2/routeTableAssociation:RouteTableAssociation") {
		if aws.Text(use.Outputs, "subnetId") == aws.Text(instance.Outputs, "subnetId") {
			tables[aws.Text(use.Outputs, "routeTableId")] = true
		}
	}
	var all []hop
	for _, route := range account.OfType(routeType) {
		if !tables[aws.Text(route.Outputs, "routeTableId")] {
			continue
		}
		for _, target := range account.OfType(instanceType) {
			if target.ID == instance.ID || aws.Text(target.Outputs, "primaryNetworkInterfaceId") != aws.Text(route.Outputs, "networkInterfaceId") {
				continue
			}
			if to := aws.Text(route.Outputs, "destinationCidrBlock"); to != "" {
				all = append(all, hop{to, aws.Text(target.Outputs, "privateIp")})
			}
			if v6 := aws.Texts(target.Outputs, "ipv6Addresses"); aws.Text(route.Outputs, "destinationIpv6CidrBlock") != "" && len(v6) > 0 {
				all = append(all, hop{aws.Text(route.Outputs, "destinationIpv6CidrBlock"), v6[0]})
			}
		}
	}
	return all
}

// dockerGives says whether Docker can give an instance its IPv6 address. Docker counts the addresses of a range with 64 bits, so
// that in a VPC's /56 it gives those of the first subnet's /64 alone.
func dockerGives(account *aws.Account, instance *aws.Resource) bool {
	addresses := aws.Texts(instance.Outputs, "ipv6Addresses")
	return len(addresses) == 0 || inFirst64(rangeOf(account, aws.Text(instance.Outputs, "subnetId")), addresses[0])
}

func inFirst64(whole netip.Prefix, address string) bool {
	parsed, err := netip.ParseAddr(address)
	if err != nil || !whole.IsValid() {
		return true // Docker says what is wrong with it.
	}
	return netip.PrefixFrom(whole.Masked().Addr(), 64).Contains(parsed)
}

// rangeOf is the IPv6 range of a subnet's VPC; one that is not valid where it has none.
func rangeOf(account *aws.Account, subnet string) netip.Prefix {
	found := account.Resources[subnetType+"::"+subnet]
	if found == nil {
		return netip.Prefix{}
	}
	vpc := account.Resources[vpcType+"::"+aws.Text(found.Outputs, "vpcId")]
	if vpc == nil {
		return netip.Prefix{}
	}
	whole, _ := netip.ParsePrefix(aws.Text(vpc.Outputs, "ipv6CidrBlock"))
	return whole
}

// byHand is the IPv6 address of an instance with the length of its VPC's range, as ip(8) takes it.
func byHand(account *aws.Account, instance *aws.Resource) string {
	return fmt.Sprintf("%s/%d", aws.Texts(instance.Outputs, "ipv6Addresses")[0], rangeOf(account, aws.Text(instance.Outputs, "subnetId")).Bits())
}
