package aws

import (
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/dlm"
)

const lifecycleType = "aws:dlm/lifecyclePolicy:LifecyclePolicy"

var (
	lifecycleText = regexp.MustCompile(`^[0-9A-Za-z _-]{1,500}$`)
	clock         = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	// intervals are the hours between two snapshots. Source: Data Lifecycle Manager API Reference, "CreateRule".
	intervals = []int{1, 2, 3, 4, 6, 8, 12, 24}
)

func backupKinds() map[string]*kind {
	return map[string]*kind{
		lifecycleType: {args: dlm.LifecyclePolicyArgs{}, create: createLifecycle, update: checkLifecycle},
	}
}

func createLifecycle(c *call) error {
	if err := checkLifecycle(c); err != nil {
		return err
	}
	c.id = "policy-0" + newHex(16)
	c.outputs["arn"] = c.arn("dlm", c.region, "policy/"+c.id)
	return nil
}

func checkLifecycle(c *call) error {
	invalid := func(format string, args ...any) error {
		return apiError("DLM:CreateLifecyclePolicy", "InvalidRequestException", format, args...)
	}
	details := object(c.inputs, "policyDetails")
	schedules, _ := details["schedules"].([]any)
	switch {
	case !lifecycleText.MatchString(text(c.inputs, "description")):
		return invalid("Value '%s' at 'description' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9A-Za-z _-]+", text(c.inputs, "description"))
	case len(object(details, "targetTags")) == 0 || !slices.Equal(list(details, "resourceTypes"), []string{"VOLUME"}):
		return invalid("A policy on volumes needs resource types and target tags")
	case len(schedules) < 1 || len(schedules) > 4:
		return invalid("A policy has 1 to 4 schedules")
	}
	for _, item := range schedules {
		schedule, _ := item.(map[string]any)
		rule, retain := object(schedule, "createRule"), object(schedule, "retainRule")
		switch {
		case text(rule, "intervalUnit") != "HOURS" || !slices.Contains(intervals, integer(rule, "interval")):
			return invalid("Invalid interval; it is one of %v HOURS", intervals)
		case text(rule, "times") != "" && !clock.MatchString(text(rule, "times")):
			return invalid("Invalid time %s; it has the form hh:mm", text(rule, "times"))
		case integer(retain, "count") < 1 || integer(retain, "count") > 1000:
			return invalid("Invalid count %d; it is 1 to 1000", integer(retain, "count"))
		}
	}
	roles := c.account.OfType(roleType)
	at := slices.IndexFunc(roles, func(role *Resource) bool { return text(role.Outputs, "arn") == text(c.inputs, "executionRoleArn") })
	if at < 0 || !strings.Contains(text(roles[at].Outputs, "assumeRolePolicy"), "dlm.amazonaws.com") {
		return invalid("The role %s does not exist or does not trust dlm.amazonaws.com", text(c.inputs, "executionRoleArn"))
	}
	defaulted(c.outputs, "state", "ENABLED")
	return nil
}
