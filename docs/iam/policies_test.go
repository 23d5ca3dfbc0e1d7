package iam

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/instance"
)

func readPolicy(t *testing.T, name string) []Statement {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	var document struct {
		Version   string
		Statement []Statement
	}
	require.NoError(t, json.Unmarshal(text, &document), name)
	require.Equal(t, "2012-10-17", document.Version)
	for _, s := range document.Statement {
		require.Contains(t, []string{"Allow", "Deny"}, s.Effect, s.Sid)
	}
	// What AWS allows of a managed policy, in characters that are not white space.
	assert.LessOrEqual(t, len(regexp.MustCompile(`\s`).ReplaceAllString(string(text), "")), 6144, name)
	return document.Statement
}

// deployer is the deployer's policy. AWS limits the size of one; what does not fit goes into another, deployer-….json.
func deployer(t *testing.T) []Statement {
	t.Helper()
	paths, err := filepath.Glob("deployer*.json")
	require.NoError(t, err)
	var all []Statement
	for _, path := range paths {
		all = append(all, readPolicy(t, path)...)
	}
	return all
}

// unnarrowed are the actions that change something and that AWS, or the place where they are needed, does not allow to narrow to what
// is Berth's. README.md says so of each.
var unnarrowed = []string{
	"ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:RunInstances",
	"route53:ChangeTagsForResource", "route53:CreateHealthCheck", "route53:CreateHostedZone", "route53:DeleteHealthCheck", "route53:DeleteHostedZone", "route53:UpdateHealthCheck",
	"sns:Unsubscribe",
}

var (
	reads = regexp.MustCompile(`^[a-z0-9]+:(Describe|List|Get)[A-Za-z]+$`)
	// ours are ARNs that only what Berth makes has: the names that Pulumi gives the program's resources begin so, and those of
	// alarms and dashboard are the site's.
	ours = regexp.MustCompile(`^arn:aws:(iam::111122223333:(role|instance-profile)/berth-(host|snapshots)-\*|s3:::berth-(access-logs|dumps)-\*|sns:[a-z0-9-]+:111122223333:alarms-\*|` +
		`cloudwatch:[a-z0-9-]+:111122223333:alarm:app\.example\.com\?\*|cloudwatch::111122223333:dashboard/app-example-com|` +
		`iam::111122223333:role/aws-service-role/(events\.amazonaws\.com/AWSServiceRoleForCloudWatchEvents|autoscaling\.amazonaws\.com/AWSServiceRoleForAutoScaling|` +
		`elasticloadbalancing\.amazonaws\.com/AWSServiceRoleForElasticLoadBalancing|rds\.amazonaws\.com/AWSServiceRoleForRDS)|` +
		`rds:[a-z0-9-]+:111122223333:(db|subgrp|snapshot):berth-\*)$`)
)

func equals(s Statement, key string, values ...string) bool {
	return slices.Equal(s.Condition["StringEquals"][key], Texts(values))
}

// makes says whether a statement is about what the request itself makes, and marks.
func makes(s Statement) bool {
	return equals(s, "aws:RequestTag/ManagedBy", "berth") && !strings.Contains(s.Action[0], "Tag") ||
		len(s.Condition["StringEquals"]["ec2:CreateAction"]) > 0 || len(s.Condition["StringEquals"]["elasticloadbalancing:CreateAction"]) > 0
}

// marksWhatIsUnmarked is the one way to tag what exists and is not Berth's: to make it Berth's, if it has no owner.
func marksWhatIsUnmarked(s Statement) bool {
	return equals(s, "aws:RequestTag/ManagedBy", "berth") && slices.Equal(s.Condition["Null"]["aws:ResourceTag/ManagedBy"], Texts{"true"})
}

