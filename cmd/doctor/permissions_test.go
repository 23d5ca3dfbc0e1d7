package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	iampolicies "berth/docs/iam"
	"berth/internal/config"
)

func TestPermissions(t *testing.T) {
	b := newBench(t)
	found := b.look((*doctor).permissions)
	assert.Equal(t, ok, found.Verdict)
	assert.Regexp(t, `^all \d+ that an update needs$`, found.Reason)

	b.denied = []string{"ec2:RunInstances", "iam:PassRole"}
	found = b.look((*doctor).permissions)
	assert.Equal(t, fails, found.Verdict)
	assert.Equal(t, "these credentials may not ec2:RunInstances, iam:PassRole, which an update needs", found.Reason)

	b.denied = []string{"ec2:AllocateAddress", "ec2:CreateVpc", "ec2:CreateVolume", "ec2:CreateSubnet", "ec2:RunInstances", "iam:CreateRole", "iam:PassRole", "iam:TagRole"}
	assert.Contains(t, b.look((*doctor).permissions).Reason, "iam:CreateRole and 2 more, which an update needs")

	b.answers["iam:SimulatePrincipalPolicy"] = "!AccessDenied"
	found = b.look((*doctor).permissions)
	assert.Equal(t, finding{ID: "permissions-not-allowed-to-ask", Verdict: warning, Reason: "what the credentials may do is unknown, as they may not ask it (iam:SimulatePrincipalPolicy)", Fix: "docs/iam/doctor.json lets them"}, found)
	b.answers["iam:SimulatePrincipalPolicy"] = "!InvalidInput"
	assert.Equal(t, "what the credentials may do is unknown: InvalidInput: said so", b.look((*doctor).permissions).Reason)

	b.answers["sts:GetCallerIdentity"] = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:root</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`
	assert.Equal(t, "the root user may do everything", b.look((*doctor).permissions).Reason)
}

// TestARolesSessionHasThePoliciesOfTheRole, whose path a session does not show.
func TestARolesSessionHasThePoliciesOfTheRole(t *testing.T) {
	b := newBench(t)
	session := func(arn string) string {
		b.answers["sts:GetCallerIdentity"] = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>` + arn + `</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
		b.forms = nil
		require.Equal(t, ok, b.look((*doctor).permissions).Verdict)
		return b.forms["iam:SimulatePrincipalPolicy"][0].Get("PolicySourceArn")
	}
	assert.Equal(t, "arn:aws:iam::123456789012:user/you", session("arn:aws:iam::123456789012:user/you"))
	assert.Equal(t, "arn:aws:iam::123456789012:role/deployer", session("arn:aws:sts::123456789012:assumed-role/deployer/me"))
	b.answers["iam:GetRole"] = `<GetRoleResponse><GetRoleResult><Role><Arn>arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/Admin</Arn></Role></GetRoleResult></GetRoleResponse>`
	assert.Equal(t, "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/Admin", session("arn:aws:sts::123456789012:assumed-role/Admin/me"))
}

func policyOf(t *testing.T, path string) []iampolicies.Statement {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var policy struct{ Statement []iampolicies.Statement }
	require.NoError(t, json.Unmarshal(text, &policy))
	return policy.Statement
}

// TestStatementsAreThoseOfTheDocuments: what the documents gain is asked of every stack, unless it is listed here.
func TestStatementsAreThoseOfTheDocuments(t *testing.T) {
	files, err := filepath.Glob("../../docs/iam/deployer*.json")
	require.NoError(t, err)
	var sids, always []string
	for _, file := range files {
		for _, one := range policyOf(t, file) {
			if one.Effect == "Allow" { // What is denied no update needs.
				sids = append(sids, one.Sid)
			}
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(optional)) {
		assert.Contains(t, sids, sid)
	}
	plain, err := needed(&config.Config{}, account1, "Z1")
	require.NoError(t, err)
	for _, one := range plain {
		always = append(always, one.Sid)
	}
	for _, sid := range []string{"OwnZone", "DumpBucket", "RoleOfRebootAlarm", "MakeSnapshotPolicy"} {
		assert.NotContains(t, always, sid)
	}
	for _, one := range append(policyOf(t, "../../docs/iam/deployer-servers.json"), policyOf(t, "../../docs/iam/deployer-rds.json")...) {
		assert.NotContains(t, always, one.Sid, "one server needs none of it")
	}
	everything, err := needed(&config.Config{CreateZone: true, AlarmEmail: "x", SnapshotsKept: 7, DumpBucket: true, RDS: &config.RDS{}, Servers: config.Servers{Min: 3, Max: 3, AccessLogs: 1}}, account1, "")
	require.NoError(t, err)
	assert.Len(t, everything, len(sids))
}

func TestQuestionsAreTheAccountsOwn(t *testing.T) {
	cfg := &config.Config{Domain: "shop.example.org", Aliases: []string{"www.shop.example.org"}, Region: "us-west-2", InstanceType: "t3a.small"}
	asked := map[string][]string{}
	contexts := map[string][]types.ContextEntry{}
	cfg.SnapshotsKept = 7
	statements, err := needed(cfg, "999988887777", "Z42")
	require.NoError(t, err)
	for _, one := range statements {
		for _, input := range questions(one, cfg) {
			asked[one.Sid], contexts[one.Sid] = append(asked[one.Sid], input.ResourceArns...), input.ContextEntries
		}
	}
	assert.Equal(t, []string{"*"}, asked["Look"])
	assert.Equal(t, []string{"arn:aws:ec2:us-west-2:999988887777:instance/*"}, asked["RunServer"])
	assert.Equal(t, []types.ContextEntry{
		{ContextKeyName: aws.String("aws:RequestTag/ManagedBy"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{"berth"}},
		{ContextKeyName: aws.String("ec2:InstanceType"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{"t3a.small"}},
	}, contexts["RunServer"])
	assert.Equal(t, []string{"arn:aws:route53:::hostedzone/Z42"}, asked["ChangeNames"])
	assert.Equal(t, []string{"shop.example.org", "www.shop.example.org"}, contexts["ChangeNames"][1].ContextKeyValues)
	assert.Equal(t, types.ContextKeyTypeEnumStringList, contexts["ChangeNames"][1].ContextKeyType)
	assert.ElementsMatch(t, []string{"arn:aws:ec2:us-west-2:999988887777:elastic-ip/*", "arn:aws:ec2:us-west-2:999988887777:internet-gateway/*", "arn:aws:ec2:us-west-2:999988887777:volume/*", "arn:aws:ec2:us-west-2:999988887777:vpc/*"}, asked["MakeTagged"])
	assert.ElementsMatch(t, []string{"arn:aws:ec2:us-west-2:999988887777:route-table/*", "arn:aws:ec2:us-west-2:999988887777:security-group/*", "arn:aws:ec2:us-west-2:999988887777:subnet/*"}, asked["MakeInside"])
	// AWS's ARNs of snapshots and images have no account, and what it hands on is a role of Berth's name.
	assert.Equal(t, []string{"arn:aws:ec2:us-west-2::snapshot/*"}, asked["RestoreSnapshot"])
	assert.Equal(t, []string{"arn:aws:ec2:us-west-2::snapshot/*"}, asked["LeaveSnapshot"])
	assert.Contains(t, asked["RunServerWith"], "arn:aws:ec2:us-west-2::image/*")
	assert.Equal(t, []string{"arn:aws:iam::999988887777:role/berth-snapshots-1234567"}, asked["HandRoleToSnapshots"])
	assert.Equal(t, []string{"*"}, asked["MakeSnapshotPolicy"])
	assert.Contains(t, contexts["BoundedRoles"], types.ContextEntry{ContextKeyName: aws.String("iam:PermissionsBoundary"), ContextKeyType: types.ContextKeyTypeEnumString,
		ContextKeyValues: []string{"arn:aws:iam::999988887777:policy/berth-boundary"}})
	assert.Equal(t, []types.ContextEntry{
		{ContextKeyName: aws.String("aws:RequestTag/ManagedBy"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{"berth"}},
	}, contexts["TagUntagged"], "the volume has no tag yet")
	for sid, resources := range asked {
		for _, resource := range resources {
			assert.NotContains(t, resource, "111122223333", sid)
		}
	}
}

// TestWhatSeveralServersNeedIsAsked of each service about its own resources, as AWS builds their ARNs.
func TestWhatSeveralServersNeedIsAsked(t *testing.T) {
	cfg := &config.Config{Domain: "shop.example.org", Region: "us-west-2", Servers: config.Servers{Min: 2, Max: 4}}
	statements, err := needed(cfg, "999988887777", "Z42")
	require.NoError(t, err)
	asked := map[string][]string{}
	for _, one := range statements {
		for _, input := range questions(one, cfg) {
			for _, action := range input.ActionNames {
				asked[one.Sid+" "+action] = input.ResourceArns
			}
			if one.Sid == "ValidateNames" {
				assert.Equal(t, []string{"_0123456789abcdef.shop.example.org"}, input.ContextEntries[1].ContextKeyValues)
			}
		}
	}
	const here = ":us-west-2:999988887777:"
	for action, want := range map[string]string{
		"MakeCertificate acm:RequestCertificate": "*", "ChangeServers acm:DeleteCertificate": "arn:aws:acm" + here + "certificate/*", "MakeServers ec2:CreateLaunchTemplate": "arn:aws:ec2" + here + "launch-template/*",
		"MakeServers autoscaling:CreateAutoScalingGroup":          "arn:aws:autoscaling" + here + "autoScalingGroup:*:autoScalingGroupName/web-1234567",
		"MakeServers elasticloadbalancing:CreateTargetGroup":      "arn:aws:elasticloadbalancing" + here + "targetgroup/site-1234567/0123456789abcdef",
		"ChangeServers elasticloadbalancing:CreateListener":       "arn:aws:elasticloadbalancing" + here + "loadbalancer/app/site-1234567/0123456789abcdef",
		"ChangeServers elasticloadbalancing:CreateRule":           "arn:aws:elasticloadbalancing" + here + "listener/app/site-1234567/0123456789abcdef",
		"ChangeServers elasticloadbalancing:SetRulePriorities":    "arn:aws:elasticloadbalancing" + here + "listener-rule/app/site-1234567/0123456789abcdef",
		"ChangeServers elasticloadbalancing:RegisterTargets":      "arn:aws:elasticloadbalancing" + here + "targetgroup/site-1234567/0123456789abcdef",
		"ChangeServers elasticloadbalancing:SetSubnets":           "arn:aws:elasticloadbalancing" + here + "loadbalancer/app/site-1234567/0123456789abcdef",
		"ChangeServers elasticloadbalancing:ModifyListener":       "arn:aws:elasticloadbalancing" + here + "listener/app/site-1234567/0123456789abcdef",
		"LookAtServers elasticloadbalancing:DescribeTargetHealth": "*",
	} {
		assert.Equal(t, []string{want}, asked[action], action)
	}
}
