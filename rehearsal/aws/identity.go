package aws

const (
	roleType    = "aws:iam/role:Role"
	profileType = "aws:iam/instanceProfile:InstanceProfile"
	// permissionType is a policy inside a role, policyType one of the account's.
	permissionType = "aws:iam/rolePolicy:RolePolicy"
	policyType     = "aws:iam/policy:Policy"

	// inlineLimit is how long the policies inside a role may be together, in characters. Source: IAM User Guide, "IAM and
	// AWS STS quotas".
	inlineLimit = 10240
)

func identityKinds() map[string]*kind {
	return map[string]*kind{
		roleType:       {operation: "IAM:CreateRole", invalid: "ValidationError", create: createRole, update: checkBoundary, remove: removeRole},
		profileType:    {operation: "IAM:CreateInstanceProfile", invalid: "ValidationError", create: createProfile},
		permissionType: {operation: "IAM:PutRolePolicy", invalid: "MalformedPolicyDocument", create: createPermission, update: checkPermission},
		policyType:     {operation: "IAM:CreatePolicy", invalid: "MalformedPolicyDocument", create: createPolicy, update: checkPolicy, remove: removePolicy},
	}
}

func createRole(c *call) error {
	c.id = Text(c.inputs, "name")
	if c.account.get(roleType, c.id) != nil {
		return apiError("IAM:CreateRole", "EntityAlreadyExists", "Role with name %s already exists.", c.id)
	}
	c.outputs["arn"], c.outputs["uniqueId"] = c.arn("iam", "", "role/"+c.id), "AROA"+newHex(16)
	return checkBoundary(c)
}

// checkBoundary looks for the policy that is to bound a role.
func checkBoundary(c *call) error {
	if arn := Text(c.inputs, "permissionsBoundary"); arn != "" && len(c.account.users(policyType, "arn", arn)) == 0 {
		return apiError("IAM:CreateRole", "NoSuchEntity", "Scope ARN: %s does not exist or is not attachable.", arn)
	}
	return nil
}

func createPolicy(c *call) error {
	c.id = c.arn("iam", "", "policy/"+Text(c.inputs, "name"))
	if c.account.get(policyType, c.id) != nil {
		return apiError("IAM:CreatePolicy", "EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed.", Text(c.inputs, "name"))
	}
	c.outputs["arn"], c.outputs["policyId"] = c.id, "ANPA"+newHex(16)
	return checkPolicy(c)
}

func checkPolicy(c *call) error { return checkDocument("IAM:CreatePolicy", Text(c.inputs, "policy")) }

func removePolicy(c *call) error {
	if len(c.account.users(roleType, "permissionsBoundary", c.id)) > 0 {
		return apiError("IAM:DeletePolicy", "DeleteConflict", "Cannot delete a policy attached to entities.")
	}
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
	c.id = Text(c.inputs, "name")
	if c.account.get(profileType, c.id) != nil {
		return apiError("IAM:CreateInstanceProfile", "EntityAlreadyExists", "Instance Profile %s already exists.", c.id)
	}
	if role := Text(c.inputs, "role"); c.account.get(roleType, role) == nil {
		return apiError("IAM:AddRoleToInstanceProfile", "NoSuchEntity", "The role with name %s cannot be found.", role)
	}
	c.outputs["arn"], c.outputs["uniqueId"] = c.arn("iam", "", "instance-profile/"+c.id), "AIPA"+newHex(16)
	return nil
}

func createPermission(c *call) error {
	if err := checkPermission(c); err != nil {
		return err
	}
	role, name := Text(c.inputs, "role"), Text(c.inputs, "name")
	c.id = role + ":" + name
	if c.account.get(roleType, role) == nil {
		return apiError("IAM:PutRolePolicy", "NoSuchEntity", "The role with name %s cannot be found.", role)
	}
	return nil
}

func checkPermission(c *call) error {
	const operation = "IAM:PutRolePolicy"
	if err := checkDocument(operation, Text(c.inputs, "policy")); err != nil {
		return err
	}
	length := len(Text(c.inputs, "policy"))
	for _, other := range c.account.users(permissionType, "role", Text(c.inputs, "role")) {
		if other.ID != c.id {
			length += len(Text(other.Outputs, "policy"))
		}
	}
	if length > inlineLimit {
		return apiError(operation, "LimitExceeded", "Maximum policy size of %d bytes exceeded for role %s", inlineLimit, Text(c.inputs, "role"))
	}
	return nil
}

// checkDocument refuses what cannot be the policy of an identity.
func checkDocument(operation, document string) error {
	policy, err := parsePolicy(document)
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
	return nil
}
