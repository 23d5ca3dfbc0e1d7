package aws

import (
	"strings"
)

func backupRequests() map[string]requests {
	return map[string]requests{
		lifecycleType: {
			read: func(a *asking) { a.on(a.lifecycle(), "dlm:GetLifecyclePolicy") },
			create: func(a *asking) {
				a.ask("*", tagged(Object(a.outputs, "tagsAll")), "dlm:CreateLifecyclePolicy")
				a.ask(a.arn("dlm", a.region, "policy/*"), tagged(Object(a.outputs, "tagsAll")), "dlm:TagResource")
				a.takesSnapshots()
			},
			update: func(a *asking) {
				if a.changed(a.untagged()...) {
					a.on(a.lifecycle(), "dlm:UpdateLifecyclePolicy")
					a.takesSnapshots()
				}
				a.retagsItself(a.lifecycle(), "dlm:TagResource", "dlm:UntagResource")
			},
			remove: func(a *asking) { a.on(a.lifecycle(), "dlm:DeleteLifecyclePolicy") },
		},
	}
}

func (a *asking) lifecycle() string { return a.arn("dlm", a.region, "policy/"+a.id) }

// takesSnapshots asks to give Data Lifecycle Manager the role by which it does.
func (a *asking) takesSnapshots() {
	_, name, _ := strings.Cut(Text(a.inputs, "executionRoleArn"), ":role/")
	a.passesRole(name, "dlm.amazonaws.com")
}
