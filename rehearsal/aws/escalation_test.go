package aws

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/docs/iam"
	"berth/internal/config"
)

// Whatever a policy of an account's administrator allows.
const (
	administrator = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	trustDeployer = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/berth-deployer"},"Action":"sts:AssumeRole"}]}`
)

// attempt is a way from the deployer to the account: what is asked of AWS.
type attempt struct {
	what, action, resource string
	context                map[string][]string
}

// attempts are the ways that IAM has from one identity's rights to more, with the names that the deployer's policies know and with
// others. Source of the ways: Rhino Security Labs' list of IAM's privilege escalations, which has each by its action.
func attempts() []attempt {
	const account = "arn:aws:iam::" + number
	boundary := iam.BoundaryARN(number)
	mine, theirs, admin := account+":role/berth-host-1234567", account+":role/deploy-other", account+":role/Admin"
	bounded, unbounded := boundedBy(boundary), map[string][]string{}
	wide := boundedBy("arn:aws:iam::aws:policy/AdministratorAccess")
	to := func(service string) map[string][]string { return map[string][]string{"iam:PassedToService": {service}} }
	all := []attempt{
		{"remove the boundary", "iam:DeleteRolePermissionsBoundary", mine, bounded},
		{"widen the boundary", "iam:PutRolePermissionsBoundary", mine, wide},
		{"another version of the boundary", "iam:CreatePolicyVersion", boundary, nil},
		{"an earlier version of the boundary", "iam:SetDefaultPolicyVersion", boundary, nil},
		{"delete a version of the boundary", "iam:DeletePolicyVersion", boundary, nil},
		{"delete the boundary, to recreate it", "iam:DeletePolicy", boundary, nil},
		{"make the boundary", "iam:CreatePolicy", boundary, nil},
		{"make another policy", "iam:CreatePolicy", account + ":policy/berth-boundary-2", nil},
		{"attach AdministratorAccess to a role of Berth's", "iam:AttachRolePolicy", mine, with(bounded, map[string][]string{"iam:PolicyARN": {"arn:aws:iam::aws:policy/AdministratorAccess"}})},
		{"attach AdministratorAccess to the deployer", "iam:AttachRolePolicy", account + ":role/berth-deployer", nil},
		{"put a policy on the deployer", "iam:PutRolePolicy", account + ":role/berth-deployer", unbounded},
		{"put a policy on another role", "iam:PutRolePolicy", theirs, bounded},
		{"another version of the deployer's policy", "iam:CreatePolicyVersion", account + ":policy/berth-deployer", nil},
		{"bound another role, which takes rights away", "iam:PutRolePermissionsBoundary", admin, bounded},
		{"trust the deployer with another role", "iam:UpdateAssumeRolePolicy", admin, nil},
		{"trust oneself with a role of Berth's", "iam:UpdateAssumeRolePolicy", mine, bounded},
		{"become another role", "sts:AssumeRole", admin, nil},
		{"make a role of another name", "iam:CreateRole", theirs, bounded},
		{"make a user", "iam:CreateUser", account + ":user/berth-host-1", bounded},
		{"a key for a user", "iam:CreateAccessKey", account + ":user/Admin", nil},
		{"a password for a user", "iam:CreateLoginProfile", account + ":user/Admin", nil},
		{"another password for a user", "iam:UpdateLoginProfile", account + ":user/Admin", nil},
		{"put a policy on a user", "iam:PutUserPolicy", account + ":user/Admin", nil},
		{"attach a policy to a user", "iam:AttachUserPolicy", account + ":user/Admin", nil},
		{"put a policy on a group", "iam:PutGroupPolicy", account + ":group/admins", nil},
		{"attach a policy to a group", "iam:AttachGroupPolicy", account + ":group/admins", nil},
		{"join a group", "iam:AddUserToGroup", account + ":group/admins", nil},
		{"an issuer of tokens", "iam:CreateOpenIDConnectProvider", account + ":oidc-provider/example.com", nil},
		{"a provider of SAML", "iam:CreateSAMLProvider", account + ":saml-provider/x", nil},
		{"give a server another role", "iam:PassRole", admin, to("ec2.amazonaws.com")},
		{"give Data Lifecycle Manager another role", "iam:PassRole", admin, to("dlm.amazonaws.com")},
		{"give a function the server's role", "iam:PassRole", mine, to("lambda.amazonaws.com")},
		{"give CloudFormation the server's role", "iam:PassRole", mine, to("cloudformation.amazonaws.com")},
		{"the server's profile on a server of another's", "ec2:AssociateIamInstanceProfile", "arn:aws:ec2:eu-central-1:" + number + ":instance/i-1", map[string][]string{"aws:ResourceTag/ManagedBy": {"terraform"}}},
		{"another role into a profile", "iam:AddRoleToInstanceProfile", account + ":instance-profile/admin", nil},
		{"a function", "lambda:CreateFunction", "arn:aws:lambda:eu-central-1:" + number + ":function:x", nil},
		{"a stack of CloudFormation's", "cloudformation:CreateStack", "arn:aws:cloudformation:eu-central-1:" + number + ":stack/x/*", nil},
		{"a command on a server", "ssm:SendCommand", "arn:aws:ec2:eu-central-1:" + number + ":instance/i-1", nil},
		{"a service's role", "iam:CreateServiceLinkedRole", account + ":role/aws-service-role/organizations.amazonaws.com/AWSServiceRoleForOrganizations", map[string][]string{"iam:AWSServiceName": {"organizations.amazonaws.com"}}},
	}
	for name, bound := range map[string]map[string][]string{"without a boundary": unbounded, "with AdministratorAccess as its boundary": wide, "with the boundary of another account": boundedBy(iam.BoundaryARN("999988887777"))} {
		for _, role := range []string{mine, account + ":role/berth-snapshots-1234567"} {
			all = append(all, attempt{"make a role " + name, "iam:CreateRole", role, bound}, attempt{"put a policy on a role " + name, "iam:PutRolePolicy", role, bound})
		}
	}
	return all
}

