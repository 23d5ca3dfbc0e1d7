package infra

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// calls are the actions that the AWS provider asks for: to read a thing, to make it, to bring back an argument that the
// program declares, and to take the thing away. diff is what a preview alone needs. Source: the provider's code.
type calls struct{ diff, read, create, update, remove []string }

func (c calls) all() []string {
	return slices.Concat(c.diff, c.read, c.create, c.update, c.remove)
}

// needs are the calls for each type of resource, and for each look-up, that the program declares.
var needs = map[string]calls{
	"aws:ec2/vpc:Vpc": {
		read:   []string{"ec2:DescribeVpcs", "ec2:DescribeVpcAttribute", "ec2:DescribeRouteTables", "ec2:DescribeNetworkAcls", "ec2:DescribeSecurityGroups"},
		create: []string{"ec2:CreateVpc", "ec2:CreateTags"},
		update: []string{"ec2:ModifyVpcAttribute", "ec2:CreateTags", "ec2:DeleteTags"},
		remove: []string{"ec2:DeleteVpc"},
	},
	"aws:ec2/subnet:Subnet": {
		read:   []string{"ec2:DescribeSubnets"},
		create: []string{"ec2:CreateSubnet", "ec2:CreateTags", "ec2:ModifySubnetAttribute"},
		update: []string{"ec2:ModifySubnetAttribute", "ec2:CreateTags", "ec2:DeleteTags"},
		remove: []string{"ec2:DeleteSubnet", "ec2:DescribeNetworkInterfaces"},
	},
	"aws:ec2/internetGateway:InternetGateway": {
		read:   []string{"ec2:DescribeInternetGateways"},
		create: []string{"ec2:CreateInternetGateway", "ec2:AttachInternetGateway", "ec2:CreateTags"},
		update: []string{"ec2:CreateTags", "ec2:DeleteTags"},
		remove: []string{"ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"},
	},
	"aws:ec2/routeTable:RouteTable": {
		read:   []string{"ec2:DescribeRouteTables"},
		create: []string{"ec2:CreateRouteTable", "ec2:CreateTags"},
		update: []string{"ec2:CreateTags", "ec2:DeleteTags"},
		remove: []string{"ec2:DisassociateRouteTable", "ec2:DeleteRouteTable"},
	},
	"aws:ec2/route:Route": {
		read:   []string{"ec2:DescribeRouteTables"},
		create: []string{"ec2:CreateRoute"},
		update: []string{"ec2:ReplaceRoute"},
		remove: []string{"ec2:DeleteRoute"},
	},
	"aws:ec2/routeTableAssociation:RouteTableAssociation": {
		read:   []string{"ec2:DescribeRouteTables"},
		create: []string{"ec2:AssociateRouteTable"},
		update: []string{"ec2:ReplaceRouteTableAssociation"},
		remove: []string{"ec2:DisassociateRouteTable"},
	},
	"aws:ec2/securityGroup:SecurityGroup": {
		read: []string{"ec2:DescribeSecurityGroups"},
		// AWS gives a new group a rule that lets everything out; the provider takes it away.
		create: []string{"ec2:CreateSecurityGroup", "ec2:CreateTags", "ec2:RevokeSecurityGroupEgress"},
		update: []string{"ec2:CreateTags", "ec2:DeleteTags"},
		remove: []string{"ec2:DeleteSecurityGroup", "ec2:DescribeNetworkInterfaces"},
	},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
		read:   []string{"ec2:DescribeSecurityGroupRules"},
		create: []string{"ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags"},
		update: []string{"ec2:ModifySecurityGroupRules", "ec2:CreateTags", "ec2:DeleteTags"},
		remove: []string{"ec2:RevokeSecurityGroupIngress"},
	},
	"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
		read:   []string{"ec2:DescribeSecurityGroupRules"},
		create: []string{"ec2:AuthorizeSecurityGroupEgress", "ec2:CreateTags"},
		update: []string{"ec2:ModifySecurityGroupRules", "ec2:CreateTags", "ec2:DeleteTags"},
		remove: []string{"ec2:RevokeSecurityGroupEgress"},
	},
	"aws:ebs/volume:Volume": {
		read:   []string{"ec2:DescribeVolumes"},
		create: []string{"ec2:CreateVolume", "ec2:CreateTags"},
		update: []string{"ec2:ModifyVolume", "ec2:DescribeVolumesModifications", "ec2:CreateTags", "ec2:DeleteTags"},
		// It leaves a final snapshot.
		remove: []string{"ec2:CreateSnapshot", "ec2:DescribeSnapshots", "ec2:DeleteVolume"},
	},
	"aws:ec2/eip:Eip": {
		read:   []string{"ec2:DescribeAddresses", "ec2:DescribeAddressesAttribute"},
		create: []string{"ec2:AllocateAddress", "ec2:CreateTags"},
		update: []string{"ec2:CreateTags", "ec2:DeleteTags"},
		remove: []string{"ec2:DisassociateAddress", "ec2:ReleaseAddress"},
	},
	"aws:ec2/eipAssociation:EipAssociation": {
		read:   []string{"ec2:DescribeAddresses"},
		create: []string{"ec2:AssociateAddress"},
		remove: []string{"ec2:DisassociateAddress"},
	},
	"aws:ec2/volumeAttachment:VolumeAttachment": {
		read:   []string{"ec2:DescribeVolumes", "ec2:DescribeInstances"},
		create: []string{"ec2:AttachVolume"},
		remove: []string{"ec2:StopInstances", "ec2:DetachVolume"},
	},
	"aws:ec2/instance:Instance": {
		// Another instance type of another architecture would replace the server.
		diff: []string{"ec2:DescribeInstanceTypes"},
		read: []string{
			"ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeInstanceAttribute", "ec2:DescribeVolumes",
			"ec2:DescribeInstanceCreditSpecifications",
		},
		create: []string{"ec2:RunInstances", "ec2:DescribeImages", "ec2:CreateTags", "iam:PassRole"},
		update: []string{
			"ec2:StopInstances", "ec2:StartInstances", "ec2:ModifyInstanceAttribute", "ec2:ModifyInstanceMetadataOptions",
			"ec2:ModifyInstanceCreditSpecification", "ec2:ModifyNetworkInterfaceAttribute", "ec2:ModifyVolume",
			"ec2:DescribeVolumesModifications", "ec2:MonitorInstances", "ec2:UnmonitorInstances",
			"ec2:DescribeIamInstanceProfileAssociations", "ec2:AssociateIamInstanceProfile",
			"ec2:ReplaceIamInstanceProfileAssociation", "ec2:DisassociateIamInstanceProfile", "ec2:CreateTags", "ec2:DeleteTags",
		},
		remove: []string{"ec2:TerminateInstances"},
	},
	"aws:iam/role:Role": {
		read:   []string{"iam:GetRole", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies"},
		create: []string{"iam:CreateRole", "iam:TagRole"},
		update: []string{"iam:UpdateAssumeRolePolicy", "iam:UpdateRoleDescription", "iam:TagRole", "iam:UntagRole"},
		remove: []string{"iam:ListInstanceProfilesForRole", "iam:RemoveRoleFromInstanceProfile", "iam:DeleteRole"},
	},
	"aws:iam/instanceProfile:InstanceProfile": {
		read:   []string{"iam:GetInstanceProfile", "iam:GetRole"},
		create: []string{"iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile", "iam:PassRole", "iam:TagInstanceProfile"},
		update: []string{"iam:RemoveRoleFromInstanceProfile", "iam:AddRoleToInstanceProfile", "iam:TagInstanceProfile", "iam:UntagInstanceProfile"},
		remove: []string{"iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"},
	},
	"aws:route53/zone:Zone": {
		read:   []string{"route53:GetHostedZone", "route53:ListTagsForResource"},
		create: []string{"route53:CreateHostedZone", "route53:GetChange", "route53:ChangeTagsForResource"},
		update: []string{"route53:ChangeTagsForResource"},
		remove: []string{"route53:DeleteHostedZone"},
	},
	"aws:route53/record:Record": {
		read:   []string{"route53:GetHostedZone", "route53:ListResourceRecordSets"},
		create: []string{"route53:ChangeResourceRecordSets", "route53:GetChange"},
		update: []string{"route53:ChangeResourceRecordSets"},
		remove: []string{"route53:ChangeResourceRecordSets"},
	},
	"aws:iam/rolePolicy:RolePolicy": {
		read:   []string{"iam:GetRolePolicy"},
		create: []string{"iam:PutRolePolicy"},
		update: []string{"iam:PutRolePolicy"},
		remove: []string{"iam:DeleteRolePolicy"},
	},
	"aws:cloudwatch/metricAlarm:MetricAlarm": {
		read:   []string{"cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"},
		create: []string{"cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"},
		update: []string{"cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"},
		remove: []string{"cloudwatch:DeleteAlarms"},
	},
	"aws:cloudwatch/dashboard:Dashboard": {
		read:   []string{"cloudwatch:GetDashboard"},
		create: []string{"cloudwatch:PutDashboard"},
		update: []string{"cloudwatch:PutDashboard"},
		remove: []string{"cloudwatch:DeleteDashboards"},
	},
	"aws:sns/topic:Topic": {
		read:   []string{"sns:GetTopicAttributes", "sns:ListTagsForResource"},
		create: []string{"sns:CreateTopic", "sns:TagResource"},
		update: []string{"sns:SetTopicAttributes", "sns:TagResource", "sns:UntagResource"},
		remove: []string{"sns:DeleteTopic"},
	},
	"aws:sns/topicSubscription:TopicSubscription": {
		read:   []string{"sns:GetSubscriptionAttributes"},
		create: []string{"sns:Subscribe"},
		update: []string{"sns:SetSubscriptionAttributes"},
		remove: []string{"sns:Unsubscribe"},
	},
	"aws:route53/healthCheck:HealthCheck": {
		read:   []string{"route53:GetHealthCheck", "route53:ListTagsForResource"},
		create: []string{"route53:CreateHealthCheck", "route53:ChangeTagsForResource"},
		update: []string{"route53:UpdateHealthCheck", "route53:ChangeTagsForResource"},
		remove: []string{"route53:DeleteHealthCheck"},
	},
	"aws:dlm/lifecyclePolicy:LifecyclePolicy": {
		read:   []string{"dlm:GetLifecyclePolicy"},
		create: []string{"dlm:CreateLifecyclePolicy", "dlm:TagResource", "iam:PassRole"},
		update: []string{"dlm:UpdateLifecyclePolicy", "dlm:TagResource", "dlm:UntagResource", "iam:PassRole"},
		remove: []string{"dlm:DeleteLifecyclePolicy"},
	},
	"aws:s3/bucketV2:BucketV2": {
		// The provider reads every side of a bucket, whatever is declared of it.
		read: []string{
			"s3:GetAccelerateConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS", "s3:GetBucketLocation", "s3:GetBucketLogging",
			"s3:GetBucketObjectLockConfiguration", "s3:GetBucketPolicy", "s3:GetBucketRequestPayment", "s3:GetBucketTagging",
			"s3:GetBucketVersioning", "s3:GetBucketWebsite", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
			"s3:GetReplicationConfiguration", "s3:ListBucket",
		},
		create: []string{"s3:CreateBucket", "s3:PutBucketTagging"},
		update: []string{"s3:PutBucketTagging"},
		remove: []string{"s3:DeleteBucket"},
	},
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": {
		read:   []string{"s3:GetBucketPublicAccessBlock"},
		create: []string{"s3:PutBucketPublicAccessBlock"},
		update: []string{"s3:PutBucketPublicAccessBlock"},
		remove: []string{"s3:PutBucketPublicAccessBlock"},
	},
	"aws:s3/bucketVersioningV2:BucketVersioningV2": {
		read:   []string{"s3:GetBucketVersioning"},
		create: []string{"s3:PutBucketVersioning"},
		update: []string{"s3:PutBucketVersioning"},
		remove: []string{"s3:PutBucketVersioning"},
	},
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": {
		read:   []string{"s3:GetEncryptionConfiguration"},
		create: []string{"s3:PutEncryptionConfiguration"},
		update: []string{"s3:PutEncryptionConfiguration"},
		remove: []string{"s3:PutEncryptionConfiguration"},
	},
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2": {
		read:   []string{"s3:GetLifecycleConfiguration"},
		create: []string{"s3:PutLifecycleConfiguration"},
		update: []string{"s3:PutLifecycleConfiguration"},
		remove: []string{"s3:PutLifecycleConfiguration"},
	},
	"aws:s3/bucketPolicy:BucketPolicy": {
		read:   []string{"s3:GetBucketPolicy"},
		create: []string{"s3:PutBucketPolicy"},
		update: []string{"s3:PutBucketPolicy"},
		remove: []string{"s3:DeleteBucketPolicy"},
	},
	"aws:ec2/getSubnet:getSubnet":                         {diff: []string{"ec2:DescribeSubnets"}},
	"aws:ssm/getParameter:getParameter":                   {diff: []string{"ssm:GetParameter"}},
	"aws:vpc/getSecurityGroupRules:getSecurityGroupRules": {diff: []string{"ec2:DescribeSecurityGroupRules"}},
	"aws:vpc/getSecurityGroupRule:getSecurityGroupRule":   {diff: []string{"ec2:DescribeSecurityGroupRules"}},
	"aws:route53/getZone:getZone":                         {diff: []string{"route53:ListHostedZones", "route53:GetHostedZone", "route53:ListTagsForResource"}},
}

