package aws

import (
	"slices"
	"strings"
)

const lifecycleType = "aws:dlm/lifecyclePolicy:LifecyclePolicy"

func backupKinds() map[string]*kind {
	return map[string]*kind{
		lifecycleType: {operation: "DLM:CreateLifecyclePolicy", invalid: "InvalidRequestException", create: createLifecycle, update: checkLifecycle},
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
	details := Object(c.inputs, "policyDetails")
	schedules := Objects(details, "schedules")
	switch {
	case len(Object(details, "targetTags")) == 0 || !slices.Equal(Texts(details, "resourceTypes"), []string{"VOLUME"}):
		return invalid("A policy on volumes needs resource types and target tags")
	case len(schedules) < 1 || len(schedules) > 4:
		return invalid("A policy has 1 to 4 schedules")
	}
	for _, schedule := range schedules {
		if Object(schedule, "createRule")["interval"] == nil || Object(schedule, "retainRule")["count"] == nil {
			return invalid("A schedule on volumes needs an interval and a count to retain")
		}
	}
	roles := c.account.OfType(roleType)
	at := slices.IndexFunc(roles, func(role *Resource) bool { return Text(role.Outputs, "arn") == Text(c.inputs, "executionRoleArn") })
	if at < 0 || !strings.Contains(Text(roles[at].Outputs, "assumeRolePolicy"), "dlm.amazonaws.com") {
		return invalid("The role %s does not exist or does not trust dlm.amazonaws.com", Text(c.inputs, "executionRoleArn"))
	}
	defaulted(c.outputs, "state", "ENABLED")
	return nil
}
