package aws

func storageRequests() map[string]requests {
	return map[string]requests{
		volumeType: {
			read: func(a *asking) { a.everywhere("ec2:DescribeVolumes") },
			create: func(a *asking) {
				a.makes("CreateVolume", "volume", Object(a.outputs, "tagsAll"), nil)
				if snapshot := Text(a.inputs, "snapshotId"); snapshot != "" {
					a.on(a.ec2("snapshot", snapshot), "ec2:CreateVolume")
				}
			},
			update: func(a *asking) {
				if a.changed("size", "type", "iops", "throughput") {
					a.on(a.itself("volume"), "ec2:ModifyVolume")
					a.everywhere("ec2:DescribeVolumesModifications")
				}
				a.retagsItself(a.itself("volume"), "ec2:CreateTags", "ec2:DeleteTags")
			},
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeVolumes")
				if Truth(a.old.Outputs, "finalSnapshot") {
					a.on(a.itself("volume"), "ec2:CreateSnapshot")
					a.makes("CreateSnapshot", "snapshot", Object(a.old.Outputs, "tagsAll"), nil)
					a.everywhere("ec2:DescribeSnapshots")
				}
				a.on(a.itself("volume"), "ec2:DeleteVolume")
			},
		},
		attachmentType: {
			read:   func(a *asking) { a.everywhere("ec2:DescribeVolumes", "ec2:DescribeInstances") },
			create: func(a *asking) { a.attaches("ec2:AttachVolume", a.inputs) },
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeVolumes", "ec2:DescribeInstances")
				if Truth(a.old.Inputs, "stopInstanceBeforeDetaching") {
					a.on(a.ec2("instance", Text(a.old.Inputs, "instanceId")), "ec2:StopInstances")
				}
				a.attaches("ec2:DetachVolume", a.old.Inputs)
			},
		},
	}
}

// attaches asks for an action on an instance and a volume of it.
func (a *asking) attaches(action string, of map[string]any) {
	a.on(a.ec2("instance", Text(of, "instanceId")), action)
	a.on(a.ec2("volume", Text(of, "volumeId")), action)
}