// iamStatement is one of a policy, as far as these tests look at it.
type iamStatement struct {
	Sid, Effect      string
	Action, Resource texts
	Condition        map[string]map[string]texts
}

// texts is what IAM lets be written as one string or as several.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

func readPolicy(t *testing.T, name string) []iamStatement {
	t.Helper()
	text, err := os.ReadFile("../docs/iam/" + name)
	require.NoError(t, err)
	var document struct {
		Version   string
		Statement []iamStatement
	}
	require.NoError(t, json.Unmarshal(text, &document), name)
	require.Equal(t, "2012-10-17", document.Version)
	for _, s := range document.Statement {
		require.Equal(t, "Allow", s.Effect, s.Sid)
	}
	// What AWS allows of a managed policy, in characters that are not white space.
	assert.LessOrEqual(t, len(regexp.MustCompile(`\s`).ReplaceAllString(string(text), "")), 6144, name)
	return document.Statement
}

// deployer is the deployer's policy. AWS limits the size of one; what does not fit goes into a second, deployer-….json.
func deployer(t *testing.T) []iamStatement {
	t.Helper()
	paths, err := filepath.Glob("../docs/iam/deployer*.json")
	require.NoError(t, err)
	var all []iamStatement
	for _, path := range paths {
		all = append(all, readPolicy(t, filepath.Base(path))...)
	}
	return all
}

