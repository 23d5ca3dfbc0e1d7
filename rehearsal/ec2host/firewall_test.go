package ec2host

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

func rule(properties map[string]any) *aws.Resource {
	return &aws.Resource{ID: "sgr-1", Inputs: properties}
}

func TestExpression(t *testing.T) {
	for want, properties := range map[string]map[string]any{
		"ip saddr 203.0.113.0/24 tcp dport 22-22": {"cidrIpv4": "203.0.113.0/24", "ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0},
		"meta nfproto ipv4 tcp dport 80-80":       {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp", "fromPort": 80.0, "toPort": 80.0},
		"meta nfproto ipv6 udp dport 1-9":         {"cidrIpv6": "::/0", "ipProtocol": "udp", "fromPort": 1.0, "toPort": 9.0},
		"ip6 saddr 2001:db8::/32":                 {"cidrIpv6": "2001:db8::/32", "ipProtocol": "-1"},
		"meta nfproto ipv4 meta l4proto icmp":     {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "icmp"},
	} {
		got, err := expression(rule(properties), "saddr")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := expression(rule(map[string]any{"cidrIpv4": "0.0.0.0/0", "ipProtocol": "gre"}), "saddr")
	assert.ErrorContains(t, err, "gre")
	_, err = expression(rule(nil), "saddr")
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
			Ingress: []string{"ip saddr 203.0.113.0/24 tcp dport 22-22"}, Egress: []string{"meta nfproto ipv6"}, HopLimit: hops,
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
	rules, err := filterOf(account, &aws.Resource{Outputs: map[string]any{"vpcSecurityGroupIds": []any{"sg-own"}, "metadataOptions": map[string]any{"httpPutResponseHopLimit": 2.0}}})
	require.NoError(t, err)
	assert.Equal(t, filter{Ingress: []string{"meta nfproto ipv4 tcp dport 80-80"}, HopLimit: 2}, rules)

	rules, err = filterOf(account, &aws.Resource{Outputs: map[string]any{"vpcSecurityGroupIds": []any{"sg-own"}, "instanceState": "stopped"}})
	require.NoError(t, err)
	assert.Empty(t, rules.Ingress, "a stopped instance is silent")
}

func TestNodePathIsWhereNitroPutsAVolume(t *testing.T) {
	assert.Equal(t, "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0", nodePath("vol-0123456789abcdef0"))
}
