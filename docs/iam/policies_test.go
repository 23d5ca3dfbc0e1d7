package iam

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		require.Equal(t, "Allow", s.Effect, s.Sid)
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

// withoutResource are actions that change something and that AWS lets nobody narrow to a resource.
var withoutResource = []string{"dlm:CreateLifecyclePolicy", "route53:CreateHealthCheck", "route53:CreateHostedZone", "sns:Unsubscribe"}

// marksWhatIsUnmarked is the one way to tag what exists and is not Berth's: to make it Berth's, where it is nobody's.
func marksWhatIsUnmarked(s Statement) bool {
	return slices.Equal(s.Condition["StringEquals"]["aws:RequestTag/ManagedBy"], Texts{"berth"}) && slices.Equal(s.Condition["Null"]["aws:ResourceTag/ManagedBy"], Texts{"true"})
}

// What is not Berth's own is neither changed nor taken away: where AWS knows tags or names, the policy asks for them.
func TestDeployerChangesOnlyItsOwn(t *testing.T) {
	reads := regexp.MustCompile(`^[a-z0-9]+:(Describe|List|Get)[A-Za-z]+$`)
	for _, s := range deployer(t) {
		owned := slices.Equal(s.Condition["StringEquals"]["aws:ResourceTag/ManagedBy"], Texts{"berth"})
		for _, action := range s.Action {
			assert.NotContains(t, action, "*", s.Sid)
			if slices.Contains(s.Resource, "*") {
				assert.True(t, reads.MatchString(action) || slices.Contains(withoutResource, action), "%s on everything", action)
			}
			if action == "ec2:CreateTags" {
				assert.True(t, owned || len(s.Condition["StringEquals"]["ec2:CreateAction"]) > 0 || marksWhatIsUnmarked(s), "%s: tags on what is somebody's", s.Sid)
			}
			if regexp.MustCompile(`^ec2:(Delete|Terminate|Detach|Release|Stop|Revoke|Replace)`).MatchString(action) {
				assert.True(t, owned, "%s: %s asks for no tag", s.Sid, action)
			}
			// An identity of anybody's choice with rights of its choice would be the account's. The rights of the program's
			// own roles are part of the program.
			assert.NotRegexp(t, `^iam:(PutUser|PutGroup|Attach|CreatePolicy|CreateUser|CreateAccessKey)`, action)
			if action == "iam:PassRole" {
				// Each service gets the role that is made for it, by its name.
				service, given := map[string]string{"berth-host-*": "ec2.amazonaws.com", "berth-snapshots-*": "dlm.amazonaws.com"}, Texts{}
				for _, resource := range s.Resource {
					given = append(given, service[resource[strings.LastIndex(resource, "/")+1:]])
				}
				assert.Equal(t, given, s.Condition["StringEquals"]["iam:PassedToService"])
			}
		}
		for _, resource := range s.Resource {
			if strings.HasPrefix(resource, "arn:aws:iam:") && !slices.Equal(s.Action, Texts{"iam:CreateServiceLinkedRole"}) {
				assert.Regexp(t, `:(role|instance-profile)/berth-(host|snapshots)-\*$`, resource, "the names that Pulumi gives the program's roles and profile begin so")
			}
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

// A document that no role has attached is one that nobody has read.
func TestEveryDocumentIsSomebodys(t *testing.T) {
	paths, err := filepath.Glob("*.json")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, commands, _ := strings.Cut(string(readme), "## Set it up, once")
	for _, path := range paths {
		assert.Contains(t, commands, "file://"+path, "README.md attaches it")
	}
	attached := slices.Concat(Roles["deployer"], Roles["previewer"], []string{"doctor.json", "state.json", "trust.json"})
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
	assert.NotContains(t, found, "OwnZone")
	account.Zone = ""
	statements, err = account.Statements("deployer")
	require.NoError(t, err)
	assert.Contains(t, statements, Statement{Sid: "OwnZone", Effect: "Allow", Action: Texts{"route53:CreateHostedZone"}, Resource: Texts{"*"}, Condition: map[string]map[string]Texts{}})
	_, err = account.Statements("nobody")
	require.ErrorContains(t, err, "docs/iam has no role nobody")
}
