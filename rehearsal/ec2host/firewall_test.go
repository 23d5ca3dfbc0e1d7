package ec2host

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

func rule(properties map[string]any) *aws.Resource {
	return &aws.Resource{ID: "sgr-1", Inputs: properties}
}

func TestExpressions(t *testing.T) {
	account := &aws.Account{Resources: map[string]*aws.Resource{
		"i-1":                             {Type: instanceType, ID: "i-1", Outputs: map[string]any{"vpcSecurityGroupIds": []any{"sg-web"}, "privateIp": "10.20.0.5", "ipv6Addresses": []any{"2001:db8::5"}}},
		"i-2":                             {Type: instanceType, ID: "i-2", Outputs: map[string]any{"vpcSecurityGroupIds": []any{"sg-other"}, "privateIp": "10.20.0.6"}},
		"aws:ec2/subnet:Subnet::subnet-1": {Type: subnetType, ID: "subnet-1", Outputs: map[string]any{"cidrBlock": "10.20.2.0/23"}},
		"lb2":                             {Type: aws.LoadBalancerType, ID: "lb2", Outputs: map[string]any{"securityGroups": []any{"sg-lb2"}, "subnets": []any{"subnet-1"}}},
		"lb":                              {Type: aws.LoadBalancerType, ID: "lb", Outputs: map[string]any{"securityGroups": []any{"sg-lb"}, "privateIpv4Addresses": []any{"10.20.0.7", "10.20.1.7"}}},
	}}
	for want, properties := range map[string]map[string]any{
		"ip saddr 203.0.113.0/24 tcp dport 22-22":               {"cidrIpv4": "203.0.113.0/24", "ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0},
		"meta nfproto ipv4 tcp dport 80-80":                     {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp", "fromPort": 80.0, "toPort": 80.0},
		"meta nfproto ipv6 udp dport 1-9":                       {"cidrIpv6": "::/0", "ipProtocol": "udp", "fromPort": 1.0, "toPort": 9.0},
		"ip6 saddr 2001:db8::/32":                               {"cidrIpv6": "2001:db8::/32", "ipProtocol": "-1"},
		"meta nfproto ipv4 meta l4proto icmp":                   {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "icmp"},
		"ip saddr { 10.20.0.5 }|ip6 saddr { 2001:db8::5 }":      {"referencedSecurityGroupId": "sg-web", "ipProtocol": "-1"},
		"ip saddr { 10.20.0.7, 10.20.1.7 } tcp dport 8443-8443": {"referencedSecurityGroupId": "sg-lb", "ipProtocol": "tcp", "fromPort": 8443.0, "toPort": 8443.0},
		"":                         {"referencedSecurityGroupId": "sg-nobody", "ipProtocol": "-1"},
		"ip saddr { 10.20.3.254 }": {"referencedSecurityGroupId": "sg-lb2", "ipProtocol": "-1"},
	} {
		got, err := expressions(account, rule(properties), "saddr")
		require.NoError(t, err)
		assert.Equal(t, want, strings.Join(got, "|"))
	}
	_, err := expressions(account, rule(map[string]any{"cidrIpv4": "0.0.0.0/0", "ipProtocol": "gre"}), "saddr")
	assert.ErrorContains(t, err, "gre")
	_, err = expressions(account, rule(map[string]any{"ipProtocol": "-1"}), "saddr")
	assert.ErrorContains(t, err, "sgr-1")
}

// TestTheRulesetIsOneThatNftablesTakes has nft itself check it, without loading anything.
func TestTheRulesetIsOneThatNftablesTakes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("nft asks the kernel, which answers root alone")
	}
	for _, hops := range []int{1, 2} {
		var ruleset bytes.Buffer
		require.NoError(t, firewallTemplate.Execute(&ruleset, filter{
			Ingress: []string{"ip saddr { 203.0.113.1, 203.0.113.2 } tcp dport 22-22"}, Egress: []string{"meta nfproto ipv6"}, HopLimit: hops,
			Own4: "10.20.0.4, 198.51.100.16", Own6: "2001:db8::1, fe80::/10, ff00::/8",
		}))
		assert.Equal(t, hops == 1, bytes.Contains(ruleset.Bytes(), []byte(`iifname != "lo" drop`)), "with one hop the metadata ends at the host")
		check := exec.CommandContext(t.Context(), "nft", "--check", "--file", "-")
		check.Stdin = &ruleset
		output, err := check.CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
	}
}

func TestFilterTakesTheInstancesOwnGroups(t *testing.T) {
	account := &aws.Account{Resources: map[string]*aws.Resource{}}
	for group, port := range map[string]float64{"sg-own": 80, "sg-other": 81} {
		account.Resources[group] = &aws.Resource{Type: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", ID: group, Inputs: map[string]any{
			"securityGroupId": group, "cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp", "fromPort": port, "toPort": port,
		}}
	}
	instance := &aws.Resource{ID: "i-1", Outputs: map[string]any{"privateIp": "10.20.0.4", "ipv6Addresses": []any{"2001:db8::1"},
		"vpcSecurityGroupIds": []any{"sg-own"}, "metadataOptions": map[string]any{"httpPutResponseHopLimit": 2.0}}}
	account.Resources["tie"] = &aws.Resource{Type: "aws:ec2/eipAssociation:EipAssociation", Outputs: map[string]any{"instanceId": "i-1", "publicIp": "198.51.100.16"}}
	rules, err := filterOf(account, instance)
	require.NoError(t, err)
	assert.Equal(t, filter{Ingress: []string{"meta nfproto ipv4 tcp dport 80-80"}, HopLimit: 2,
		Own4: "10.20.0.4, 198.51.100.16", Own6: "2001:db8::1, fe80::/10, ff00::/8"}, rules)
	instance.Outputs["sourceDestCheck"] = false
	rules, err = filterOf(account, instance)
	require.NoError(t, err)
	assert.Empty(t, rules.Own4, "it passes on what is for others")

	rules, err = filterOf(account, &aws.Resource{Outputs: map[string]any{"vpcSecurityGroupIds": []any{"sg-own"}, "instanceState": "stopped"}})
	require.NoError(t, err)
	assert.Empty(t, rules.Ingress, "a stopped instance is silent")
}

func TestNodePathIsWhereNitroPutsAVolume(t *testing.T) {
	assert.Equal(t, "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0", nodePath("vol-0123456789abcdef0"))
}