func actions(statements []iamStatement) []string {
	var found []string
	for _, s := range statements {
		found = append(found, s.Action...)
	}
	return sorted(found)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// declaredTypes are the types and look-ups of every shape that the program has.
func declaredTypes(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, shape := range shapes {
		c := declare(t, shape.change, nil)
		for _, args := range c.declared {
			if strings.HasPrefix(args.TypeToken, "aws:") {
				found = append(found, args.TypeToken)
			}
		}
		for _, args := range c.asked {
			found = append(found, args.Token)
		}
	}
	return sorted(found)
}

// A policy that lacks an action ends an update half-way; one that has too many is a risk that nobody asked for.
func TestPoliciesAllowWhatIsDeclaredAndNothingElse(t *testing.T) {
	require.Equal(t, slices.Sorted(maps.Keys(needs)), declaredTypes(t),
		"the table 'needs' and what the program declares differ: say there what a new type's calls are, then put them into docs/iam")
	var deploy, preview []string
	for _, calls := range needs {
		deploy = append(deploy, calls.all()...)
		preview = append(preview, calls.diff...)
	}
	assert.Equal(t, sorted(deploy), actions(deployer(t)), "deployer.json")
	assert.Equal(t, sorted(preview), actions(readPolicy(t, "previewer.json")), "previewer.json")
}

// What is not Berth's own is neither changed nor taken away: where AWS knows tags or names, the policy asks for them.
func TestDeployerChangesOnlyItsOwn(t *testing.T) {
	reads := regexp.MustCompile(`^[a-z0-9]+:(Describe|List|Get)[A-Za-z]+$`)
	for _, s := range deployer(t) {
		owned := slices.Equal(s.Condition["StringEquals"]["aws:ResourceTag/ManagedBy"], texts{"berth"})
		for _, action := range s.Action {
			assert.NotContains(t, action, "*", s.Sid)
			if slices.Contains(s.Resource, "*") {
				assert.True(t, reads.MatchString(action) || action == "route53:CreateHostedZone" || action == "route53:CreateHealthCheck", "%s on everything", action)
			}
			if regexp.MustCompile(`^ec2:(Delete|Terminate|Detach|Release|Stop|Revoke|Replace)`).MatchString(action) {
				assert.True(t, owned, "%s: %s asks for no tag", s.Sid, action)
			}
			// An identity of anybody's choice with rights of its choice would be the account's. The rights of the program's
			// own roles are part of the program.
			assert.NotRegexp(t, `^iam:(PutUser|PutGroup|Attach|CreatePolicy|CreateUser|CreateAccessKey)`, action)
			if action == "iam:PassRole" {
				require.Len(t, s.Condition["StringEquals"]["iam:PassedToService"], 1)
				assert.Contains(t, []string{"ec2.amazonaws.com", "dlm.amazonaws.com"}, s.Condition["StringEquals"]["iam:PassedToService"][0])
			}
		}
		for _, resource := range s.Resource {
			if strings.HasPrefix(resource, "arn:aws:iam:") {
				assert.Regexp(t, `/(host|snapshots)-\*$`, resource, "the names that Pulumi gives the program's role and profile begin so")
			}
		}
	}
}

// Any repository on GitHub gets tokens from the same issuer: only the condition says whose count.
func TestTrustIsOneRepositorysEnvironment(t *testing.T) {
	statements := readPolicy(t, "trust.json")
	require.Len(t, statements, 1)
	assert.Equal(t, texts{"sts:AssumeRoleWithWebIdentity"}, statements[0].Action)
	assert.Equal(t, map[string]map[string]texts{"StringEquals": {
		"token.actions.githubusercontent.com:aud": {"sts.amazonaws.com"},
		"token.actions.githubusercontent.com:sub": {"repo:you/berth:environment:production"},
	}}, statements[0].Condition)
}
