package ec2

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// Instance is a virtual machine.
type Instance struct {
	pulumi.CustomResourceState

	Ipv6Addresses             pulumi.StringArrayOutput `pulumi:"ipv6Addresses"`
	PrimaryNetworkInterfaceId pulumi.StringOutput      `pulumi:"primaryNetworkInterfaceId"`
}

// InstanceArgs are an Instance's inputs.
type InstanceArgs struct {
	Ami                     pulumi.StringInput              `pulumi:"ami"`
	InstanceType            pulumi.StringInput              `pulumi:"instanceType"`
	SubnetId                pulumi.StringInput              `pulumi:"subnetId"`
	Ipv6AddressCount        pulumi.IntInput                 `pulumi:"ipv6AddressCount"`
	Ipv6Addresses           pulumi.StringArrayInput         `pulumi:"ipv6Addresses"`
	VpcSecurityGroupIds     pulumi.StringArrayInput         `pulumi:"vpcSecurityGroupIds"`
	SourceDestCheck         pulumi.BoolInput                `pulumi:"sourceDestCheck"`
	IamInstanceProfile      pulumi.StringInput              `pulumi:"iamInstanceProfile"`
	MetadataOptions         InstanceMetadataOptionsArgs     `pulumi:"metadataOptions"`
	CreditSpecification     InstanceCreditSpecificationArgs `pulumi:"creditSpecification"`
	RootBlockDevice         InstanceRootBlockDeviceArgs     `pulumi:"rootBlockDevice"`
	Monitoring              pulumi.BoolInput                `pulumi:"monitoring"`
	UserData                pulumi.StringInput              `pulumi:"userData"`
	UserDataReplaceOnChange pulumi.BoolInput                `pulumi:"userDataReplaceOnChange"`
	Tags                    pulumi.StringMapInput           `pulumi:"tags"`
}

// InstanceMetadataOptionsArgs are those of its metadata service.
type InstanceMetadataOptionsArgs struct {
	HttpEndpoint            pulumi.StringInput `pulumi:"httpEndpoint"`
	HttpTokens              pulumi.StringInput `pulumi:"httpTokens"`
	HttpPutResponseHopLimit pulumi.IntInput    `pulumi:"httpPutResponseHopLimit"`
}

// InstanceCreditSpecificationArgs are those of its processors' credits.
type InstanceCreditSpecificationArgs struct {
	CpuCredits pulumi.StringInput `pulumi:"cpuCredits"`
}

// InstanceRootBlockDeviceArgs are those of its root volume.
type InstanceRootBlockDeviceArgs struct {
	VolumeType          pulumi.StringInput    `pulumi:"volumeType"`
	VolumeSize          pulumi.IntInput       `pulumi:"volumeSize"`
	Encrypted           pulumi.BoolInput      `pulumi:"encrypted"`
	DeleteOnTermination pulumi.BoolInput      `pulumi:"deleteOnTermination"`
	Tags                pulumi.StringMapInput `pulumi:"tags"`
}

// NewInstance declares an Instance.
func NewInstance(ctx *pulumi.Context, name string, args *InstanceArgs, opts ...pulumi.ResourceOption) (*Instance, error) {
	return Register(ctx, "aws:ec2/instance:Instance", name, args, &Instance{}, opts)
}

// VolumeAttachment ties a volume to an instance.
type VolumeAttachment struct{ pulumi.CustomResourceState }

// VolumeAttachmentArgs are a VolumeAttachment's inputs.
type VolumeAttachmentArgs struct {
	InstanceId                  pulumi.StringInput `pulumi:"instanceId"`
	VolumeId                    pulumi.StringInput `pulumi:"volumeId"`
	DeviceName                  pulumi.StringInput `pulumi:"deviceName"`
	StopInstanceBeforeDetaching pulumi.BoolInput   `pulumi:"stopInstanceBeforeDetaching"`
}

// NewVolumeAttachment declares a VolumeAttachment.
func NewVolumeAttachment(ctx *pulumi.Context, name string, args *VolumeAttachmentArgs, opts ...pulumi.ResourceOption) (*VolumeAttachment, error) {
	return Register(ctx, "aws:ec2/volumeAttachment:VolumeAttachment", name, args, &VolumeAttachment{}, opts)
}

// Eip is an Elastic IP address.
type Eip struct {
	pulumi.CustomResourceState

	AllocationId pulumi.StringOutput `pulumi:"allocationId"`
	PublicIp     pulumi.StringOutput `pulumi:"publicIp"`
}

// EipArgs are an Eip's inputs.
type EipArgs struct {
	Domain pulumi.StringInput    `pulumi:"domain"`
	Tags   pulumi.StringMapInput `pulumi:"tags"`
}

// NewEip declares an Eip.
func NewEip(ctx *pulumi.Context, name string, args *EipArgs, opts ...pulumi.ResourceOption) (*Eip, error) {
	return Register(ctx, "aws:ec2/eip:Eip", name, args, &Eip{}, opts)
}

// EipAssociation ties an Elastic IP address to an instance.
type EipAssociation struct{ pulumi.CustomResourceState }

// EipAssociationArgs are an EipAssociation's inputs.
type EipAssociationArgs struct {
	InstanceId   pulumi.StringInput `pulumi:"instanceId"`
	AllocationId pulumi.StringInput `pulumi:"allocationId"`
}

// NewEipAssociation declares an EipAssociation.
func NewEipAssociation(ctx *pulumi.Context, name string, args *EipAssociationArgs, opts ...pulumi.ResourceOption) (*EipAssociation, error) {
	return Register(ctx, "aws:ec2/eipAssociation:EipAssociation", name, args, &EipAssociation{}, opts)
}

// Tag is one tag of a resource that something else made.
type Tag struct{ pulumi.CustomResourceState }

// TagArgs are a Tag's inputs.
type TagArgs struct {
	ResourceId pulumi.StringInput `pulumi:"resourceId"`
	Key        pulumi.StringInput `pulumi:"key"`
	Value      pulumi.StringInput `pulumi:"value"`
}

// NewTag declares a Tag.
func NewTag(ctx *pulumi.Context, name string, args *TagArgs, opts ...pulumi.ResourceOption) (*Tag, error) {
	return Register(ctx, "aws:ec2/tag:Tag", name, args, &Tag{}, opts)
}