// names says whether a statement is about records of the site's names.
func names(s Statement) bool {
	return len(s.Condition["ForAllValues:StringLike"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"]) > 0
}

// What is not Berth's own is neither changed nor taken away, in any service: the policy asks for the tag or for a name of
// Berth's. What remains is a list, and README.md has it.
func TestDeployerChangesOnlyItsOwn(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, left, _ := strings.Cut(string(readme), "## What they do not allow, and what is left")
	left, _, _ = strings.Cut(left, "\n## ")
	open, looked := map[string]bool{}, 0
	for _, s := range deployer(t) {
		if s.Effect == "Deny" {
			continue
		}
		named := !slices.ContainsFunc(s.Resource, func(resource string) bool { return !ours.MatchString(resource) })
		for _, action := range s.Action {
			assert.NotContains(t, action, "*", s.Sid)
			// An identity of anybody's choice would have the account's rights.
			assert.NotRegexp(t, `^iam:(\w*(User|Group|AccessKey|LoginProfile)\w*|Attach\w+|Detach\w+|\w*PolicyVersion|Create(Policy|ServiceSpecific\w+)|Update(AssumeRolePolicy|Role)|DeleteRolePermissionsBoundary)$`, strings.Replace(action, "GetPolicyVersion", "", 1))
			if reads.MatchString(action) {
				continue
			}
			looked++
			if !named && !equals(s, "aws:ResourceTag/ManagedBy", "berth") && !makes(s) && !marksWhatIsUnmarked(s) && !names(s) {
				open[action] = true
				assert.True(t, strings.Contains(left, "`"+action+"`"), "README.md says that %s is left", action)
			}
			switch action {
			case "iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary":
				assert.True(t, equals(s, "iam:PermissionsBoundary", BoundaryARN("111122223333")), "%s: %s without the boundary", s.Sid, action)
			case "iam:PassRole":
				// Each service gets the role that is made for it, by its name.
				service, given := map[string]string{"berth-host-*": "ec2.amazonaws.com", "berth-snapshots-*": "dlm.amazonaws.com"}, Texts{}
				for _, resource := range s.Resource {
					given = append(given, service[resource[strings.LastIndex(resource, "/")+1:]])
				}
				assert.Equal(t, given, s.Condition["StringEquals"]["iam:PassedToService"])
			}
		}
	}
	assert.Greater(t, looked, 100)
	assert.Equal(t, unnarrowed, slices.Sorted(maps.Keys(open)), "no more than AWS leaves open")
}

// Only the account's administrator changes the boundary, which is what bounds the deployer's roles.
func TestTheBoundaryIsTheAdministrators(t *testing.T) {
	for _, path := range []string{"deployer-identity.json", "deployer.json", "deployer-monitoring.json", "deployer-servers.json", "deployer-rds.json", "previewer.json", "doctor.json", "state-read.json", "state-write.json"} {
		for _, s := range readPolicy(t, path) {
			for _, action := range s.Action {
				if s.Effect == "Allow" && slices.Contains(s.Resource, BoundaryARN("111122223333")) {
					assert.Regexp(t, `^iam:GetPolicy(Version)?$`, action, path)
				}
			}
		}
	}
	for _, s := range readPolicy(t, "boundary.json") {
		for _, action := range s.Action {
			assert.NotContains(t, action, "*")
			assert.Contains(t, []string{
				"autoscaling:CompleteLifecycleAction", "autoscaling:DescribeAutoScalingGroups", "autoscaling:SetInstanceHealth", "cloudwatch:PutMetricData",
				"ec2:CreateSnapshot", "ec2:CreateTags", "ec2:DeleteSnapshot", "ec2:DescribeInstances", "ec2:DescribeSnapshots", "ec2:DescribeVolumes",
				"elasticloadbalancing:DeregisterTargets", "s3:PutObject",
			}, action, "what a server or Data Lifecycle Manager needs, and nothing that gives more")
		}
	}
	assert.NotRegexp(t, exampleAccount+"|"+exampleRegion+"|"+exampleDomain, Boundary, "it is the same in every account")
}

// A preview reads the state of its stack and nothing else of the bucket, and writes none: what it planted there would go out
// with the next approved update.
func TestPreviewersOnlyReadState(t *testing.T) {
	keys := regexp.MustCompile(`^arn:aws:s3:::example-berth-state(/\.pulumi/(meta\.yaml|stacks/berth/production\.(json(\.\*)?|pulumi-tags)|(history|backups|locks/organization)/berth/production/\*))?$`)
	for name, changes := range map[string]bool{"state-read.json": false, "state-write.json": true} {
		for _, s := range readPolicy(t, name) {
			require.Equal(t, "Allow", s.Effect)
			for _, action := range s.Action {
				assert.Equal(t, changes, !regexp.MustCompile(`^s3:(GetObject|ListBucket)$`).MatchString(action), action)
			}
			for _, resource := range s.Resource {
				assert.Regexp(t, keys, resource, "%s: another stack's", name)
			}
		}
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(readme)) {
		if strings.Contains(line, "file://state-write.json") {
			assert.Contains(t, line, "--role-name berth-deployer ")
		}
	}
}

// Any repository on GitHub gets tokens from the same issuer: only the condition says whose count. GitHub writes a repository
// with its ids where it was made or renamed since July 2026, and without them otherwise; each is taken as a whole.
func TestTrustIsOneRepositorysEnvironment(t *testing.T) {
	statements := readPolicy(t, "trust.json")
	require.Len(t, statements, 1)
	assert.Equal(t, Texts{"sts:AssumeRoleWithWebIdentity"}, statements[0].Action)
	const subject = "token.actions.githubusercontent.com:sub"
	assert.Equal(t, map[string]map[string]Texts{"StringEquals": {
		"token.actions.githubusercontent.com:aud": {"sts.amazonaws.com"},
		subject: {"repo:you/berth:environment:production", "repo:you@OWNERID/berth@REPOID:environment:production"},
	}}, statements[0].Condition)
	for _, value := range statements[0].Condition["StringEquals"][subject] {
		assert.NotRegexp(t, `[*?]`, value)
	}
}

// A document that no role has attached is one that is not used.
func TestEveryDocumentIsSomebodys(t *testing.T) {
	paths, err := filepath.Glob("*.json")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, commands, _ := strings.Cut(string(readme), "## Set it up, once")
	for _, path := range paths {
		assert.Contains(t, commands, "file://"+path, "README.md attaches it")
	}
	attached := slices.Concat(Roles["deployer"], Roles["previewer"], []string{"boundary.json", "doctor.json", "state-read.json", "state-write.json", "trust.json"})
	assert.ElementsMatch(t, paths, attached)
}

func TestTheAccountsOwnTakeTheExamplesPlace(t *testing.T) {
	account := Account{Number: "999988887777", Region: "us-west-2", Names: []string{"shop.example.org", "shop.example.net"}, Zone: "Z42"}
	statements, err := account.Statements("deployer")
	require.NoError(t, err)
	found := map[string]Statement{}
	for _, one := range statements {
		found[one.Sid] = one
		assert.NotRegexp(t, exampleAccount+"|"+exampleRegion, strings.Join(one.Resource, " "), one.Sid)
	}
	assert.Equal(t, Texts{"arn:aws:ec2:us-west-2:999988887777:instance/*"}, found["RunServer"].Resource)
	assert.Equal(t, Texts{"arn:aws:route53:::hostedzone/Z42"}, found["ChangeNames"].Resource)
	assert.Equal(t, Texts{"shop.example.org", "shop.example.net", "*.shop.example.org", "*.shop.example.net"},
		found["ChangeNames"].Condition["ForAllValues:StringLike"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"])
	assert.Equal(t, Texts{"arn:aws:cloudwatch::999988887777:dashboard/shop-example-org", "arn:aws:cloudwatch::999988887777:dashboard/shop-example-net"}, found["Dashboard"].Resource)
	assert.Contains(t, found["Alarms"].Resource, "arn:aws:cloudwatch:us-west-2:999988887777:alarm:shop.example.org?*")
	assert.Equal(t, Texts{BoundaryARN("999988887777")}, found["NoOtherBounds"].Condition["StringNotEquals"]["iam:PermissionsBoundary"])
	assert.NotContains(t, found, "OwnZone")
	account.Zone = ""
	statements, err = account.Statements("deployer")
	require.NoError(t, err)
	assert.Contains(t, statements, Statement{Sid: "OwnZone", Effect: "Allow", Action: Texts{"route53:CreateHostedZone"}, Resource: Texts{"*"}, Condition: map[string]map[string]Texts{}})
	_, err = account.Statements("nobody")
	require.ErrorContains(t, err, "docs/iam has no role nobody")
}

// TestTheDeployerMayRunEveryType that the settings take, and none of the dear ones with accelerators.
func TestTheDeployerMayRunEveryType(t *testing.T) {
	may := func(name string) bool {
		return slices.ContainsFunc(deployer(t), func(s Statement) bool {
			return slices.ContainsFunc(s.Condition["StringLike"]["ec2:InstanceType"], func(pattern string) bool {
				fits, err := path.Match(pattern, name)
				require.NoError(t, err)
				return fits
			})
		})
	}
	for _, one := range instance.All {
		assert.True(t, may(one.Name()), one.Name())
	}
	for _, name := range []string{"p5.48xlarge", "g6.xlarge", "u7i-12tb.224xlarge", "x2idn.16xlarge", "mac2.metal"} {
		assert.False(t, may(name), name)
	}
}