// TestNobodyEscapesTheBoundary plays each way on the policies of docs/iam: an administrator gets through, and neither deployer nor
// previewer does.
func TestNobodyEscapesTheBoundary(t *testing.T) {
	cfg := &config.Config{Region: "eu-central-1", Domain: "app.example.test"}
	denies := map[string]bool{}
	all := attempts()
	for _, role := range []string{"deployer", "previewer"} {
		whole := roleFrom(t, role, cfg, nil)
		through := 0
		for _, one := range all {
			request := Request{one.action, one.resource, one.context}
			decision, err := (&Role{Policies: []string{administrator}}).decide(request)
			require.NoError(t, err)
			require.Equal(t, Allowed, decision, "%s: an administrator may", one.what)
			decision, err = whole.decide(request)
			require.NoError(t, err)
			if !assert.NotEqual(t, Allowed, decision, "%s: %s", role, one.what) {
				through++
			}
			// Nor does another policy of the deployer's, which somebody adds some day, let it out of the boundary.
			added, err := (&Role{Policies: append(slices.Clone(whole.Policies), administrator)}).decide(request)
			require.NoError(t, err)
			if role == "deployer" && added == ExplicitDeny {
				denies[one.action] = true
			}
		}
		t.Logf("%s: %d ways tried, %d got through", role, len(all), through)
	}
	statements, err := account(cfg).Statements("deployer")
	require.NoError(t, err)
	for _, statement := range statements {
		for _, action := range statement.Action {
			assert.True(t, statement.Effect != "Deny" || denies[action], "%s denies %s, which nothing here tries", statement.Sid, action)
		}
	}
}

