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
	"aws:ec2/getSubnet:getSubnet":       {diff: []string{"ec2:DescribeSubnets"}},
	"aws:ssm/getParameter:getParameter": {diff: []string{"ssm:GetParameter"}},
	"aws:route53/getZone:getZone":       {diff: []string{"route53:ListHostedZones", "route53:GetHostedZone", "route53:ListTagsForResource"}},
}

// statement is one of a policy, as far as these tests look at it.
type statement struct {
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

func policy(t *testing.T, name string) []statement {
	t.Helper()
	text, err := os.ReadFile("../docs/iam/" + name)
	require.NoError(t, err)
	var document struct {
		Version   string
		Statement []statement
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
func deployer(t *testing.T) []statement {
	t.Helper()
	paths, err := filepath.Glob("../docs/iam/deployer*.json")
	require.NoError(t, err)
	var all []statement
	for _, path := range paths {
		all = append(all, policy(t, filepath.Base(path))...)
	}
	return all
}

func actions(statements []statement) []string {
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
	assert.Equal(t, sorted(preview), actions(policy(t, "previewer.json")), "previewer.json")
}

// What is not Berth's own is neither changed nor taken away: where AWS knows tags or names, the policy asks for them.
func TestDeployerChangesOnlyItsOwn(t *testing.T) {
	reads := regexp.MustCompile(`^[a-z0-9]+:(Describe|List|Get)[A-Za-z]+$`)
	for _, s := range deployer(t) {
		owned := slices.Equal(s.Condition["StringEquals"]["aws:ResourceTag/ManagedBy"], texts{"berth"})
		for _, action := range s.Action {
			assert.NotContains(t, action, "*", s.Sid)
			if slices.Contains(s.Resource, "*") {
				assert.True(t, reads.MatchString(action) || action == "route53:CreateHostedZone", "%s on everything", action)
			}
			if regexp.MustCompile(`^ec2:(Delete|Terminate|Detach|Release|Stop|Revoke|Replace)`).MatchString(action) {
				assert.True(t, owned, "%s: %s asks for no tag", s.Sid, action)
			}
			// An identity of the server with rights of its choice would be the account's.
			assert.NotRegexp(t, `^iam:(Put|Attach|CreatePolicy|CreateUser|CreateAccessKey)`, action)
			if action == "iam:PassRole" {
				assert.Equal(t, texts{"ec2.amazonaws.com"}, s.Condition["StringEquals"]["iam:PassedToService"])
			}
		}
		for _, resource := range s.Resource {
			if strings.HasPrefix(resource, "arn:aws:iam:") {
				assert.Regexp(t, `/host-\*$`, resource, "the names that Pulumi gives the program's role and profile begin so")
			}
		}
	}
}

// Any repository on GitHub gets tokens from the same issuer: only the condition says whose count.
func TestTrustIsOneRepositorysEnvironment(t *testing.T) {
	statements := policy(t, "trust.json")
	require.Len(t, statements, 1)
	assert.Equal(t, texts{"sts:AssumeRoleWithWebIdentity"}, statements[0].Action)
	assert.Equal(t, map[string]map[string]texts{"StringEquals": {
		"token.actions.githubusercontent.com:aud": {"sts.amazonaws.com"},
		"token.actions.githubusercontent.com:sub": {"repo:you/berth:environment:production"},
	}}, statements[0].Condition)
}
