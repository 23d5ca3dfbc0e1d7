package aws

import (
	"encoding/json"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
)

const (
	roleType    = "aws:iam/role:Role"
	profileType = "aws:iam/instanceProfile:InstanceProfile"
)

func identityKinds() map[string]*kind {
	return map[string]*kind{
		roleType:    {args: iam.RoleArgs{}, replaces: []string{"name", "namePrefix", "path"}, autoname: true, create: createRole, update: checkRole, remove: removeRole},
		profileType: {args: iam.InstanceProfileArgs{}, replaces: []string{"name", "namePrefix", "path"}, autoname: true, create: createProfile},
	}
}

func createRole(c *call) error {
	if err := checkRole(c); err != nil {
		return err
	}
	c.id = text(c.inputs, "name")
	if c.account.get(roleType, c.id) != nil {
		return apiError("IAM:CreateRole", "EntityAlreadyExists", "Role with name %s already exists.", c.id)
	}
	c.outputs["arn"], c.outputs["uniqueId"] = c.arn("iam", "", "role/"+c.id), "AROA"+newHex(16)
	return nil
}

func checkRole(c *call) error {
	if !json.Valid([]byte(text(c.inputs, "assumeRolePolicy"))) {
		return apiError("IAM:CreateRole", "MalformedPolicyDocument", "This policy contains invalid Json")
	}
	return nil
}

func removeRole(c *call) error {
	if profiles := c.account.users(profileType, "role", c.id); len(profiles) > 0 {
		return apiError("IAM:DeleteRole", "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
	}
	return nil
}

func createProfile(c *call) error {
	c.id = text(c.inputs, "name")
	if c.account.get(profileType, c.id) != nil {
		return apiError("IAM:CreateInstanceProfile", "EntityAlreadyExists", "Instance Profile %s already exists.", c.id)
	}
	if role := text(c.inputs, "role"); c.account.get(roleType, role) == nil {
		return apiError("IAM:AddRoleToInstanceProfile", "NoSuchEntity", "The role with name %s cannot be found.", role)
	}
	c.outputs["arn"], c.outputs["uniqueId"] = c.arn("iam", "", "instance-profile/"+c.id), "AIPA"+newHex(16)
	return nil
}
