package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	iampolicies "berth/docs/iam"
	"berth/internal/config"
)

// optional are the statements that only some stacks need.
var optional = map[string]func(*config.Config) bool{
	"OwnZone": ownZone, "ChangeOwnZone": ownZone,
	"Monitoring": monitored, "Alarms": monitored, "RoleOfRebootAlarm": monitored, "Dashboard": monitored, "Mail": monitored, "MakeHealthCheck": monitored, "HealthCheck": monitored,
	"MakeSnapshotPolicy": kept, "TagSnapshotPolicy": kept, "Snapshots": kept, "HandRoleToSnapshots": kept,
	"DumpBucket":    dumped,
	"AccessLogs":    logged,
	"RolesRights":   func(cfg *config.Config) bool { return monitored(cfg) || kept(cfg) || dumped(cfg) || several(cfg) },
	"LookAtServers": several, "LookAtCertificate": several, "MakeCertificate": several, "MakeServers": several, "TagNewServers": several, "TagTemplate": several, "TagBalancer": several,
	"ChangeServers": several, "ValidateNames": several, "RoleOfGroup": several, "RoleOfBalancer": several,
	"LookAtDatabases": declared, "LookAtDatabase": declared, "MakeDatabase": declared, "MakeDatabaseWith": declared, "TagNewDatabase": declared, "ChangeDatabase": declared,
	"LeaveDatabaseSnapshot": declared, "RoleOfDatabase": declared,
}

func ownZone(cfg *config.Config) bool   { return cfg.CreateZone }
func monitored(cfg *config.Config) bool { return cfg.AlarmEmail != "" }
func kept(cfg *config.Config) bool      { return cfg.SnapshotsKept > 0 }
func dumped(cfg *config.Config) bool    { return cfg.DumpBucket }
func logged(cfg *config.Config) bool    { return cfg.Servers.AccessLogs > 0 && several(cfg) }
func declared(cfg *config.Config) bool  { return cfg.RDS != nil }
func several(cfg *config.Config) bool   { return cfg.Servers.Several() }

// needed are the statements of the deployer's documents in docs/iam that the stack needs, with the account's own.
func needed(cfg *config.Config, account, zone string) ([]iampolicies.Statement, error) {
	own := iampolicies.Account{Number: account, Region: cfg.Region, Names: cfg.Records()}
	if !cfg.CreateZone {
		// Where the zone is not known the policy's own example is used.
		own.Zone = first(zone, "*")
	}
	all, err := own.Statements("deployer")
	return slices.DeleteFunc(all, func(one iampolicies.Statement) bool {
		wanted := optional[one.Sid]
		return one.Effect == "Deny" || wanted != nil && !wanted(cfg)
	}), err
}

// appended is an example of what Pulumi appends to a name, in place of the wildcard of a policy: AWS compares an ARN with a
// pattern, not a pattern with another.
const appended = "-1234567"

// kinds are what an action of EC2's is about, by a part of its name: the first that it has. Tags are asked about on an
// instance.
var kinds = [][2]string{
	{"SecurityGroup", "security-group"}, {"InternetGateway", "internet-gateway"}, {"NetworkInterface", "network-interface"},
	{"Volume", "volume"}, {"Snapshot", "volume"}, {"Subnet", "subnet"}, {"Vpc", "vpc"}, {"Route", "route-table"}, {"Address", "elastic-ip"}, {"", "instance"},
}

// balancers are the same for Elastic Load Balancing, whose actions are often about what is above what they make.
var balancers = [][2]string{
	{"Target", "targetgroup/site"}, {"LoadBalancer", "loadbalancer/app/site"}, {"CreateListener", "loadbalancer/app/site"}, {"Listener", "listener/app/site"},
	{"CreateRule", "listener/app/site"}, {"Rule", "listener-rule/app/site"}, {"", "loadbalancer/app/site"},
}

// about says whether a resource of a policy is one of the service that an action is of: a statement may be about several.
func about(resource, action string) bool {
	service, _, _ := strings.Cut(action, ":")
	return resource == "*" || strings.HasPrefix(resource, "arn:aws:"+service+":")
}

// asAWS is a resource of a policy as AWS builds its ARN for an action.
func asAWS(resource, action string) string {
	if before, wild := strings.CutSuffix(resource, "-*"); wild {
		return before + appended
	}
	if before, wild := strings.CutSuffix(resource, "?*"); wild {
		return before + " example"
	}
	if strings.HasPrefix(resource, "arn:aws:ec2:") && strings.HasSuffix(resource, ":*") {
		for _, kind := range kinds {
			if strings.Contains(action, kind[0]) {
				return strings.TrimSuffix(resource, "*") + kind[1] + "/*"
			}
		}
	}
	if before, found := strings.CutSuffix(resource, ":*"); found && strings.HasPrefix(resource, "arn:aws:elasticloadbalancing:") {
		for _, kind := range balancers {
			if strings.Contains(action, kind[0]) {
				return before + ":" + kind[1] + appended + "/0123456789abcdef"
			}
		}
	}
	return resource
}

