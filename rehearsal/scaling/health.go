package scaling

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

// targetGroup is the one that a request names.
func (c *call) targetGroup() (*aws.Resource, *query.Failure) {
	arn := c.form.Get("TargetGroupArn")
	if group := c.account.Resources[aws.TargetGroupType+"::"+arn]; group != nil {
		return group, nil
	}
	return nil, invalid("TargetGroupNotFound", "Target groups '%s' not found", arn)
}

func namedTargetGroup(c *call) ([]*aws.Resource, *query.Failure) {
	group, refused := c.targetGroup()
	return []*aws.Resource{group}, refused
}

// asked are the targets that a request names.
func (c *call) asked() []string {
	var ids []string
	for i := 1; c.form.Has(fmt.Sprintf("Targets.member.%d.Id", i)); i++ {
		ids = append(ids, c.form.Get(fmt.Sprintf("Targets.member.%d.Id", i)))
	}
	return ids
}

func describeHealth(c *call) ([]query.Element, *query.Failure) {
	group, refused := c.targetGroup()
	if refused != nil {
		return nil, refused
	}
	all, ids := map[string]*target{}, c.asked()
	for key, one := range registered(c.account) {
		if key.group == group.ID {
			all[key.instance] = one
		}
	}
	// What the engine has seen is newer than what is in the account.
	for key, one := range c.targets {
		if key.group == group.ID {
			all[key.instance] = one
		}
	}
	set := query.El("TargetHealthDescriptions")
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if len(ids) > 0 && !slices.Contains(ids, id) {
			continue
		}
		set.Add(c.targetElement(group, id, all[id]))
	}
	for _, id := range ids {
		if all[id] == nil {
			set.Add(query.El("member", query.El("HealthCheckPort", aws.Number(group.Outputs, "port")), query.El("Target", query.El("Id", id), query.El("Port", aws.Number(group.Outputs, "port"))),
				query.El("TargetHealth", query.El("State", "unused"), query.El("Reason", "Target.NotRegistered"), query.El("Description", "Target is not registered to the target group"))))
		}
	}
	return []query.Element{set}, nil
}

func (c *call) targetElement(group *aws.Resource, id string, one *target) query.Element {
	health := query.El("TargetHealth", query.El("State", one.state))
	if code, description := one.reason(); code != "" {
		health.Add(query.El("Reason", code), query.El("Description", description))
	}
	port := textOr(aws.Object(group.Outputs, "healthCheck"), "port", "traffic-port")
	if port == "traffic-port" {
		port = strconv.Itoa(one.port)
	}
	return query.El("member", query.El("HealthCheckPort", port), health, query.El("Target", query.El("Id", id), query.El("Port", cmp.Or(one.port, aws.Number(group.Outputs, "port")))))
}

// deregister takes targets out of a target group.
func deregister(c *call) ([]query.Element, *query.Failure) {
	group, refused := c.targetGroup()
	if refused != nil {
		return nil, refused
	}
	ids := c.asked()
	if len(ids) == 0 {
		return nil, invalid("ValidationError", "1 validation error detected: Value at 'targets' failed to satisfy constraint: Member must not be null")
	}
	for _, id := range ids {
		for _, attachment := range c.account.OfType(aws.TargetAttachmentType) {
			if aws.Text(attachment.Outputs, "targetGroupArn") == group.ID && aws.Text(attachment.Outputs, "targetId") == id {
				delete(c.account.Resources, attachment.Type+"::"+attachment.ID)
			}
		}
		instance := c.account.Resources[instanceType+"::"+id]
		if instance == nil {
			return nil, invalid("InvalidTarget", "The following targets are not in a running state and cannot be deregistered: '%s'", id)
		}
		if gone := aws.Texts(instance.Outputs, "deregisteredFrom"); aws.Text(instance.Outputs, "autoScalingGroup") != "" && !slices.Contains(gone, group.ID) {
			all := []any{group.ID}
			for _, one := range gone {
				all = append(all, one)
			}
			instance.Outputs["deregisteredFrom"] = all
		}
	}
	return []query.Element{}, nil
}
