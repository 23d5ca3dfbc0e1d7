package aws

import (
	"slices"
	"strings"

	"berth/internal/instance"
)

const (
	instanceType    = "aws:ec2/instance:Instance"
	addressType     = "aws:ec2/eip:Eip"
	associationType = "aws:ec2/eipAssociation:EipAssociation"
	// tagType is one tag on a resource that another made.
	tagType = "aws:ec2/tag:Tag"

	// AMI is the newest Debian 13 of the account's world, OtherAMI an older one.
	AMI      = "ami-0123456789abcdef0"
	OtherAMI = "ami-0fedcba9876543210"

	// Quotas of a new account. Source: EC2 User Guide, "Service quotas".
	addressLimit, vcpuLimit = 5, 16
	// userDataLimit is in bytes, before base64. Source: EC2 User Guide, "Instance user data".
	userDataLimit = 16384
)

// VCPUs of an instance type, 0 for one that the account does not know.
func VCPUs(name string) int {
	known, _ := instance.Lookup(name)
	return known.VCPUs
}

func computeKinds() map[string]*kind {
	return map[string]*kind{
		instanceType:    {operation: "RunInstances", invalid: "InvalidParameterValue", world: true, create: createInstance, update: updateInstance, remove: removeInstance},
		addressType:     {operation: "AllocateAddress", invalid: "InvalidParameterValue", create: createAddress, remove: removeAddress},
		associationType: {world: true, create: createAssociation, remove: removeAssociation},
		tagType:         {operation: "CreateTags", invalid: "InvalidParameterValue", create: createTag},
	}
}

// createTag puts a tag on a network interface, the one kind of resource whose maker the provider gives no tags.
func createTag(c *call) error {
	resource := Text(c.inputs, "resourceId")
	if len(c.account.users(instanceType, "primaryNetworkInterfaceId", resource)) == 0 {
		return apiError("CreateTags", "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist", resource)
	}
	c.id = resource + "," + Text(c.inputs, "key")
	return nil
}

func createInstance(c *call) error {
	const operation = "RunInstances"
	if ami := Text(c.inputs, "ami"); ami != AMI && ami != OtherAMI {
		return apiError(operation, "InvalidAMIID.NotFound", "The image id '[%s]' does not exist", ami)
	}
	subnet, err := c.find(operation, subnetType, Text(c.inputs, "subnetId"), "InvalidSubnetID.NotFound")
	if err != nil {
		return err
	}
	if err := c.checkInstance(operation, subnet); err != nil {
		return err
	}
	c.id = newID("i")
	c.outputs["arn"] = c.arn("ec2", c.region, "instance/"+c.id)
	c.outputs["availabilityZone"], c.outputs["instanceState"] = Text(subnet.Outputs, "availabilityZone"), "running"
	c.outputs["primaryNetworkInterfaceId"] = newID("eni")
	c.rootVolume()
	c.outputs["privateIp"] = c.account.nextPrivate(subnet)
	defaulted(c.outputs, "ipv6Addresses", []any{})
	c.outputs["publicIp"] = ""
	if associate, said := c.inputs["associatePublicIpAddress"].(bool); associate || !said && Truth(subnet.Outputs, "mapPublicIpOnLaunch") {
		c.outputs["publicIp"] = c.account.freeAddress(128, 254)
	}
	automatic := Truth(subnet.Outputs, "assignIpv6AddressOnCreation") && len(Texts(c.inputs, "ipv6Addresses")) == 0
	if count, said := c.inputs["ipv6AddressCount"].(float64); count > 0 || automatic && !said {
		c.outputs["ipv6Addresses"] = anys(c.account.nextIPv6(subnet))
	}
	return nil
}

func updateInstance(c *call) error {
	subnet, err := c.find("ModifyInstanceAttribute", subnetType, Text(c.inputs, "subnetId"), "InvalidSubnetID.NotFound")
	if err != nil {
		return err
	}
	c.rootVolume()
	return c.checkInstance("ModifyInstanceAttribute", subnet)
}

// checkInstance keeps the rules that hold for a new and for a changed instance.
func (c *call) checkInstance(operation string, subnet *Resource) error {
	size := VCPUs(Text(c.inputs, "instanceType"))
	if size == 0 {
		return apiError(operation, "InvalidParameterValue", "Invalid value '%s' for InstanceType.", Text(c.inputs, "instanceType"))
	}
	used := size
	for _, other := range c.account.OfType(instanceType) {
		if other.ID != c.id {
			used += VCPUs(Text(other.Outputs, "instanceType"))
		}
	}
	if used > vcpuLimit {
		return apiError(operation, "VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of %d allows for the instance bucket that the specified instance type belongs to.", vcpuLimit)
	}
	for _, group := range Texts(c.inputs, "vpcSecurityGroupIds") {
		found, err := c.find(operation, securityGroupType, group, "InvalidGroup.NotFound")
		if err != nil {
			return err
		}
		if Text(found.Outputs, "vpcId") != Text(subnet.Outputs, "vpcId") {
			return apiError(operation, "InvalidParameter", "Security group %s and subnet %s belong to different networks.", group, subnet.ID)
		}
	}
	if profile := Text(c.inputs, "iamInstanceProfile"); profile != "" {
		if c.account.get(profileType, profile) == nil {
			return apiError(operation, "InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", profile)
		}
	}
	wanted := Texts(c.inputs, "ipv6Addresses")
	if (len(wanted) > 0 || Number(c.inputs, "ipv6AddressCount") > 0) && Text(subnet.Outputs, "ipv6CidrBlock") == "" {
		return apiError(operation, "InvalidParameterValue", "The subnet '%s' has no IPv6 CIDR block.", subnet.ID)
	}
	for _, other := range c.account.users(instanceType, "subnetId", subnet.ID) {
		for _, address := range wanted {
			if other.ID != c.id && slices.Contains(Texts(other.Outputs, "ipv6Addresses"), address) {
				return apiError(operation, "InvalidIPAddress.InUse", "Address %s is in use.", address)
			}
		}
	}
	return nil
}

