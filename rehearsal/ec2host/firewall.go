package ec2host

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/template"

	"berth/rehearsal/aws"
)

//go:embed firewall.nft
var firewallText string

var firewallTemplate = template.Must(template.New("firewall.nft").Parse(firewallText))

const (
	ingressType = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressType  = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
)

// filter is what the packet filter of one network interface enforces: nftables expressions that accept, in the
// order of the rules' creation.
type filter struct {
	Ingress, Egress []string
	// HopLimit is the instance's limit for answers of the metadata service: with 1 they do not reach a container.
	HopLimit int
	// Own4 and Own6 are the interface's addresses, lists in nftables' syntax, where it takes packets for no other: the check of
	// source and destination. Both are empty where that is off.
	Own4, Own6 string
}

// applySecurityGroups loads each instance's rules into its network interface, outside the host's own firewall, which
// Docker bypasses and the host's root may change. The load balancer and databases have security groups as well.
func (w *World) applySecurityGroups(ctx context.Context, account *aws.Account) error {
	for _, instance := range account.OfType(instanceType) {
		rules, err := filterOf(account, instance)
		if err != nil {
			return err
		}
		if err := loadFilter(ctx, w.eni(instance.ID), rules); err != nil {
			return fmt.Errorf("load the security groups of %s: %w", instance.ID, err)
		}
	}
	for _, balancer := range account.OfType(aws.LoadBalancerType) {
		rules, err := rulesOf(account, aws.Texts(balancer.Outputs, "securityGroups"))
		if err != nil {
			return err
		}
		if err := loadFilter(ctx, w.balancer(), rules); err != nil {
			return fmt.Errorf("load the security groups of %s: %w", balancer.ID, err)
		}
	}
	for _, database := range account.OfType(aws.DatabaseType) {
		rules, err := rulesOf(account, aws.Texts(database.Outputs, "vpcSecurityGroupIds"))
		if err != nil {
			return err
		}
		if err := loadFilter(ctx, w.database(aws.Text(database.Outputs, "identifier")), rules); err != nil {
			return fmt.Errorf("load the security groups of the database %s: %w", database.ID, err)
		}
	}
	return nil
}

func loadFilter(ctx context.Context, container string, rules filter) error {
	var ruleset bytes.Buffer
	if err := firewallTemplate.Execute(&ruleset, rules); err != nil {
		return err
	}
	_, err := docker(ctx, ruleset.String(), "exec", "--interactive", container, "nft", "--file", "-")
	return err
}

func filterOf(account *aws.Account, instance *aws.Resource) (filter, error) {
	if stopped(instance) {
		// Nothing answers there, not even with a refused connection.
		return filter{HopLimit: 1}, nil
	}
	result, err := rulesOf(account, aws.Texts(instance.Outputs, "vpcSecurityGroupIds"))
	if options, ok := instance.Outputs["metadataOptions"].(map[string]any); ok {
		result.HopLimit = max(1, aws.Number(options, "httpPutResponseHopLimit"))
	}
	if checked, said := instance.Outputs["sourceDestCheck"].(bool); checked || !said {
		result.Own4, result.Own6 = own(account, instance)
	}
	return result, err
}

// own are the addresses of an instance. Neighbours find one another by link-local addresses and groups.
func own(account *aws.Account, instance *aws.Resource) (v4, v6 string) {
	all := []string{aws.Text(instance.Outputs, "privateIp")}
	if public := aws.Text(instance.Outputs, "publicIp"); public != "" {
		all = append(all, public)
	}
	for _, association := range account.OfType("aws:ec2/eipAssociation:EipAssociation") {
		if public := aws.Text(association.Outputs, "publicIp"); aws.Text(association.Outputs, "instanceId") == instance.ID && !slices.Contains(all, public) {
			all = append(all, public)
		}
	}
	return strings.Join(all, ", "), strings.Join(append(aws.Texts(instance.Outputs, "ipv6Addresses"), "fe80::/10", "ff00::/8"), ", ")
}

// rulesOf are the rules of security groups.
func rulesOf(account *aws.Account, groups []string) (filter, error) {
	collect := func(typ, side string) ([]string, error) {
		var all []string
		for _, rule := range account.OfType(typ) {
			if !slices.Contains(groups, aws.Text(rule.Inputs, "securityGroupId")) {
				continue
			}
			matches, err := expressions(account, rule, side)
			if err != nil {
				return nil, err
			}
			all = append(all, matches...)
		}
		return all, nil
	}
	ingress, err1 := collect(ingressType, "saddr")
	egress, err2 := collect(egressType, "daddr")
	return filter{Ingress: ingress, Egress: egress, HopLimit: 1}, errors.Join(err1, err2)
}

// expressions writes one security group rule as nftables matches; side is saddr for ingress, daddr for egress.
func expressions(account *aws.Account, rule *aws.Resource, side string) ([]string, error) {
	ports, err := portsOf(rule)
	if err != nil {
		return nil, err
	}
	if group := aws.Text(rule.Inputs, "referencedSecurityGroupId"); group != "" {
		var all []string
		v4, v6 := members(account, group)
		for family, addresses := range map[string][]string{"ip": v4, "ip6": v6} {
			if len(addresses) > 0 {
				all = append(all, fmt.Sprintf("%s %s { %s }%s", family, side, strings.Join(addresses, ", "), ports))
			}
		}
		slices.Sort(all)
		return all, nil
	}
	family, cidr := "ip", aws.Text(rule.Inputs, "cidrIpv4")
	if cidr == "" {
		family, cidr = "ip6", aws.Text(rule.Inputs, "cidrIpv6")
	}
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("read the range of rule %s: %w", rule.ID, err)
	}
	match := fmt.Sprintf("%s %s %s", family, side, prefix)
	if prefix.Bits() == 0 {
		match = "meta nfproto " + map[string]string{"ip": "ipv4", "ip6": "ipv6"}[family]
	}
	return []string{match + ports}, nil
}

// portsOf writes a rule's protocol and ports as a match that follows another one.
func portsOf(rule *aws.Resource) (string, error) {
	from, to := aws.Number(rule.Inputs, "fromPort"), aws.Number(rule.Inputs, "toPort")
	switch protocol := aws.Text(rule.Inputs, "ipProtocol"); protocol {
	case "-1":
		return "", nil
	case "tcp", "udp":
		return fmt.Sprintf(" %s dport %d-%d", protocol, from, to), nil
	case "icmp", "icmpv6":
		return " meta l4proto " + map[string]string{"icmp": "icmp", "icmpv6": "ipv6-icmp"}[protocol], nil
	default:
		return "", fmt.Errorf("rule %s has protocol %q, which the rehearsal's packet filter does not know", rule.ID, protocol)
	}
}

// members are the private addresses of whoever is in a security group, by which a rule that names the group lets them through.
func members(account *aws.Account, group string) (v4, v6 []string) {
	for _, instance := range account.OfType(instanceType) {
		if slices.Contains(aws.Texts(instance.Outputs, "vpcSecurityGroupIds"), group) {
			v4, v6 = append(v4, aws.Text(instance.Outputs, "privateIp")), append(v6, aws.Texts(instance.Outputs, "ipv6Addresses")...)
		}
	}
	for _, balancer := range account.OfType(aws.LoadBalancerType) {
		if slices.Contains(aws.Texts(balancer.Outputs, "securityGroups"), group) {
			v4, v6 = append(v4, privateOf(account, balancer)...), append(v6, aws.Texts(balancer.Outputs, "ipv6Addresses")...)
		}
	}
	return v4, v6
}