// TestARoleOfTheDeployersMayDoNoMoreThanTheBoundary plays it on the account: a role with a policy that allows everything is the
// deployer's to make, and does no more than the program's own.
func TestARoleOfTheDeployersMayDoNoMoreThanTheBoundary(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, EnsureBoundary(f.dir))
	cfg := &config.Config{Region: "eu-central-1", Domain: "app.example.test"}
	boundary := iam.BoundaryARN(number)
	f.p.As(roleFrom(t, "deployer", cfg, nil))
	role := func(name string, more properties) error {
		inputs := properties{"name": name, "assumeRolePolicy": trustDeployer}
		for key, value := range more {
			inputs[key] = value
		}
		_, err := f.create(roleType, name, inputs)
		return err
	}
	for _, refused := range []error{
		role("berth-host-1", nil),
		role("berth-host-2", properties{"permissionsBoundary": "arn:aws:iam::123456789012:policy/berth-boundary-2"}),
		role("other", properties{"permissionsBoundary": boundary}),
	} {
		require.Error(t, refused)
	}
	assert.Empty(t, f.account().OfType(roleType))

	require.NoError(t, role("berth-host-3", properties{"permissionsBoundary": boundary}))
	f.make(permissionType, "everything", properties{"role": "berth-host-3", "name": "everything", "policy": administrator})
	for _, change := range []properties{
		{"name": "berth-host-3", "assumeRolePolicy": trustDeployer},
		{"name": "berth-host-3", "assumeRolePolicy": strings.Replace(trustDeployer, "berth-deployer", "Admin", 1), "permissionsBoundary": boundary},
	} {
		require.ErrorContains(t, f.update(roleType, "berth-host-3", change), "with an explicit deny")
	}
	for _, one := range append(attempts(), attempt{"read dumps", "s3:GetObject", "arn:aws:s3:::berth-dumps-1/dumps/a", nil}, attempt{"delete dumps", "s3:DeleteObject", "arn:aws:s3:::berth-dumps-1/dumps/a", nil},
		attempt{"delete what dumps were", "s3:DeleteObjectVersion", "arn:aws:s3:::berth-dumps-1/dumps/a", nil}, attempt{"write another bucket", "s3:PutObject", "arn:aws:s3:::example-berth-state/.pulumi/meta.yaml", nil},
		attempt{"delete a final snapshot", "ec2:DeleteSnapshot", "arn:aws:ec2:eu-central-1::snapshot/snap-1", map[string][]string{"aws:ResourceTag/berth:data-of": {"organization/berth/production"}}},
		attempt{"delete another's snapshot", "ec2:DeleteSnapshot", "arn:aws:ec2:eu-central-1::snapshot/snap-1", map[string][]string{"aws:ResourceTag/aws:dlm:lifecycle-policy-id": {"policy-1"}}},
	) {
		may, err := f.account().RoleMay("berth-host-3", Request{one.action, one.resource, one.context})
		require.NoError(t, err)
		assert.False(t, may, one.what)
	}
	may, err := f.account().RoleMay("berth-host-3", Request{"s3:PutObject", "arn:aws:s3:::berth-dumps-1/dumps/a", nil})
	require.NoError(t, err)
	assert.True(t, may, "what the boundary is for")

	// An administrator's role, without a boundary, may: it is the boundary that refuses.
	f.p.As(nil)
	require.NoError(t, role("admin", nil))
	f.make(permissionType, "admin's", properties{"role": "admin", "name": "everything", "policy": administrator})
	may, err = f.account().RoleMay("admin", Request{"iam:CreateUser", "*", nil})
	require.NoError(t, err)
	assert.True(t, may)
}

// sample is a resource that a pattern matches, as a request has it.
func sample(pattern string) string { return strings.ReplaceAll(pattern, "*", "1") }

