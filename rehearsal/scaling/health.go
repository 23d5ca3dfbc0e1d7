package scaling

import (
	"fmt"
	"slices"

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
