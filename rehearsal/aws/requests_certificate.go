package aws

func certificateRequests() map[string]requests {
	return map[string]requests{
		CertificateType: {
			read: func(a *asking) { a.on(a.id, "acm:DescribeCertificate", "acm:ListTagsForCertificate") },
			create: func(a *asking) {
				tags := tagged(Object(a.outputs, "tagsAll"))
				// Whoever requests a certificate names no resource; its names and the method are in the conditions' keys.
				a.ask("*", with(tags, map[string][]string{
					"acm:DomainNames": Texts(a.outputs, "subjectAlternativeNames"), "acm:ValidationMethod": {Text(a.inputs, "validationMethod")}, "acm:KeyAlgorithm": {Text(a.outputs, "keyAlgorithm")},
				}), "acm:RequestCertificate")
				a.ask(a.arn("acm", a.region, "certificate/*"), tags, "acm:AddTagsToCertificate")
			},
			update: func(a *asking) {
				if a.changed("options") {
					a.on(a.id, "acm:UpdateCertificateOptions")
				}
				a.retagsItself(a.id, "acm:AddTagsToCertificate", "acm:RemoveTagsFromCertificate")
			},
			remove: func(a *asking) { a.on(a.id, "acm:DeleteCertificate") },
		},
		certificateValidationType: {
			read: func(a *asking) { a.on(Text(a.known(), "certificateArn"), "acm:DescribeCertificate") },
		},
	}
}
