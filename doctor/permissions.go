package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"berth/config"
)

// statement is one of a policy in docs/iam, which hold examples where an account has its own.
type statement struct {
	Sid              string
	Action, Resource texts
	Condition        map[string]map[string]texts
}

// texts is what IAM lets be written as one text or as several.
type texts []string

// UnmarshalJSON reads either form.
func (t *texts) UnmarshalJSON(document []byte) error {
	var one string
	if json.Unmarshal(document, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(document, (*[]string)(t))
}

// optional are the statements that only some stacks need.
var optional = map[string]func(*config.Config) bool{
	"OwnZone": ownZone, "ChangeOwnZone": ownZone,
	"LookAtMonitoring": monitored, "Alarms": monitored, "Dashboard": monitored, "Mail": monitored, "MakeHealthCheck": monitored, "HealthCheck": monitored,
	"Snapshots": kept, "SnapshotsRole": kept, "HandRoleToSnapshots": kept,
	"DumpBucket":  dumped,
	"RolesRights": func(cfg *config.Config) bool { return monitored(cfg) || kept(cfg) || dumped(cfg) },
}

func ownZone(cfg *config.Config) bool   { return cfg.CreateZone }
func monitored(cfg *config.Config) bool { return cfg.AlarmEmail != "" }
func kept(cfg *config.Config) bool      { return cfg.SnapshotsKept > 0 }
func dumped(cfg *config.Config) bool    { return cfg.DumpBucket }

// needed are the statements of docs/iam/deployer*.json that the stack needs.
func needed(project string, cfg *config.Config) ([]statement, error) {
	files, err := filepath.Glob(filepath.Join(project, "docs", "iam", "deployer*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("docs/iam/deployer.json is not in %s", project)
	}
	var all []statement
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var policy struct{ Statement []statement }
		if err := json.Unmarshal(text, &policy); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		for _, one := range policy.Statement {
			if wanted := optional[one.Sid]; wanted == nil || wanted(cfg) {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// question is a statement as AWS is asked about it: the actions on these resources, in these circumstances.
func question(one statement, cfg *config.Config, account, zone string) *iam.SimulatePrincipalPolicyInput {
	input := &iam.SimulatePrincipalPolicyInput{ActionNames: one.Action}
	for _, resource := range one.Resource {
		resource = strings.NewReplacer("111122223333", account, "eu-central-1", cfg.Region).Replace(resource)
		if zone != "" {
			resource = strings.Replace(resource, "hostedzone/*", "hostedzone/"+zone, 1)
		}
		input.ResourceArns = append(input.ResourceArns, resource)
	}
	for _, operator := range slices.Sorted(maps.Keys(one.Condition)) {
		for _, key := range slices.Sorted(maps.Keys(one.Condition[operator])) {
			values := []string(one.Condition[operator][key])
			kind := types.ContextKeyTypeEnumStringList
			switch {
			case key == "ec2:InstanceType":
				values, kind = []string{cfg.InstanceType}, types.ContextKeyTypeEnumString
			case strings.HasSuffix(key, "NormalizedRecordNames"):
				values = cfg.Names()
			case !strings.HasPrefix(operator, "ForAllValues:"):
				values, kind = values[:1], types.ContextKeyTypeEnumString
			}
			input.ContextEntries = append(input.ContextEntries, types.ContextEntry{ContextKeyName: aws.String(key), ContextKeyType: kind, ContextKeyValues: values})
		}
	}
	return input
}

// shownActions is how many actions a line names.
const shownActions = 6

// permissions asks AWS what the credentials would be allowed, without doing any of it.
func (d *doctor) permissions(ctx context.Context) finding {
	cfg, _, who, skipped := d.inAccount(ctx, "domain", "aliases", "zone", "createZone", "instanceType", "alarmEmail", "snapshotsKept", "dumpBucket")
	if skipped != nil {
		return *skipped
	}
	if strings.HasSuffix(who.arn, ":root") {
		return fine("the root user may do everything")
	}
	statements, err := needed(d.project, cfg)
	if err != nil {
		return warn("", "what an update needs is unknown: %s", err)
	}
	zone := ""
	// Where the zone is not known the policy's own example will do.
	if known, err := d.findZone(ctx); err == nil && known != nil {
		zone = known.id
	}
	client := iam.NewFromConfig(who.settings)
	source := principal(ctx, client, who.arn)
	asked, denied := 0, []string{}
	for _, one := range statements {
		input := question(one, cfg, who.number, zone)
		input.PolicySourceArn = aws.String(source)
		pages := iam.NewSimulatePrincipalPolicyPaginator(client, input)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if refused(err) {
				return warn("docs/iam/doctor.json lets them", "what the credentials may do is unknown, as they may not ask it (iam:SimulatePrincipalPolicy)")
			}
			if err != nil {
				return warn("", "what the credentials may do is unknown: %s", brief(err))
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
	return fail("attach the policies of docs/iam (docs/iam/README.md, step 2)", "these credentials may not %s%s, which an update needs", strings.Join(denied, ", "), more)
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
