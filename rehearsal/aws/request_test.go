package aws

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/docs/iam"
	"berth/internal/config"
)

func TestEveryTypeAndLookupIsAskedFor(t *testing.T) {
	types := slices.DeleteFunc(slices.Sorted(maps.Keys(kinds)), func(typ string) bool { return typ == snapshotType || typ == databaseSnapshotType })
	assert.Equal(t, types, slices.Sorted(maps.Keys(asked)), "snapshots are made by volumes, by databases and by Data Lifecycle Manager")
	assert.Equal(t, slices.Sorted(maps.Keys(lookups)), slices.Sorted(maps.Keys(lookedUp)))
}

// heard are the requests of a provider, in parts.
type heard struct {
	lock  sync.Mutex
	part  string
	parts map[string][]Request
}

func (h *heard) observe(request Request) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.parts[h.part] = append(h.parts[h.part], request)
}

func (h *heard) all() []Request {
	var all []Request
	for _, part := range h.parts {
		all = append(all, part...)
	}
	return all
}

func actionsOf(all []Request) []string {
	found := map[string]bool{}
	for _, request := range all {
		found[request.Action] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// account is that of the tests in docs/iam's eyes.
func account(cfg *config.Config) iam.Account {
	return iam.Account{Number: number, Region: cfg.Region, Names: cfg.Names()}
}

// roleFrom is a role of docs/iam, less what without finds.
func roleFrom(t *testing.T, name string, cfg *config.Config, without func(iam.Statement) bool) *Role {
	t.Helper()
	statements, err := account(cfg).Statements(name)
	require.NoError(t, err)
	if without != nil {
		kept := slices.DeleteFunc(slices.Clone(statements), without)
		require.Less(t, len(kept), len(statements))
		statements = kept
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	require.NoError(t, err)
	return &Role{Name: name, Policies: []string{string(text)}}
}

// stage is a stack under the roles of docs/iam.
type stage struct {
	*testing.T
	dir      string
	cfg      *config.Config
	provider *Provider
	stack    auto.Stack
	deployed *heard
	previews *heard
}

func newStage(t *testing.T, deployed, previews *heard, change func(cfg *config.Config, dir string)) *stage {
	t.Helper()
	s := &stage{T: t, dir: t.TempDir(), cfg: watchedSite(), deployed: deployed, previews: previews}
	s.cfg.AlarmEmail, s.cfg.DumpBucket, s.cfg.Protect = "", false, false
	_, err := EnsureZone(s.dir, s.cfg.Zone)
	require.NoError(t, err)
	require.NoError(t, EnsureBoundary(s.dir))
	change(s.cfg, s.dir)
	s.provider, err = Open(s.dir, nil)
	require.NoError(t, err)
	s.stack = newStackBy(t, s.provider, s.cfg)
	return s
}

// as takes on a role for one part.
func (s *stage) as(role, part string, heard *heard) {
	s.Helper()
	heard.part = part
	s.provider.As(roleFrom(s.T, role, s.cfg, nil))
	s.provider.Observe(heard.observe)
}

// up previews as the previewer and updates as the deployer.
func (s *stage) up(part string) {
	s.Helper()
	s.Log(part)
	s.as("previewer", part, s.previews)
	_, err := s.stack.Preview(s.Context(), optpreview.ProgressStreams(io.Discard))
	require.NoError(s, err, "preview %s", part)
	s.as("deployer", part, s.deployed)
	_, err = s.stack.Up(s.Context(), optup.ProgressStreams(io.Discard))
	require.NoError(s, err, part)
}

func (s *stage) destroy() {
	s.Helper()
	s.as("deployer", "refresh", s.deployed)
	_, err := s.stack.Refresh(s.Context())
	require.NoError(s, err)
	s.as("deployer", "destroy", s.deployed)
	_, err = s.stack.Destroy(s.Context())
	require.NoError(s, err)
}

// everyKindOfChange goes from nothing to everything that the program has, through each kind of change, and back.
func everyKindOfChange(t *testing.T, deployed, previews *heard) {
	s := newStage(t, deployed, previews, func(*config.Config, string) {})
	s.up("up")
	s.up("nothing")
	for _, step := range []struct {
		part   string
		change func(cfg *config.Config)
	}{
		{"alarmSet", func(cfg *config.Config) { cfg.AlarmEmail = "you@example.test" }},
		{"bucketOn", func(cfg *config.Config) { cfg.DumpBucket = true }},
		{"tags", func(cfg *config.Config) { cfg.Tags = map[string]string{"Team": "web"} }},
		{"aliasAdd", func(cfg *config.Config) { cfg.Aliases = []string{"www.app.example.test"} }},
		{"cidrs", func(cfg *config.Config) { cfg.OperatorCIDRs = []netip.Prefix{netip.MustParsePrefix("203.0.113.9/32")} }},
		{"instanceType", func(cfg *config.Config) { cfg.InstanceType = "t3.small" }},
		{"volumeSize", func(cfg *config.Config) { cfg.VolumeSize = 30 }},
		{"ami", func(cfg *config.Config) { cfg.AMI = OtherAMI }},
		{"amiRm", func(cfg *config.Config) { cfg.AMI = "" }},
		{"several", func(cfg *config.Config) {
			cfg.InstanceType, cfg.Servers = "t3.micro", config.Servers{Min: 2, Max: 4, CPU: 60, First: true}
		}},
		{"more", func(cfg *config.Config) {
			cfg.Servers = config.Servers{Min: 3, Max: 5, CPU: 70, Sticky: true, AccessLogs: 30}
		}},
		{"tagsOfSeveral", func(cfg *config.Config) { cfg.Tags = map[string]string{"Team": "ops", "Cost": "1"} }},
		{"templateOfSeveral", func(cfg *config.Config) { cfg.InstanceType = "t3.small" }},
		{"fixed", func(cfg *config.Config) { cfg.Servers = config.Servers{Min: 3, Max: 3, CPU: 60, First: true} }},
		{"database", func(cfg *config.Config) {
			cfg.RDS, cfg.RDSPassword = &config.RDS{Version: "16", Class: "db.t4g.micro", SizeGB: 20, User: "app", Database: "app"}, "not-a-secret"
		}},
		{"databaseClass", func(cfg *config.Config) {
			cfg.RDS.Class, cfg.RDS.MultiAZ, cfg.RDSPassword = "db.t4g.small", true, "another-secret"
		}},
		{"databaseVersion", func(cfg *config.Config) { cfg.RDS.Version, cfg.RDS.SizeGB = "17", 30 }},
		{"databaseTags", func(cfg *config.Config) { cfg.Tags = map[string]string{"Team": "data"} }},
		{"aliasOfSeveral", func(cfg *config.Config) { cfg.Aliases = append(cfg.Aliases, "example.test") }},
	} {
		step.change(s.cfg)
		s.up(step.part)
	}
	deployed.part = "drift"
	drift(t, s.dir, s.cfg, deployed)
	s.cfg.Servers, s.cfg.RDS = config.Servers{}, nil
	s.up("one")

	snapshot, err := TakeSnapshot(t.Context(), s.dir, nil, one(t, s.dir, volumeType).ID)
	require.NoError(t, err)
	s.cfg.VolumeSnapshot = snapshot
	s.up("restore")
	s.cfg.AlarmEmail = ""
	s.up("alarmUnset")
	s.cfg.DumpBucket = false
	s.up("bucketOff")
	s.provider.As(roleFrom(t, "deployer", s.cfg, nil))
	s.destroy()
}

// drift has every resource of an account brought back after a manual change: each of its properties alone,
// and its tags. What would replace a resource is left out.
func drift(t *testing.T, dir string, cfg *config.Config, deployed *heard) {
	t.Helper()
	books, err := Read(dir)
	require.NoError(t, err)
	role := roleFrom(t, "deployer", cfg, nil)
	for _, found := range books.Resources {
		kind := kinds[found.Type]
		if asked[found.Type].update == nil {
			continue
		}
		was := func(change func(inputs, outputs map[string]any)) {
			inputs, outputs := maps.Clone(found.Inputs), maps.Clone(found.Outputs)
			change(inputs, outputs)
			c := &call{account: books, kind: kind, typ: found.Type, id: found.ID, region: "eu-central-1", inputs: found.Inputs, outputs: found.Outputs,
				old: &Resource{Type: found.Type, ID: found.ID, Inputs: inputs, Outputs: outputs}}
			if parts := strings.Split(Text(found.Outputs, "arn"), ":"); len(parts) > 3 && parts[3] != "" {
				c.region = parts[3]
			}
			for _, request := range requestsOf("update", c) {
				deployed.observe(request.Request)
				decision, err := role.decide(request.Request)
				require.NoError(t, err)
				assert.Equal(t, Allowed, decision, "%s %s: %v", found.Type, found.ID, request.Request)
			}
		}
		for name, value := range found.Inputs {
			if kind.schema[name] == nil || kind.schema[name].Replaces || name == "tags" || name == "tagsAll" || name == "userData" {
				continue
			}
			// The program replaces a role whose trust somebody changed.
			if found.Type == roleType && name == "assumeRolePolicy" || found.Type == policyType {
				continue
			}
			was(func(inputs, outputs map[string]any) {
				delete(inputs, name)
				if yes, is := value.(bool); is {
					inputs[name] = !yes
				}
				if name == "rootBlockDevice" {
					outputs[name] = map[string]any{"volumeId": Object(found.Outputs, name)["volumeId"], "tags": map[string]any{"ManagedBy": "berth", "Added": "by hand"}}
				}
			})
		}
		if found.Type == instanceType {
			was(func(inputs, _ map[string]any) { inputs["iamInstanceProfile"] = "berth-host-other" })
		}
		if found.Type == GroupType {
			was(func(inputs, _ map[string]any) {
				inputs["tags"] = append(slices.Clone(found.Inputs["tags"].([]any)), map[string]any{"key": "Added", "value": "by hand", "propagateAtLaunch": true})
			})
		}
		if tags := Object(found.Outputs, "tagsAll"); tags != nil {
			was(func(_, outputs map[string]any) {
				outputs["tagsAll"] = map[string]any{"ManagedBy": "berth", "Added": "by hand"}
			})
		}
	}
}

// notTheProviders are calls of the facts that the provider did not make: those of the harness that watched it, which waited
// for the server by its address and its user data, and which had made the zone.
var notTheProviders = []string{"ec2:DescribeAddresses", "ec2:DescribeInstances", "ec2:DescribeInstanceAttribute", "route53:CreateHostedZone"}

// permissionOf is the permission that a call of the facts takes, where it has another name; "" where it takes none.
var permissionOf = map[string]string{"s3:HeadBucket": "s3:ListBucket", "sts:GetCallerIdentity": ""}

// parts are those of everyKindOfChange that a change of the facts consists of, where they have another name.
var parts = map[string][]string{
	"up1": {"up"}, "kept": {"nothing"}, "ref": {"nothing"}, "snapRm": {"nothing"}, "protectAgain": {"nothing"}, "restoreProtected": {"nothing"},
	"bucketOff2": {"bucketOff"},
	// Records of a name are removed as they are made.
	"aliasRm": {"aliasAdd"},
	// Two updates that were begun again after one that failed.
	"unprotect": {"bucketOn"}, "restoreProtect": {"up"},
}

// TestTheRolesAreEnoughForEveryChange, and no more: the program goes through all of it with the policies of docs/iam alone,
// the real provider was seen to ask for nothing else, and what they allow is asked for.
func TestTheRolesAreEnoughForEveryChange(t *testing.T) {
	deployed, previews := &heard{parts: map[string][]Request{}}, &heard{parts: map[string][]Request{}}
	everyKindOfChange(t, deployed, previews)

	text, err := os.ReadFile("testdata/api-calls.json")
	require.NoError(t, err)
	var facts map[string]map[string]int
	require.NoError(t, json.Unmarshal(text, &facts))
	everything := actionsOf(deployed.all())
	for change, calls := range facts {
		of := parts[change]
		if of == nil {
			of = []string{change}
		}
		var requests []Request
		for _, part := range of {
			require.Contains(t, deployed.parts, part, change)
			requests = append(requests, deployed.parts[part]...)
		}
		made := actionsOf(requests)
		for action := range calls {
			if permission, renamed := permissionOf[action]; renamed {
				action = permission
			}
			if action != "" && !slices.Contains(notTheProviders, action) {
				assert.Contains(t, made, action, "the real provider called it for %s", change)
			}
			if action != "" && action != "route53:CreateHostedZone" {
				assert.Contains(t, everything, action, change)
			}
		}
	}

	// The shapes that a change does not produce.
	s := newStage(t, deployed, previews, func(cfg *config.Config, _ string) {
		cfg.CreateZone, cfg.Zone, cfg.Domain, cfg.SnapshotsKept = true, "own.example.test", "own.example.test", 0
	})
	s.up("created zone")
	drift(t, s.dir, s.cfg, deployed)
	s.destroy()
	s = newStage(t, deployed, previews, func(cfg *config.Config, dir string) { cfg.SubnetID = existingSubnet(t, dir) })
	s.up("existing subnet")
	s.destroy()

	for role, heard := range map[string]*heard{"deployer": deployed, "previewer": previews} {
		statements, err := account(s.cfg).Statements(role)
		require.NoError(t, err)
		for _, statement := range statements {
			if statement.Effect == "Deny" {
				continue // What it refuses is TestNobodyEscapesTheBoundary's.
			}
			for _, action := range statement.Action {
				assert.True(t, wanted(t, statement, action, heard.all()), "%s: nothing asks for %s as %s allows it", role, action, statement.Sid)
			}
		}
	}
}

// wanted says whether a statement lets one of the requests through by an action.
func wanted(t *testing.T, statement iam.Statement, action string, requests []Request) bool {
	t.Helper()
	// Names are the site's; the tests above have two.
	delete(statement.Condition, "ForAllValues:StringLike")
	if statement.Sid == "Alarms" || statement.Sid == "Dashboard" {
		return slices.ContainsFunc(requests, func(request Request) bool { return request.Action == action })
	}
	statement.Action = iam.Texts{action}
	text, err := json.Marshal(map[string]any{"Statement": []iam.Statement{statement}})
	require.NoError(t, err)
	return slices.ContainsFunc(requests, func(request Request) bool {
		decision, err := Decide(string(text), request.Action, request.Resource, request.Context)
		require.NoError(t, err)
		return decision == Allowed
	})
}

// existingSubnet is one that somebody else made, by hand, with its way out.
func existingSubnet(t *testing.T, dir string) string {
	t.Helper()
	console, err := OpenConsole(dir, nil)
	require.NoError(t, err)
	console.p.usual.region = "eu-central-1"
	made := func(typ string, inputs properties) string {
		id, err := console.Make(t.Context(), typ, inputs)
		require.NoError(t, err)
		return id
	}
	vpc := made(vpcType, properties{"cidrBlock": "10.30.0.0/16"})
	made(gatewayType, properties{"vpcId": vpc})
	return made(subnetType, properties{"vpcId": vpc, "cidrBlock": "10.30.0.0/24", "availabilityZone": "eu-central-1a", "mapPublicIpOnLaunch": true})
}

// TestARefusedTagOfTheRootVolumeComesOutLater: the real provider goes on without it, once.
func TestARefusedTagOfTheRootVolumeComesOutLater(t *testing.T) {
	quiet := &heard{parts: map[string][]Request{}}
	s := newStage(t, quiet, quiet, func(*config.Config, string) {})
	s.provider.As(roleFrom(t, "deployer", s.cfg, func(one iam.Statement) bool { return one.Sid == "TagUntagged" }))
	_, err := s.stack.Up(t.Context(), optup.ProgressStreams(io.Discard))
	require.ErrorContains(t, err, "not authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:eu-central-1:123456789012:security-group-rule/sgr-", "a rule's tags are no matter of luck")

	s.provider.As(roleFrom(t, "deployer", s.cfg, nil).without(t, "volume/*"))
	_, err = s.stack.Up(t.Context(), optup.ProgressStreams(io.Discard))
	require.NoError(t, err)
	root := Object(one(t, s.dir, instanceType).Outputs, "rootBlockDevice")
	assert.NotContains(t, root, "tags")
	_, err = s.stack.Up(t.Context(), optup.ProgressStreams(io.Discard))
	require.ErrorContains(t, err, "not authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:eu-central-1:123456789012:volume/"+root["volumeId"].(string))

	s.up("with the policy")
	assert.Equal(t, "berth", Text(Object(Object(one(t, s.dir, instanceType).Outputs, "rootBlockDevice"), "tags"), "ManagedBy"))
}

// without is the role where tags may not be put on what has none and ends so.
func (r *Role) without(t *testing.T, ending string) *Role {
	t.Helper()
	var policy struct{ Statement []iam.Statement }
	require.NoError(t, json.Unmarshal([]byte(r.Policies[0]), &policy))
	for i, statement := range policy.Statement {
		if statement.Sid == "TagUntagged" {
			policy.Statement[i].Resource = slices.DeleteFunc(statement.Resource, func(resource string) bool { return strings.HasSuffix(resource, ending) })
		}
	}
	text, err := json.Marshal(policy)
	require.NoError(t, err)
	return &Role{Name: r.Name, Policies: []string{string(text)}}
}

// TestWhatIsNotAllowedIsNotDone, and the answer is AWS's.
func TestWhatIsNotAllowedIsNotDone(t *testing.T) {
	cfg := &config.Config{Region: "eu-central-1", Domain: "app.example.test"}
	deny := func(t *testing.T, f *fixture, sid string) {
		f.p.As(roleFrom(t, "deployer", cfg, func(one iam.Statement) bool { return one.Sid == sid }))
	}
	for _, test := range []struct {
		sid, says string
		try       func(f *fixture) error
	}{
		{"MakeTagged", "api error UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/berth-deployer/rehearsal is not authorized to perform: ec2:AllocateAddress on resource: arn:aws:ec2:eu-central-1:123456789012:elastic-ip/* because no identity-based policy allows the ec2:AllocateAddress action",
			func(f *fixture) error {
				_, err := f.create(addressType, "more", properties{"domain": "vpc"})
				return err
			}},
		{"LeaveSnapshot", "ec2:CreateSnapshot on resource: arn:aws:ec2:eu-central-1::snapshot/*", func(f *fixture) error { return f.remove(volumeType, "data") }},
		{"ChangeNames", "operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 403", func(f *fixture) error {
			_, err := f.create(recordType, "a", properties{"zoneId": f.ids["zone"], "name": "app.example.test", "type": "A", "ttl": 300.0, "records": []any{"198.51.100.1"}})
			return err
		}},
		{"ChangeOwn", "ec2:ModifyInstanceAttribute", func(f *fixture) error { return f.remove(instanceType, "server") }},
		{"RunServer", "ec2:RunInstances on resource: arn:aws:ec2:eu-central-1:123456789012:instance/*", func(f *fixture) error {
			_, err := f.create(instanceType, "another", f.instance(nil))
			return err
		}},
	} {
		f := newFixture(t).server()
		before, err := os.ReadFile(stateFile(f.dir))
		require.NoError(t, err)
		deny(t, f, test.sid)
		require.ErrorContains(t, test.try(f), test.says, test.sid)
		after, err := os.ReadFile(stateFile(f.dir))
		require.NoError(t, err)
		assert.JSONEq(t, string(before), string(after), "nothing was done")
	}

	// What is somebody else's stays as it is, though everything is allowed that docs/iam allows.
	f := newFixture(t).server()
	console, err := OpenConsole(f.dir, f.world)
	require.NoError(t, err)
	f.ids["others"], err = console.Make(t.Context(), volumeType, properties{"availabilityZone": "eu-central-1a", "size": 20.0, "type": "gp3"})
	require.NoError(t, err)
	f.p.As(roleFrom(t, "deployer", cfg, nil))
	require.ErrorContains(t, f.remove(volumeType, "others"), "ec2:DeleteVolume on resource: arn:aws:ec2:eu-central-1:123456789012:volume/"+f.ids["others"])
	require.NoError(t, f.remove(volumeType, "data"))
	_, err = f.create(recordType, "other", properties{"zoneId": f.ids["zone"], "name": "mail.example.test", "type": "A", "ttl": 300.0, "records": []any{"198.51.100.1"}})
	require.ErrorContains(t, err, "route53:ChangeResourceRecordSets", "another name")
	narrow := roleFrom(t, "deployer", cfg, nil)
	for i, policy := range narrow.Policies {
		narrow.Policies[i] = strings.ReplaceAll(policy, `"m5*",`, "")
	}
	f.p.As(narrow)
	_, err = f.create(instanceType, "large", f.instance(properties{"instanceType": "m5.large"}))
	require.ErrorContains(t, err, "ec2:RunInstances", "a family that the policy does not name")

	// A policy that cannot be understood is no permission.
	f.p.As(&Role{Name: "odd", Policies: []string{fmt.Sprintf(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"ec2:VolumeSize":"%d"}}}]}`, 20)}})
	_, err = f.create(addressType, "more", properties{"domain": "vpc"})
	require.ErrorContains(t, err, "NumericLessThan")
}