// removeInstance takes the attachments and the association with it, as a terminated instance does.
func removeInstance(c *call) error {
	if Truth(c.old.Outputs, "disableApiTermination") {
		return apiError("TerminateInstances", "OperationNotPermitted", "The instance '%s' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", c.id)
	}
	c.account.untie(c.id)
	return nil
}

// untie removes what ends with an instance: its volumes' attachments, its address's association, its registration as a
// target.
func (a *Account) untie(instance string) {
	for typ, property := range map[string]string{attachmentType: "instanceId", associationType: "instanceId", TargetAttachmentType: "targetId"} {
		for _, tie := range a.users(typ, property, instance) {
			a.remove(tie)
		}
	}
}

// freeAddress is an unused public address that ends in first to last, and is none of those that are taken.
func (a *Account) freeAddress(first, last int, taken ...string) string {
	for _, typ := range []string{addressType, instanceType} {
		for _, resource := range a.OfType(typ) {
			taken = append(taken, Text(resource.Outputs, "publicIp"))
		}
	}
	for _, balancer := range a.OfType(LoadBalancerType) {
		taken = append(taken, Texts(balancer.Outputs, "ipv4Addresses")...)
	}
	for end := first; end <= last; end++ {
		if address := a.Internet.Address(end); !slices.Contains(taken, address) {
			return address
		}
	}
	return ""
}

func createAddress(c *call) error {
	if len(c.account.OfType(addressType)) >= addressLimit {
		return apiError("AllocateAddress", "AddressLimitExceeded", "The maximum number of addresses has been reached.")
	}
	c.id = newID("eipalloc")
	address := c.account.freeAddress(16, 127)
	c.outputs["allocationId"], c.outputs["publicIp"] = c.id, address
	c.outputs["arn"] = c.arn("ec2", c.region, "elastic-ip/"+c.id)
	c.outputs["publicDns"] = "ec2-" + strings.ReplaceAll(address, ".", "-") + "." + c.region + ".compute.amazonaws.com"
	defaulted(c.outputs, "domain", "vpc")
	return nil
}

func removeAddress(c *call) error {
	if len(c.account.users(associationType, "allocationId", c.id)) > 0 {
		return apiError("ReleaseAddress", "InvalidIPAddress.InUse", "Address %s is in use.", Text(c.old.Outputs, "publicIp"))
	}
	return nil
}

func createAssociation(c *call) error {
	const operation = "AssociateAddress"
	address, err := c.find(operation, addressType, Text(c.inputs, "allocationId"), "InvalidAllocationID.NotFound")
	if err != nil {
		return err
	}
	instance, err := c.find(operation, instanceType, Text(c.inputs, "instanceId"), "InvalidInstanceID.NotFound")
	if err != nil {
		return err
	}
	if len(c.account.users(gatewayType, "vpcId", c.account.vpcOf(instance))) == 0 {
		return apiError(operation, "Gateway.NotAttached", "Network %s is not attached to any internet gateway", c.account.vpcOf(instance))
	}
	if !Truth(c.inputs, "allowReassociation") && len(c.account.users(associationType, "allocationId", address.ID)) > 0 {
		return apiError(operation, "Resource.AlreadyAssociated", "resource %s is already associated with another resource", address.ID)
	}
	// An address that the instance has already is taken from it.
	for _, other := range c.account.users(associationType, "instanceId", instance.ID) {
		c.account.remove(other)
	}
	c.id = newID("eipassoc")
	c.outputs["publicIp"] = Text(address.Outputs, "publicIp")
	c.outputs["networkInterfaceId"], c.outputs["privateIpAddress"] = instance.Outputs["primaryNetworkInterfaceId"], instance.Outputs["privateIp"]
	// The automatic address goes back to Amazon's pool.
	instance.Outputs["publicIp"] = Text(address.Outputs, "publicIp")
	return nil
}

func removeAssociation(c *call) error {
	if instance := c.account.get(instanceType, Text(c.old.Outputs, "instanceId")); instance != nil {
		instance.Outputs["publicIp"] = ""
	}
	return nil
}
