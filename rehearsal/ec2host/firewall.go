package ec2host

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"text/template"

	"berth/rehearsal/aws"
)

//go:embed firewall.nft
var firewallText string

var firewallTemplate = template.Must(template.New("firewall.nft").Parse(firewallText))

// filter is what the packet filter of one network interface enforces: nftables expressions that accept, in the
// order of the rules' creation.
type filter struct {
	Ingress, Egress []string
	// HopLimit is the instance's limit for answers of the metadata service: with 1 they do not reach a container.
	HopLimit int
}

// applySecurityGroups loads each instance's rules into its network interface, outside the host's own firewall, which
// Docker bypasses and the host's root may change.
func (w *World) applySecurityGroups(ctx context.Context, account *aws.Account) error {
	for _, instance := range account.OfType(instanceType) {
		rules, err := filterOf(account, instance)
		if err != nil {
			return err
		}
		var ruleset bytes.Buffer
		if err := firewallTemplate.Execute(&ruleset, rules); err != nil {
			return err
		}
		if _, err := docker(ctx, ruleset.String(), "exec", "--interactive", w.eni(instance.ID), "nft", "--file", "-"); err != nil {
			return fmt.Errorf("load the security groups of %s: %w", instance.ID, err)
		}
	}
	return nil
}

func filterOf(account *aws.Account, instance *aws.Resource) (filter, error) {
	if stopped(instance) {
		// Nothing answers there, not even with a refused connection.
		return filter{HopLimit: 1}, nil
	}
	groups := texts(instance.Outputs, "vpcSecurityGroupIds")
	collect := func(typ, side string) ([]string, error) {
		var expressions []string
		for _, rule := range account.OfType(typ) {
			if !slices.Contains(groups, text(rule.Inputs, "securityGroupId")) {
				continue
			}
			expression, err := expression(rule, side)
			if err != nil {
				return nil, err
			}
			expressions = append(expressions, expression)
		}
		return expressions, nil
	}
	result := filter{HopLimit: 1}
	if options, ok := instance.Outputs["metadataOptions"].(map[string]any); ok {
		result.HopLimit = max(1, number(options, "httpPutResponseHopLimit"))
	}
	var err error
	if result.Ingress, err = collect("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "saddr"); err != nil {
		return filter{}, err
	}
	result.Egress, err = collect("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "daddr")
	return result, err
}

// expression writes one security group rule as an nftables match; side is saddr for ingress, daddr for egress.
func expression(rule *aws.Resource, side string) (string, error) {
	family, cidr := "ip", text(rule.Inputs, "cidrIpv4")
	if cidr == "" {
		family, cidr = "ip6", text(rule.Inputs, "cidrIpv6")
	}
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return "", fmt.Errorf("read the range of rule %s: %w", rule.ID, err)
	}
	match := fmt.Sprintf("%s %s %s", family, side, prefix)
	if prefix.Bits() == 0 {
		match = "meta nfproto " + map[string]string{"ip": "ipv4", "ip6": "ipv6"}[family]
	}
	from, to := number(rule.Inputs, "fromPort"), number(rule.Inputs, "toPort")
	switch protocol := text(rule.Inputs, "ipProtocol"); protocol {
	case "-1":
		return match, nil
	case "tcp", "udp":
		return fmt.Sprintf("%s %s dport %d-%d", match, protocol, from, to), nil
	case "icmp", "icmpv6":
		return fmt.Sprintf("%s meta l4proto %s", match, map[string]string{"icmp": "icmp", "icmpv6": "ipv6-icmp"}[protocol]), nil
	default:
		return "", fmt.Errorf("rule %s has protocol %q, which the rehearsal's packet filter does not know", rule.ID, protocol)
	}
}
