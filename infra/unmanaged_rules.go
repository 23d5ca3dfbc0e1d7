package infra

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// warnOfStrangers says which rules of the security groups were made past Pulumi, which knows its own alone: a port that
// was opened in the console stays open, and a refresh does not report it.
func (f *Firewall) warnOfStrangers(ctx *pulumi.Context) {
	pulumi.All(f.groups.ToStringArrayOutput(), f.rules.ToIDArrayOutput()).ApplyT(func(known []any) (bool, error) {
		groups, own := known[0].([]string), known[1].([]pulumi.ID)
		found, err := vpc.GetSecurityGroupRules(ctx, &vpc.GetSecurityGroupRulesArgs{
			Filters: []vpc.GetSecurityGroupRulesFilter{{Name: "group-id", Values: groups}},
		}, pulumi.Parent(f))
		if err != nil {
			// It is a courtesy: no update fails because of it.
			return false, ctx.Log.Warn(fmt.Sprintf("cannot check %s for rules that are not managed by Pulumi: %s; Fix: allow ec2:DescribeSecurityGroupRules", strings.Join(groups, ", "), err), &pulumi.LogArgs{Resource: f})
		}
		for _, id := range found.Ids {
			if slices.Contains(own, pulumi.ID(id)) {
				continue
			}
			rule, err := vpc.GetSecurityGroupRule(ctx, &vpc.GetSecurityGroupRuleArgs{SecurityGroupRuleId: &id}, pulumi.Parent(f))
			if err != nil {
				continue // It went in the meantime.
			}
			if warning := unmanagedRule(rule, os.Getenv("GITHUB_RUN_ID")); warning != "" {
				if err := ctx.Log.Warn(warning, &pulumi.LogArgs{Resource: f}); err != nil {
					return false, err
				}
			}
		}
		return true, nil
	})
}

// runnerRule is the name of the rules by which .github/runner-ssh.sh lets a runner in.
const runnerRule = "berth-runner"

// unmanagedRule is a sentence about a rule that is not among the declared ones, "" where Berth made it all the same: one that is
// about to go, or that of the runner that deploys now, in the run of that id.
func unmanagedRule(rule *vpc.GetSecurityGroupRuleResult, run string) string {
	if rule.Tags["ManagedBy"] == managedBy {
		if rule.Tags["Name"] != runnerRule || run != "" && rule.Tags["Run"] == run {
			return ""
		}
		return fmt.Sprintf("port %d is open to %s since %s, for the runner of a deploy (run %s); where that run has ended, the next deploy closes it, and so does: aws ec2 revoke-security-group-ingress --group-id %s --security-group-rule-ids %s",
			rule.FromPort, rule.CidrIpv4, cmp.Or(rule.Tags["Opened"], "an unknown time"), cmp.Or(rule.Tags["Run"], "unknown"), rule.SecurityGroupId, rule.SecurityGroupRuleId)
	}
	what, direction, action := rule.IpProtocol, "from", "revoke-security-group-ingress"
	switch {
	case what == "-1":
		what = "everything"
	case rule.FromPort != rule.ToPort:
		what += fmt.Sprintf(" %d to %d", rule.FromPort, rule.ToPort)
	default:
		what += fmt.Sprintf(" %d", rule.FromPort)
	}
	if rule.IsEgress {
		direction, action = "to", "revoke-security-group-egress"
	}
	return fmt.Sprintf("a rule that Pulumi does not manage opens %s %s %s%s%s%s; if it is not needed: aws ec2 %s --group-id %s --security-group-rule-ids %s",
		what, direction, rule.CidrIpv4, rule.CidrIpv6, rule.ReferencedSecurityGroupId, rule.PrefixListId, action, rule.SecurityGroupId, rule.SecurityGroupRuleId)
}
