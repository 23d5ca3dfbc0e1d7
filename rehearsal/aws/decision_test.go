package aws

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecisions(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ec2:Describe*","iam:GetRole"],"Resource":"*"},
		{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:eu-central-1:1:instance/*",
		 "Condition":{"StringEquals":{"aws:RequestTag/ManagedBy":"berth"},"StringLike":{"ec2:InstanceType":["t3.*","t3a.*"]}}},
		{"Effect":"Allow","Action":"route53:Change","Resource":"*","Condition":{"ForAllValues:StringLike":{"names":["a.example.com","*.a.example.com"]}}},
		{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}},
		{"Effect":"Deny","Action":"iam:GetR?le","Resource":"arn:aws:iam::1:role/secret-*"}]}`
	const instance = "arn:aws:ec2:eu-central-1:1:instance/*"
	tagged := map[string][]string{"aws:RequestTag/ManagedBy": {"berth"}, "ec2:InstanceType": {"t3.micro"}}
	for _, test := range []struct {
		action, resource string
		context          map[string][]string
		want             Decision
	}{
		{"ec2:DescribeVpcs", "*", nil, Allowed},
		{"EC2:describevpcs", "*", nil, Allowed},
		{"ec2:CreateVpc", "*", nil, ImplicitDeny},
		{"ec2:RunInstances", instance, tagged, Allowed},
		{"ec2:RunInstances", instance, map[string][]string{"aws:RequestTag/ManagedBy": {"berth"}, "ec2:InstanceType": {"m5.large"}}, ImplicitDeny},
		{"ec2:RunInstances", instance, nil, ImplicitDeny},
		{"ec2:RunInstances", "arn:aws:ec2:us-east-1:1:instance/*", tagged, ImplicitDeny},
		{"route53:Change", "*", map[string][]string{"names": {"a.example.com", "www.a.example.com"}}, Allowed},
		{"route53:Change", "*", map[string][]string{"names": {"a.example.com", "b.example.com"}}, ImplicitDeny},
		{"s3:GetObject", "*", nil, ImplicitDeny},
		{"iam:GetRole", "arn:aws:iam::1:role/host-1", nil, Allowed},
		{"iam:GetRole", "arn:aws:iam::1:role/secret-1", nil, ExplicitDeny},
	} {
		decision, err := Decide(policy, test.action, test.resource, test.context)
		require.NoError(t, err)
		assert.Equal(t, test.want, decision, "%s on %s", test.action, test.resource)
	}
	_, err := Decide("{", "a:b", "*", nil)
	require.Error(t, err)
}
