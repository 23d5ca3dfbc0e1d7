package aws

import (
	"cmp"
	"context"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"berth/rehearsal/provider"
)

func computeRequests() map[string]requests {
	tag := func(of map[string]any) map[string]any { return map[string]any{Text(of, "key"): of["value"]} }
	tagsIt := func(a *asking) {
		resource := a.ec2("network-interface", Text(a.inputs, "resourceId"))
		a.ask(resource, with(tagged(tag(a.inputs)), prefixed("aws:ResourceTag/", a.tagsOn(resource))), "ec2:CreateTags")
	}
	return map[string]requests{
		tagType: {
			read:   func(a *asking) { a.everywhere("ec2:DescribeTags") },
			create: tagsIt, update: tagsIt,
			remove: func(a *asking) {
				resource := a.ec2("network-interface", Text(a.old.Inputs, "resourceId"))
				a.ask(resource, with(map[string][]string{"aws:TagKeys": {Text(a.old.Inputs, "key")}}, prefixed("aws:ResourceTag/", a.tagsOn(resource))), "ec2:DeleteTags")
			},
		},
		instanceType: {
			diff: func(a *asking) {
				// A type of another architecture would replace the instance.
				if a.changed("instanceType") {
					a.everywhere("ec2:DescribeInstanceTypes")
				}
			},
			read: func(a *asking) {
				a.everywhere("ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeVolumes", "ec2:DescribeVpcs", "ec2:DescribeTags", "ec2:DescribeInstanceCreditSpecifications")
				a.on(a.itself("instance"), "ec2:DescribeInstanceAttribute")
			},
			create: (*asking).runsInstance,
			update: (*asking).changesInstance,
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeInstances")
				a.on(a.itself("instance"), "ec2:DescribeInstanceAttribute", "ec2:ModifyInstanceAttribute", "ec2:TerminateInstances")
			},
		},
		addressType: {
			read: func(a *asking) {
				a.everywhere("ec2:DescribeAddresses")
				a.on(a.itself("elastic-ip"), "ec2:DescribeAddressesAttribute")
			},
			create: func(a *asking) { a.makes("AllocateAddress", "elastic-ip", Object(a.outputs, "tagsAll"), nil) },
			update: func(a *asking) { a.retagsItself(a.itself("elastic-ip"), "ec2:CreateTags", "ec2:DeleteTags") },
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeAddresses")
				a.on(a.itself("elastic-ip"), "ec2:DisassociateAddress", "ec2:ReleaseAddress")
			},
		},
		associationType: {
			read: func(a *asking) { a.everywhere("ec2:DescribeAddresses") },
			create: func(a *asking) {
				a.associates("ec2:AssociateAddress", a.outputs)
				a.on(a.ec2("instance", Text(a.inputs, "instanceId")), "ec2:AssociateAddress")
			},
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeAddresses")
				a.associates("ec2:DisassociateAddress", a.old.Outputs)
			},
		},
	}
}

// associates asks for an action on an Elastic IP address and the network interface that has it.
func (a *asking) associates(action string, of map[string]any) {
	a.on(a.ec2("elastic-ip", Text(of, "allocationId")), action)
	a.on(a.ec2("network-interface", Text(of, "networkInterfaceId")), action)
}

// runsInstance asks for a new instance: AWS checks everything that it is made of. The provider's releases differ in how the
// root volume gets its tags: the default ones with it, or all of them by a second call, of which the provider only logs that it
// was refused. Both are asked for.
func (a *asking) runsInstance() {
	a.makes("RunInstances", "instance", Object(a.outputs, "tagsAll"), map[string][]string{"ec2:InstanceType": {Text(a.inputs, "instanceType")}})
	a.on(a.ec2("image", Text(a.inputs, "ami")), "ec2:RunInstances")
	a.on(a.ec2("subnet", Text(a.inputs, "subnetId")), "ec2:RunInstances")
	for _, group := range Texts(a.inputs, "vpcSecurityGroupIds") {
		a.on(a.ec2("security-group", group), "ec2:RunInstances")
	}
	a.ask(a.ec2("network-interface", "*"), nil, "ec2:RunInstances")
	a.makes("RunInstances", "volume", a.defaultTags, nil)
	a.everywhere("ec2:DescribeImages")
	a.passesProfile()
	if check, said := a.inputs["sourceDestCheck"].(bool); said && !check {
		a.on(a.itself("instance"), "ec2:ModifyInstanceAttribute")
	}
	root := Object(a.outputs, "rootBlockDevice")
	if tags := Object(root, "tags"); len(tags) > 0 {
		a.list = append(a.list, need{Request{"ec2:CreateTags", a.ec2("volume", Text(root, "volumeId")), tagged(tags)}, func() { delete(root, "tags") }})
	}
}

// passesProfile asks to give an instance the role of its profile.
func (a *asking) passesProfile() {
	if profile := a.account.get(profileType, Text(a.inputs, "iamInstanceProfile")); profile != nil {
		a.passesRole(Text(profile.Outputs, "role"), "ec2.amazonaws.com")
	}
}

