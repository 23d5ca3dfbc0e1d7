package aws

func identityRequests() map[string]requests {
	return map[string]requests{
		roleType: {
			read: func(a *asking) {
				a.on(a.role(a.id), "iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies")
			},
			create: func(a *asking) {
				a.ask(a.role(a.id), with(tagged(Object(a.outputs, "tagsAll")), boundedBy(Text(a.inputs, "permissionsBoundary"))), "iam:CreateRole")
				a.ask(a.role(a.id), tagged(Object(a.outputs, "tagsAll")), "iam:TagRole")
			},
			update: func(a *asking) {
				if a.changed("assumeRolePolicy") {
					a.onRole(a.id, "iam:UpdateAssumeRolePolicy")
				}
				if a.changed("permissionsBoundary") {
					if boundary := Text(a.inputs, "permissionsBoundary"); boundary != "" {
						a.ask(a.role(a.id), boundedBy(boundary), "iam:PutRolePermissionsBoundary")
					} else {
						a.onRole(a.id, "iam:DeleteRolePermissionsBoundary")
					}
				}
				if a.changed("description") {
					a.on(a.role(a.id), "iam:UpdateRoleDescription")
				}
				a.retagsItself(a.role(a.id), "iam:TagRole", "iam:UntagRole")
			},
			remove: func(a *asking) {
				a.on(a.role(a.id), "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:DeleteRole")
			},
		},
		profileType: {
			read: func(a *asking) {
				a.on(a.profile(), "iam:GetInstanceProfile")
				a.on(a.role(Text(a.known(), "role")), "iam:GetRole")
			},
			create: func(a *asking) {
				a.ask(a.profile(), tagged(Object(a.outputs, "tagsAll")), "iam:CreateInstanceProfile", "iam:TagInstanceProfile")
				a.addsRole()
			},
			update: func(a *asking) {
				if a.changed("role") {
					a.on(a.profile(), "iam:RemoveRoleFromInstanceProfile")
					a.addsRole()
				}
				a.retagsItself(a.profile(), "iam:TagInstanceProfile", "iam:UntagInstanceProfile")
			},
			remove: func(a *asking) {
				a.on(a.profile(), "iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile")
			},
		},
		permissionType: {
			read:   func(a *asking) { a.on(a.role(Text(a.known(), "role")), "iam:GetRolePolicy") },
			create: func(a *asking) { a.onRole(Text(a.inputs, "role"), "iam:PutRolePolicy") },
			update: func(a *asking) { a.onRole(Text(a.inputs, "role"), "iam:PutRolePolicy") },
			remove: func(a *asking) { a.onRole(Text(a.old.Inputs, "role"), "iam:DeleteRolePolicy") },
		},
		policyType: {
			read: func(a *asking) { a.on(a.id, "iam:GetPolicy", "iam:GetPolicyVersion") },
			create: func(a *asking) {
				a.ask(a.id, tagged(Object(a.outputs, "tagsAll")), "iam:CreatePolicy", "iam:TagPolicy")
			},
			update: func(a *asking) {
				if a.changed("policy") {
					a.on(a.id, "iam:ListPolicyVersions", "iam:CreatePolicyVersion")
				}
				a.retagsItself(a.id, "iam:TagPolicy", "iam:UntagPolicy")
			},
			remove: func(a *asking) { a.on(a.id, "iam:ListPolicyVersions", "iam:DeletePolicy") },
		},
	}
}

// onRole asks for actions on a role, which depend on what bounds it.
func (a *asking) onRole(name string, actions ...string) {
	context := prefixed("aws:ResourceTag/", a.tagsOn(a.role(name)))
	if role := a.account.get(roleType, name); role != nil {
		context = with(context, boundedBy(Text(role.Outputs, "permissionsBoundary")))
	}
	a.ask(a.role(name), context, actions...)
}

// boundedBy is the value of the condition's key for a permissions boundary, which is missing where there is none.
func boundedBy(boundary string) map[string][]string {
	if boundary == "" {
		return nil
	}
	return map[string][]string{"iam:PermissionsBoundary": {boundary}}
}

// known are a resource's properties, whether it was changed or only read.
func (a *asking) known() map[string]any {
	if a.outputs != nil {
		return a.outputs
	}
	return a.old.Outputs
}

func (a *asking) role(name string) string { return a.arn("iam", "", "role/"+name) }

func (a *asking) profile() string { return a.arn("iam", "", "instance-profile/"+a.id) }

// addsRole asks to put a role into the profile, which IAM takes for giving it to EC2.
func (a *asking) addsRole() {
	a.on(a.profile(), "iam:AddRoleToInstanceProfile")
	a.passesRole(Text(a.inputs, "role"), "ec2.amazonaws.com")
}

// passesRole asks to give a role to a service.
func (a *asking) passesRole(name, service string) {
	role := a.role(name)
	a.ask(role, with(prefixed("aws:ResourceTag/", a.tagsOn(role)), map[string][]string{"iam:PassedToService": {service}}), "iam:PassRole")
}
