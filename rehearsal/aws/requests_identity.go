package aws

func identityRequests() map[string]requests {
	return map[string]requests{
		roleType: {
			read: func(a *asking) {
				a.on(a.role(a.id), "iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies")
			},
			create: func(a *asking) {
				a.ask(a.role(a.id), tagged(object(a.outputs, "tagsAll")), "iam:CreateRole", "iam:TagRole")
			},
			update: func(a *asking) {
				if a.changed("assumeRolePolicy") {
					a.on(a.role(a.id), "iam:UpdateAssumeRolePolicy")
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
				a.on(a.role(text(a.known(), "role")), "iam:GetRole")
			},
			create: func(a *asking) {
				a.ask(a.profile(), tagged(object(a.outputs, "tagsAll")), "iam:CreateInstanceProfile", "iam:TagInstanceProfile")
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
			read:   func(a *asking) { a.on(a.role(text(a.known(), "role")), "iam:GetRolePolicy") },
			create: func(a *asking) { a.on(a.role(text(a.inputs, "role")), "iam:PutRolePolicy") },
			update: func(a *asking) { a.on(a.role(text(a.inputs, "role")), "iam:PutRolePolicy") },
			remove: func(a *asking) { a.on(a.role(text(a.old.Inputs, "role")), "iam:DeleteRolePolicy") },
		},
	}
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
	a.passesRole(text(a.inputs, "role"), "ec2.amazonaws.com")
}

// passesRole asks to give a role to a service.
func (a *asking) passesRole(name, service string) {
	role := a.role(name)
	a.ask(role, with(prefixed("aws:ResourceTag/", a.tagsOn(role)), map[string][]string{"iam:PassedToService": {service}}), "iam:PassRole")
}
