package ec2

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// LaunchTemplate is what an instance of a group is made of.
type LaunchTemplate struct{ pulumi.CustomResourceState }

// LaunchTemplateArgs are a LaunchTemplate's inputs.
type LaunchTemplateArgs struct {
	Description          pulumi.StringInput                     `pulumi:"description"`
	ImageId              pulumi.StringInput                     `pulumi:"imageId"`
	InstanceType         pulumi.StringInput                     `pulumi:"instanceType"`
	VpcSecurityGroupIds  pulumi.StringArrayInput                `pulumi:"vpcSecurityGroupIds"`
	MetadataOptions      LaunchTemplateMetadataOptionsArgs      `pulumi:"metadataOptions"`
	CreditSpecification  LaunchTemplateCreditSpecificationArgs  `pulumi:"creditSpecification"`
	BlockDeviceMappings  []LaunchTemplateBlockDeviceMappingArgs `pulumi:"blockDeviceMappings"`
	UserData             pulumi.StringInput                     `pulumi:"userData"`
	TagSpecifications    []LaunchTemplateTagSpecificationArgs   `pulumi:"tagSpecifications"`
	UpdateDefaultVersion pulumi.BoolInput                       `pulumi:"updateDefaultVersion"`
	Tags                 pulumi.StringMapInput                  `pulumi:"tags"`
}

// LaunchTemplateMetadataOptionsArgs are those of an instance's metadata service.
type LaunchTemplateMetadataOptionsArgs struct {
	HttpEndpoint            pulumi.StringInput `pulumi:"httpEndpoint"`
	HttpTokens              pulumi.StringInput `pulumi:"httpTokens"`
	HttpPutResponseHopLimit pulumi.IntInput    `pulumi:"httpPutResponseHopLimit"`
}

// LaunchTemplateCreditSpecificationArgs are those of its processors' credits.
type LaunchTemplateCreditSpecificationArgs struct {
	CpuCredits pulumi.StringInput `pulumi:"cpuCredits"`
}

// LaunchTemplateBlockDeviceMappingArgs are those of one of its volumes.
type LaunchTemplateBlockDeviceMappingArgs struct {
	DeviceName pulumi.StringInput                      `pulumi:"deviceName"`
	Ebs        LaunchTemplateBlockDeviceMappingEbsArgs `pulumi:"ebs"`
}

// LaunchTemplateBlockDeviceMappingEbsArgs describe the volume. EC2's launch templates have texts where instances have booleans.
type LaunchTemplateBlockDeviceMappingEbsArgs struct {
	VolumeType          pulumi.StringInput `pulumi:"volumeType"`
	VolumeSize          pulumi.IntInput    `pulumi:"volumeSize"`
	Encrypted           pulumi.StringInput `pulumi:"encrypted"`
	DeleteOnTermination pulumi.StringInput `pulumi:"deleteOnTermination"`
}

// LaunchTemplateTagSpecificationArgs are the tags of one kind of resource that is made with an instance.
type LaunchTemplateTagSpecificationArgs struct {
	ResourceType pulumi.StringInput    `pulumi:"resourceType"`
	Tags         pulumi.StringMapInput `pulumi:"tags"`
}

// NewLaunchTemplate declares a LaunchTemplate.
func NewLaunchTemplate(ctx *pulumi.Context, name string, args *LaunchTemplateArgs, opts ...pulumi.ResourceOption) (*LaunchTemplate, error) {
	return Register(ctx, "aws:ec2/launchTemplate:LaunchTemplate", name, args, &LaunchTemplate{}, opts)
}
