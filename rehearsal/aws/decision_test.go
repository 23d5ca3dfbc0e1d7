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
		{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/ManagedBy":"berth"},"Null":{"aws:ResourceTag/ManagedBy":"true"}}},
		{"Effect":"Allow","Action":"x:HasTag","Resource":"*","Condition":{"Null":{"tag":"false"}}},
		{"Effect":"Allow","Action":"x:Not","Resource":"*","Condition":{"StringNotEquals":{"tag":["a","b"]}}},
		{"Effect":"Allow","Action":"x:IfExists","Resource":"*","Condition":{"StringEqualsIfExists":{"tag":"a"}}},
		{"Effect":"Allow","Action":"x:Any","Resource":"*","Condition":{"ForAnyValue:StringLike":{"tag":["a*"]}}},
		{"Effect":"Allow","Action":"x:AllNot","Resource":"*","Condition":{"ForAllValues:StringNotLike":{"tag":["a*"]}}},
		{"Effect":"Allow","Action":"x:Case","Resource":"*","Condition":{"StringEqualsIgnoreCase":{"TAG":"A"}}},
		{"Effect":"Allow","Action":"x:Arn","Resource":"*","Condition":{"ArnLike":{"tag":"arn:aws:iam::1:role/*"}}},
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
		{"ec2:RunInstances", instance, map[string][]string{"aws:RequestTag/ManagedBy": {"berth"}, "ec2:InstanceType": {"p5.48xlarge"}}, ImplicitDeny},
		{"ec2:RunInstances", instance, nil, ImplicitDeny},
		{"ec2:RunInstances", "arn:aws:ec2:us-east-1:1:instance/*", tagged, ImplicitDeny},
		{"route53:Change", "*", map[string][]string{"names": {"a.example.com", "www.a.example.com"}}, Allowed},
		{"route53:Change", "*", map[string][]string{"names": {"a.example.com", "b.example.com"}}, ImplicitDeny},
		{"s3:GetObject", "*", nil, ImplicitDeny},
		{"ec2:CreateTags", "v", map[string][]string{"aws:RequestTag/ManagedBy": {"berth"}}, Allowed},
		{"ec2:CreateTags", "v", map[string][]string{"aws:RequestTag/ManagedBy": {"berth"}, "aws:ResourceTag/ManagedBy": {"berth"}}, ImplicitDeny},
		{"ec2:CreateTags", "v", map[string][]string{"aws:RequestTag/ManagedBy": {"berth"}, "aws:resourcetag/managedby": {"another"}}, ImplicitDeny},
		{"ec2:CreateTags", "v", map[string][]string{"aws:RequestTag/Name": {"berth"}}, ImplicitDeny},
		{"x:HasTag", "*", map[string][]string{"tag": {"a"}}, Allowed},
		{"x:HasTag", "*", nil, ImplicitDeny},
		{"x:Not", "*", map[string][]string{"tag": {"c"}}, Allowed},
		{"x:Not", "*", map[string][]string{"tag": {"b"}}, ImplicitDeny},
		{"x:Not", "*", nil, Allowed},
		{"x:IfExists", "*", nil, Allowed},
		{"x:IfExists", "*", map[string][]string{"tag": {"b"}}, ImplicitDeny},
		{"x:Any", "*", map[string][]string{"tag": {"b", "ab"}}, Allowed},
		{"x:Any", "*", map[string][]string{"tag": {"b"}}, ImplicitDeny},
		{"x:Any", "*", nil, ImplicitDeny},
		{"x:AllNot", "*", map[string][]string{"tag": {"b", "c"}}, Allowed},
		{"x:AllNot", "*", map[string][]string{"tag": {"b", "ab"}}, ImplicitDeny},
		{"x:AllNot", "*", nil, Allowed},
		{"x:Case", "*", map[string][]string{"tag": {"a"}}, Allowed},
		{"x:Arn", "*", map[string][]string{"tag": {"arn:aws:iam::1:role/a"}}, Allowed},
		{"s3:GetObject", "*", map[string][]string{"aws:SecureTransport": {"true"}}, Allowed},
		{"iam:GetRole", "arn:aws:iam::1:role/host-1", nil, Allowed},
		{"iam:GetRole", "arn:aws:iam::1:role/secret-1", nil, ExplicitDeny},
	} {
		decision, err := Decide(policy, test.action, test.resource, test.context)
		require.NoError(t, err)
		assert.Equal(t, test.want, decision, "%s on %s", test.action, test.resource)
	}
	_, err := Decide("{", "a:b", "*", nil)
	require.Error(t, err)

	// What the rehearsal does not know of a policy is an error for every request, not only where it would matter.
	for odd, says := range map[string]string{
		`"Action":"a:b","Condition":{"NumericEquals":{"k":"1"}}`:              "NumericEquals",
		`"Action":"a:b","Condition":{"ForSomeValues:StringEquals":{"k":"1"}}`: "ForSomeValues:StringEquals",
		`"Action":"a:b","Condition":{"StringEquals":{"k":"${aws:username}"}}`: "a variable",
		`"Action":"a:b","Condition":{"Null":{"k":"yes"}}`:                     "it is true or false",
		`"NotAction":"a:b"`: "NotAction",
	} {
		_, err := Decide(`{"Statement":[{"Sid":"Odd","Effect":"Allow","Resource":"*",`+odd+`}]}`, "c:d", "*", nil)
		require.ErrorContains(t, err, says)
	}
}
