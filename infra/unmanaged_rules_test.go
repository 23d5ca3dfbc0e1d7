package infra

import (
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/stretchr/testify/assert"
)

func TestAnUnmanagedRuleIsReported(t *testing.T) {
	ssh := vpc.GetSecurityGroupRuleResult{SecurityGroupId: "sg-1", SecurityGroupRuleId: "sgr-1", IpProtocol: "tcp", FromPort: 22, ToPort: 22, CidrIpv4: "0.0.0.0/0"}
	assert.Equal(t, "a rule that Pulumi does not manage opens tcp 22 from 0.0.0.0/0; if it is not needed: aws ec2 revoke-security-group-ingress --group-id sg-1 --security-group-rule-ids sgr-1", unmanagedRule(&ssh, "42"))

	all := vpc.GetSecurityGroupRuleResult{SecurityGroupId: "sg-1", SecurityGroupRuleId: "sgr-2", IpProtocol: "-1", ReferencedSecurityGroupId: "sg-2", IsEgress: true}
	assert.Contains(t, unmanagedRule(&all, ""), "opens everything to sg-2; if it is not needed: aws ec2 revoke-security-group-egress")

	ssh.ToPort = 30
	assert.Contains(t, unmanagedRule(&ssh, "42"), "tcp 22 to 30 from")

	ssh.Tags = map[string]string{"ManagedBy": "berth", "Name": "app.example.com"}
	assert.Empty(t, unmanagedRule(&ssh, "42"), "what the stack is about to close")
}

func TestARuleThatARunnerLeftIsTold(t *testing.T) {
	left := vpc.GetSecurityGroupRuleResult{SecurityGroupId: "sg-1", SecurityGroupRuleId: "sgr-1", IpProtocol: "tcp", FromPort: 22, ToPort: 22, CidrIpv4: "198.51.100.9/32",
		Tags: map[string]string{"ManagedBy": "berth", "Name": "berth-runner", "Run": "42", "Opened": "2026-01-02T03:04:05Z"}}
	assert.Empty(t, unmanagedRule(&left, "42"), "the run that deploys now")
	for _, run := range []string{"", "43"} {
		assert.Equal(t, "port 22 is open to 198.51.100.9/32 since 2026-01-02T03:04:05Z, for the runner of a deploy (run 42); where that run has ended, the next deploy closes it, and so does: "+
			"aws ec2 revoke-security-group-ingress --group-id sg-1 --security-group-rule-ids sgr-1", unmanagedRule(&left, run))
	}
	left.Tags = map[string]string{"ManagedBy": "berth", "Name": "berth-runner"}
	assert.Contains(t, unmanagedRule(&left, ""), "since an unknown time, for the runner of a deploy (run unknown)")
}
