package infra

import (
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/stretchr/testify/assert"
)

func TestARuleMadeByHandIsTold(t *testing.T) {
	ssh := vpc.GetSecurityGroupRuleResult{SecurityGroupId: "sg-1", SecurityGroupRuleId: "sgr-1", IpProtocol: "tcp", FromPort: 22, ToPort: 22, CidrIpv4: "0.0.0.0/0"}
	assert.Equal(t, "somebody opened tcp 22 from 0.0.0.0/0 by hand; where nobody needs it: aws ec2 revoke-security-group-ingress --group-id sg-1 --security-group-rule-ids sgr-1", stranger(&ssh))

	all := vpc.GetSecurityGroupRuleResult{SecurityGroupId: "sg-1", SecurityGroupRuleId: "sgr-2", IpProtocol: "-1", ReferencedSecurityGroupId: "sg-2", IsEgress: true}
	assert.Contains(t, stranger(&all), "opened everything to sg-2 by hand; where nobody needs it: aws ec2 revoke-security-group-egress")

	ssh.ToPort = 30
	assert.Contains(t, stranger(&ssh), "tcp 22 to 30 from")

	ssh.Tags = map[string]string{"ManagedBy": "berth", "Name": "berth-runner"}
	assert.Empty(t, stranger(&ssh), "the runner's, and what the stack is about to close")
}
