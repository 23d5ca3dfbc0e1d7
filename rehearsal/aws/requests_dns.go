package aws

import "strings"

func dnsRequests() map[string]requests {
	return map[string]requests{
		zoneType: {
			read: func(a *asking) { a.on(hostedZone(a.id), "route53:GetHostedZone", "route53:ListTagsForResource") },
			create: func(a *asking) {
				a.everywhere("route53:CreateHostedZone")
				a.on(dnsChange, "route53:GetChange")
				a.on(hostedZone(a.id), "route53:ChangeTagsForResource")
			},
			update: func(a *asking) {
				a.retagsItself(hostedZone(a.id), "route53:ChangeTagsForResource", "route53:ChangeTagsForResource")
			},
			remove: func(a *asking) {
				a.on(hostedZone(a.id), "route53:DeleteHostedZone")
				a.on(dnsChange, "route53:GetChange")
			},
		},
		recordType: {
			read: func(a *asking) {
				a.on(hostedZone(Text(a.known(), "zoneId")), "route53:GetHostedZone", "route53:ListResourceRecordSets")
			},
			create: func(a *asking) { a.changesRecord("CREATE", a.inputs) },
			update: func(a *asking) { a.changesRecord("UPSERT", a.inputs) },
			remove: func(a *asking) {
				a.on(hostedZone(Text(a.old.Inputs, "zoneId")), "route53:GetHostedZone", "route53:ListResourceRecordSets")
				a.changesRecord("DELETE", a.old.Inputs)
			},
		},
	}
}

// dnsChange is a change that is waited for, whose id is not known before.
const dnsChange = "arn:aws:route53:::change/C0123456789"

func hostedZone(id string) string { return "arn:aws:route53:::hostedzone/" + id }

// changesRecord asks for a change of one record. Source: Route 53 Developer Guide, "Using IAM policy conditions for
// fine-grained access control".
func (a *asking) changesRecord(action string, of map[string]any) {
	a.ask(hostedZone(Text(of, "zoneId")), map[string][]string{
		"route53:ChangeResourceRecordSetsNormalizedRecordNames": {strings.ToLower(strings.TrimSuffix(Text(of, "name"), "."))},
		"route53:ChangeResourceRecordSetsRecordTypes":           {Text(of, "type")},
		"route53:ChangeResourceRecordSetsActions":               {action},
	}, "route53:ChangeResourceRecordSets")
	a.on(dnsChange, "route53:GetChange")
}
