package infra

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"berth/internal/config"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
)

// describe writes a rule as "protocol ports range".
func describe(rule pulumi.MockResourceArgs) string {
	ports := ""
	if from, to := input(rule, "fromPort"), input(rule, "toPort"); from.IsNumber() && to.IsNumber() {
		ports = fmt.Sprintf(" %.0f-%.0f", from.NumberValue(), to.NumberValue())
	}
	return text(rule, "ipProtocol") + ports + " " + text(rule, "cidrIpv4") + text(rule, "cidrIpv6")
}

// The whole of what may come in, in every shape of the environment: a rule more is a hole.
func TestFirewallOpensNothingElse(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			c := declare(t, shape.change, nil)
			rules := map[string]string{}
			for _, rule := range c.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule") {
				rules[rule.Name] = describe(rule)
				assert.Equal(t, "security-group-id", text(rule, "securityGroupId"))
			}
			assert.Equal(t, map[string]string{
				"ssh-from-203.0.113.7-32":  "tcp 22-22 203.0.113.7/32",
				"ssh-from-2001-db8-7---48": "tcp 22-22 2001:db8:7::/48",
				"http-ipv4":                "tcp 80-80 0.0.0.0/0",
				"http-ipv6":                "tcp 80-80 ::/0",
				"https-ipv4":               "tcp 443-443 0.0.0.0/0",
				"https-ipv6":               "tcp 443-443 ::/0",
			}, rules)
		})
	}
}

// TestHTTP3OpensItsPort, and no other.
func TestHTTP3OpensItsPort(t *testing.T) {
	var rules []string
	for _, rule := range declare(t, func(cfg *config.Config) { cfg.HTTP3 = true }, nil).of("vpc/securityGroupIngressRule:SecurityGroupIngressRule") {
		if said := describe(rule); !strings.HasPrefix(said, "tcp ") {
			rules = append(rules, said)
		}
	}
	assert.ElementsMatch(t, []string{"udp 443-443 0.0.0.0/0", "udp 443-443 ::/0"}, rules)
}

func TestFirewallLetsEverythingOut(t *testing.T) {
	var rules []string
	for _, rule := range declare(t, nil, nil).of("vpc/securityGroupEgressRule:SecurityGroupEgressRule") {
		rules = append(rules, describe(rule))
	}
	assert.ElementsMatch(t, []string{"-1 0.0.0.0/0", "-1 ::/0"}, rules)
}

func TestEachOperatorRangeHasItsRule(t *testing.T) {
	ranges := []string{"198.51.100.0/24", "203.0.113.7/32", "2001:db8::/32", "2001:db8:0:1::/64"}
	c := declare(t, func(cfg *config.Config) {
		cfg.OperatorCIDRs = nil
		for _, cidr := range ranges {
			cfg.OperatorCIDRs = append(cfg.OperatorCIDRs, netip.MustParsePrefix(cidr))
		}
	}, nil)
	var opened []string
	for _, rule := range c.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule") {
		if input(rule, "fromPort").NumberValue() == 22 {
			opened = append(opened, text(rule, "cidrIpv4")+text(rule, "cidrIpv6"))
		}
	}
	assert.ElementsMatch(t, ranges, opened)
}

// Inline rules and rules of their own undo each other.
func TestSecurityGroupHasNoInlineRules(t *testing.T) {
	group := declare(t, nil, nil).only(t, "ec2/securityGroup:SecurityGroup")
	assert.NotContains(t, group.Inputs, "ingress")
	assert.NotContains(t, group.Inputs, "egress")
}

// A description that followed a setting would replace the group, and the server with it.
func TestSecurityGroupDescriptionNeverChanges(t *testing.T) {
	for _, shape := range shapes {
		group := declare(t, shape.change, nil).only(t, "ec2/securityGroup:SecurityGroup")
		assert.Equal(t, "SSH from the operator, HTTP and HTTPS from everywhere", text(group, "description"))
		assert.NotContains(t, group.Inputs, "name")
	}
}