func (a *asking) changesInstance() {
	instance := a.itself("instance")
	if a.changed("instanceType") {
		a.on(instance, "ec2:StopInstances", "ec2:ModifyInstanceAttribute", "ec2:StartInstances")
	}
	if a.changed("disableApiTermination", "disableApiStop", "instanceInitiatedShutdownBehavior", "ebsOptimized", "sourceDestCheck") {
		a.on(instance, "ec2:ModifyInstanceAttribute")
	}
	if a.changed("metadataOptions") {
		a.on(instance, "ec2:ModifyInstanceMetadataOptions")
	}
	if a.changed("creditSpecification") {
		a.on(instance, "ec2:ModifyInstanceCreditSpecification")
	}
	if a.changed("monitoring") {
		action := "ec2:UnmonitorInstances"
		if Truth(a.inputs, "monitoring") {
			action = "ec2:MonitorInstances"
		}
		a.on(instance, action)
	}
	if a.changed("vpcSecurityGroupIds") {
		a.on(a.ec2("network-interface", Text(a.old.Outputs, "primaryNetworkInterfaceId")), "ec2:ModifyNetworkInterfaceAttribute")
		for _, group := range Texts(a.inputs, "vpcSecurityGroupIds") {
			a.on(a.ec2("security-group", group), "ec2:ModifyNetworkInterfaceAttribute")
		}
	}
	if a.changed("iamInstanceProfile") {
		a.changesProfile()
	}
	a.changesRoot()
	a.retagsItself(instance, "ec2:CreateTags", "ec2:DeleteTags")
}

func (a *asking) changesProfile() {
	instance, action := a.itself("instance"), "ec2:ReplaceIamInstanceProfileAssociation"
	a.everywhere("ec2:DescribeIamInstanceProfileAssociations")
	switch {
	case Text(a.inputs, "iamInstanceProfile") == "":
		a.on(instance, "ec2:DisassociateIamInstanceProfile")
		return
	case Text(a.old.Inputs, "iamInstanceProfile") == "":
		action = "ec2:AssociateIamInstanceProfile"
	}
	a.on(instance, action)
	a.passesProfile()
}

// changesRoot asks for changes of the root volume, whose tags are compared with what it really has.
func (a *asking) changesRoot() {
	had, wanted := Object(a.old.Outputs, "rootBlockDevice"), Object(a.outputs, "rootBlockDevice")
	volume := a.ec2("volume", Text(had, "volumeId"))
	differs := func(properties ...string) bool {
		for _, property := range properties {
			if had[property] != wanted[property] {
				return true
			}
		}
		return false
	}
	if differs("volumeSize", "volumeType", "iops", "throughput") {
		a.on(volume, "ec2:ModifyVolume")
		a.everywhere("ec2:DescribeVolumesModifications")
	}
	if differs("deleteOnTermination") {
		a.on(a.itself("instance"), "ec2:ModifyInstanceAttribute")
	}
	a.retags(volume, "ec2:CreateTags", "ec2:DeleteTags", Object(had, "tags"), Object(wanted, "tags"))
}

// rootVolume gives an instance's root volume its id, which it keeps.
func (c *call) rootVolume() {
	root := map[string]any{}
	maps.Copy(root, Object(c.inputs, "rootBlockDevice"))
	root["volumeId"] = newID("vol")
	if c.old != nil {
		root["volumeId"] = cmp.Or(Text(Object(c.old.Outputs, "rootBlockDevice"), "volumeId"), newID("vol"))
	}
	c.outputs["rootBlockDevice"] = root
}

// compares decides on the requests of a comparison, and puts into the old inputs what the account has otherwise: the tags
// of a root volume, which are missing where AWS refused them.
func (p *Provider) compares(ctx context.Context, request *pulumirpc.DiffRequest, olds, news resource.PropertyMap) error {
	name, kind, err := kindOf(request.GetUrn())
	if err != nil || string(name.Type()) != instanceType {
		return err
	}
	size := func(inputs resource.PropertyMap) map[string]any {
		return map[string]any{"instanceType": inputs["instanceType"].V}
	}
	c := &call{kind: kind, typ: instanceType, id: request.GetId(), region: p.regionOf(ctx), old: &Resource{Inputs: size(olds)}, inputs: size(news)}
	if err := p.authorize("diff", c); err != nil {
		return err
	}
	old, err := provider.Unmarshal("olds", request.GetOlds())
	if err != nil || !old["rootBlockDevice"].IsObject() || !olds["rootBlockDevice"].IsObject() {
		return err
	}
	root := olds["rootBlockDevice"].ObjectValue().Copy()
	if tags, has := old["rootBlockDevice"].ObjectValue()["tags"]; has {
		root["tags"] = tags
	} else {
		delete(root, "tags")
	}
	olds["rootBlockDevice"] = resource.NewProperty(root)
	return nil
}