// TestTheBoundaryHasAllThatTheProgramsRolesNeed: what a role's policies allow and the boundary does not would be refused.
func TestTheBoundaryHasAllThatTheProgramsRolesNeed(t *testing.T) {
	quiet := &heard{parts: map[string][]Request{}}
	s := newStage(t, quiet, quiet, func(cfg *config.Config, _ string) { cfg.AlarmEmail, cfg.DumpBucket = "you@example.test", true })
	s.up("everything")
	books, err := Read(s.dir)
	require.NoError(t, err)
	looked := 0
	for _, permission := range books.OfType(permissionType) {
		statements, err := parsePolicy(Text(permission.Outputs, "policy"))
		require.NoError(t, err)
		for _, statement := range statements {
			context := map[string][]string{"aws:ResourceTag/aws:dlm:lifecycle-policy-id": {"policy-1"}}
			for _, keys := range statement.Condition {
				for key, values := range keys {
					context[key] = values
				}
			}
			for _, action := range statement.Action {
				for _, resource := range statement.Resource {
					looked++
					may, err := books.RoleMay(Text(permission.Outputs, "role"), Request{action, sample(resource), context})
					require.NoError(t, err)
					assert.True(t, may, "%s on %s", action, resource)
				}
			}
		}
	}
	assert.Greater(t, looked, 6)
}

// TestAnAccountWithoutTheBoundaryGetsIt from whoever may make it; another stack and a deployer go on with it, and it stays.
func TestAnAccountWithoutTheBoundaryGetsIt(t *testing.T) {
	dir, cfg := t.TempDir(), watchedSite()
	cfg.Protect = false
	_, err := EnsureZone(dir, cfg.Zone)
	require.NoError(t, err)
	provider, err := Open(dir, nil)
	require.NoError(t, err)
	stack := newStackBy(t, provider, cfg)

	provider.As(roleFrom(t, "deployer", cfg, nil))
	_, err = stack.Up(t.Context())
	require.ErrorContains(t, err, "not authorized to perform: iam:CreatePolicy on resource: "+iam.BoundaryARN(number))
	provider.As(nil)
	_, err = stack.Up(t.Context())
	require.NoError(t, err)
	one(t, dir, policyType)
	assert.Empty(t, changes(t, stack))

	// What the boundary becomes is its administrator's.
	console, err := OpenConsole(dir, nil)
	require.NoError(t, err)
	require.NoError(t, console.Change(t.Context(), policyType, iam.BoundaryARN(number), properties{"policy": strings.Replace(iam.Boundary, `"Sid": "Dumps"`, `"Sid": "Ours"`, 1)}))
	provider.As(roleFrom(t, "deployer", cfg, nil))
	cfg.Tags = map[string]string{"Team": "web"}
	result, err := stack.Up(t.Context())
	require.NoError(t, err)
	assert.Contains(t, result.StdOut+result.StdErr, "is not this version's docs/iam/boundary.json")
	assert.Contains(t, Text(one(t, dir, policyType).Outputs, "policy"), `"Ours"`)
	_, err = stack.Destroy(t.Context())
	require.NoError(t, err)
	one(t, dir, policyType)

	again := newStackBy(t, provider, cfg)
	_, err = again.Up(t.Context())
	require.NoError(t, err, "the deployer, with the account's boundary")
}

// TestAnotherTrustTakesAnotherRole: a role whose trust somebody changed is replaced, since no deployer may update a trust.
func TestAnotherTrustTakesAnotherRole(t *testing.T) {
	quiet := &heard{parts: map[string][]Request{}}
	s := newStage(t, quiet, quiet, func(*config.Config, string) {})
	s.up("up")
	console, err := OpenConsole(s.dir, nil)
	require.NoError(t, err)
	account, err := Read(s.dir)
	require.NoError(t, err)
	for _, role := range account.OfType(roleType) {
		require.NoError(t, console.Change(t.Context(), roleType, role.ID, properties{"assumeRolePolicy": trustDeployer}))
	}
	_, err = s.stack.Refresh(t.Context())
	require.NoError(t, err)
	s.up("again")
	account, err = Read(s.dir)
	require.NoError(t, err)
	require.Len(t, account.OfType(roleType), 2)
	for _, role := range account.OfType(roleType) {
		assert.NotContains(t, Text(role.Outputs, "assumeRolePolicy"), "berth-deployer", role.ID)
		var trust struct{ Statement []any }
		require.NoError(t, json.Unmarshal([]byte(Text(role.Outputs, "assumeRolePolicy")), &trust))
	}
	for _, request := range quiet.all() {
		assert.NotEqual(t, "iam:UpdateAssumeRolePolicy", request.Action)
	}
}
