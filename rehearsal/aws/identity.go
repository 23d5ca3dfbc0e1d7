package aws

const (
	roleType    = "aws:iam/role:Role"
	profileType = "aws:iam/instanceProfile:InstanceProfile"
	// permissionType is a policy inside a role.
	permissionType = "aws:iam/rolePolicy:RolePolicy"

	// inlineLimit is how long the policies inside a role may be together, in characters. Source: IAM User Guide, "IAM and
	// AWS STS quotas".
	inlineLimit = 10240
)

func identityKinds() map[string]*kind {
	return map[string]*kind{
		roleType:       {operation: "IAM:CreateRole", invalid: "ValidationError", create: createRole, remove: removeRole},
		profileType:    {operation: "IAM:CreateInstanceProfile", invalid: "ValidationError", create: createProfile},
		permissionType: {operation: "IAM:PutRolePolicy", invalid: "MalformedPolicyDocument", create: createPermission, update: checkPermission},
	}
}

func createRole(c *call) error {
	c.id = text(c.inputs, "name")
	if c.account.get(roleType, c.id) != nil {
		return apiError("IAM:CreateRole", "EntityAlreadyExists", "Role with name %s already exists.", c.id)
	}
	c.outputs["arn"], c.outputs["uniqueId"] = c.arn("iam", "", "role/"+c.id), "AROA"+newHex(16)
	return nil
}

func removeRole(c *call) error {
	if profiles := c.account.users(profileType, "role", c.id); len(profiles) > 0 {
		return apiError("IAM:DeleteRole", "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
	}
	if permissions := c.account.users(permissionType, "role", c.id); len(permissions) > 0 {
		return apiError("IAM:DeleteRole", "DeleteConflict", "Cannot delete entity, must delete policies first.")
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

func createPermission(c *call) error {
	if err := checkPermission(c); err != nil {
		return err
	}
	role, name := text(c.inputs, "role"), text(c.inputs, "name")
	c.id = role + ":" + name
	if c.account.get(roleType, role) == nil {
		return apiError("IAM:PutRolePolicy", "NoSuchEntity", "The role with name %s cannot be found.", role)
	}
	return nil
}

func checkPermission(c *call) error {
	const operation = "IAM:PutRolePolicy"
	policy, err := parsePolicy(text(c.inputs, "policy"))
	if err != nil {
		return apiError(operation, "MalformedPolicyDocument", "Syntax errors in policy.")
	}
	for _, statement := range policy {
		switch {
		case statement.Effect != "Allow" && statement.Effect != "Deny":
			return apiError(operation, "MalformedPolicyDocument", "Invalid effect: %s", statement.Effect)
		case len(statement.Principal) > 0:
			return apiError(operation, "MalformedPolicyDocument", "Policy document should not specify a principal.")
		case len(statement.Action) == 0:
			return apiError(operation, "MalformedPolicyDocument", "Policy statement must contain actions.")
		case len(statement.Resource) == 0:
			return apiError(operation, "MalformedPolicyDocument", "Policy statement must contain resources.")
		}
	}
	length := len(text(c.inputs, "policy"))
	for _, other := range c.account.users(permissionType, "role", text(c.inputs, "role")) {
		if other.ID != c.id {
			length += len(text(other.Outputs, "policy"))
		}
	}
	if length > inlineLimit {
		return apiError(operation, "LimitExceeded", "Maximum policy size of %d bytes exceeded for role %s", inlineLimit, text(c.inputs, "role"))
	}
	return nil
}