// questions are a statement as AWS is asked about it: the actions on their resources, in these circumstances.
func questions(one iampolicies.Statement, cfg *config.Config) []*iam.SimulatePrincipalPolicyInput {
	circumstances := circumstances(one, cfg)
	var all []*iam.SimulatePrincipalPolicyInput
	for _, action := range one.Action {
		var resources []string
		for _, resource := range one.Resource {
			if about(resource, action) {
				resources = append(resources, asAWS(resource, action))
			}
		}
		at := slices.IndexFunc(all, func(input *iam.SimulatePrincipalPolicyInput) bool { return slices.Equal(input.ResourceArns, resources) })
		if at < 0 {
			at = len(all)
			all = append(all, &iam.SimulatePrincipalPolicyInput{ResourceArns: resources, ContextEntries: circumstances})
		}
		all[at].ActionNames = append(all[at].ActionNames, action)
	}
	return all
}

// circumstances are the values of the conditions' keys in which a statement allows.
func circumstances(one iampolicies.Statement, cfg *config.Config) []types.ContextEntry {
	var entries []types.ContextEntry
	for _, operator := range slices.Sorted(maps.Keys(one.Condition)) {
		// A key that must not be there is left out.
		if operator == "Null" {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(one.Condition[operator])) {
			values := []string(one.Condition[operator][key])
			kind := types.ContextKeyTypeEnumStringList
			switch {
			case key == "ec2:InstanceType":
				values, kind = []string{cfg.InstanceType}, types.ContextKeyTypeEnumString
			case strings.HasSuffix(key, "NormalizedRecordNames"):
				values = slices.Clone(cfg.Records())
				if one.Sid == "ValidateNames" {
					for i := range values {
						values[i] = "_0123456789abcdef." + values[i]
					}
				}
			case !strings.HasPrefix(operator, "ForAllValues:"):
				values, kind = values[:1], types.ContextKeyTypeEnumString
			}
			entries = append(entries, types.ContextEntry{ContextKeyName: aws.String(key), ContextKeyType: kind, ContextKeyValues: values})
		}
	}
	return entries
}

// shownActions is how many actions a line names.
const shownActions = 6

// permissions asks AWS what the credentials would be allowed, without doing any of it.
func (d *doctor) permissions(ctx context.Context) finding {
	cfg, _, who, skipped := d.inAccount(ctx, "domain", "aliases", "routes", "redirects", "externalHosts", "zone", "createZone", "instanceType", "alarmEmail", "snapshotsKept", "dumpBucket", "servers")
	if skipped != nil {
		return *skipped
	}
	if strings.HasSuffix(who.arn, ":root") {
		return fine("the root user may do everything")
	}
	zone := ""
	if known, err := d.findZone(ctx); err == nil && known != nil {
		zone = known.id
	}
	statements, err := needed(cfg, who.number, zone)
	if err != nil {
		return warn("permissions-not-known", "", "what an update needs is unknown: %s", err)
	}
	client := iam.NewFromConfig(who.settings)
	source := principal(ctx, client, who.arn)
	asked, denied := 0, []string{}
	var inputs []*iam.SimulatePrincipalPolicyInput
	for _, one := range statements {
		inputs = append(inputs, questions(one, cfg)...)
	}
	for _, input := range inputs {
		input.PolicySourceArn = aws.String(source)
		pages := iam.NewSimulatePrincipalPolicyPaginator(client, input)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if refused(err) {
				return warn("permissions-not-allowed-to-ask", "docs/iam/doctor.json lets them", "what the credentials may do is unknown, as they may not ask it (iam:SimulatePrincipalPolicy)")
			}
			if err != nil {
				return warn("permissions-not-checked", "", "what the credentials may do is unknown: %s", brief(err))
			}
			for _, result := range page.EvaluationResults {
				asked++
				if !allowed(result) {
					denied = append(denied, aws.ToString(result.EvalActionName))
				}
			}
		}
	}
	if len(denied) == 0 {
		return fine("all %d that an update needs", asked)
	}
	slices.Sort(denied)
	denied = slices.Compact(denied)
	more := ""
	if len(denied) > shownActions {
		more = fmt.Sprintf(" and %d more", len(denied)-shownActions)
		denied = denied[:shownActions]
	}
	return fail("permissions-missing", "attach the policies of docs/iam (docs/iam/README.md, step 2)", "these credentials may not %s%s, which an update needs", strings.Join(denied, ", "), more)
}

// allowed says whether an action is allowed on every resource that was asked about.
func allowed(result types.EvaluationResult) bool {
	for _, one := range result.ResourceSpecificResults {
		if one.EvalResourceDecision != types.PolicyEvaluationDecisionTypeAllowed {
			return false
		}
	}
	return len(result.ResourceSpecificResults) > 0 || result.EvalDecision == types.PolicyEvaluationDecisionTypeAllowed
}

// principal is whose policies an identity has: a role's session has those of the role, whose whole name only IAM knows.
func principal(ctx context.Context, client *iam.Client, arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[2] != "sts" {
		return arn
	}
	kind, rest, _ := strings.Cut(parts[5], "/")
	role, _, _ := strings.Cut(rest, "/")
	if kind != "assumed-role" {
		return arn
	}
	// Where it may not be asked, a role without a path is the best guess.
	if found, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(role)}); err == nil && found.Role != nil {
		return aws.ToString(found.Role.Arn)
	}
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", parts[1], parts[4], role)
}
