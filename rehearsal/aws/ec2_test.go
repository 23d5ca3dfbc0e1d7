package aws

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/autoscaling"
	sdk "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	sdkrds "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/infra/ec2"
	"berth/infra/elb"
	"berth/infra/rds"
)

// What infra/ec2, infra/elb and infra/rds declare in place of the SDK's packages has the SDK's names and types.
func TestInfraIsAsTheSDKHasIt(t *testing.T) {
	for _, args := range [][2]any{
		{ec2.VpcArgs{}, sdk.VpcArgs{}}, {ec2.SubnetArgs{}, sdk.SubnetArgs{}}, {ec2.InternetGatewayArgs{}, sdk.InternetGatewayArgs{}},
		{ec2.RouteTableArgs{}, sdk.RouteTableArgs{}}, {ec2.RouteArgs{}, sdk.RouteArgs{}}, {ec2.RouteTableAssociationArgs{}, sdk.RouteTableAssociationArgs{}},
		{ec2.SecurityGroupArgs{}, sdk.SecurityGroupArgs{}}, {ec2.InstanceArgs{}, sdk.InstanceArgs{}}, {ec2.VolumeAttachmentArgs{}, sdk.VolumeAttachmentArgs{}},
		{ec2.EipArgs{}, sdk.EipArgs{}}, {ec2.EipAssociationArgs{}, sdk.EipAssociationArgs{}}, {ec2.TagArgs{}, sdk.TagArgs{}},
		{ec2.LaunchTemplateArgs{}, sdk.LaunchTemplateArgs{}},
		{elb.LoadBalancerArgs{}, lb.LoadBalancerArgs{}}, {elb.TargetGroupArgs{}, lb.TargetGroupArgs{}}, {elb.TargetGroupAttachmentArgs{}, lb.TargetGroupAttachmentArgs{}},
		{elb.ListenerArgs{}, lb.ListenerArgs{}}, {elb.ListenerRuleArgs{}, lb.ListenerRuleArgs{}},
		{elb.GroupArgs{}, autoscaling.GroupArgs{}}, {elb.PolicyArgs{}, autoscaling.PolicyArgs{}},
		{rds.SubnetGroupArgs{}, sdkrds.SubnetGroupArgs{}}, {rds.InstanceArgs{}, sdkrds.InstanceArgs{}},
		{elb.CertificateArgs{}, acm.CertificateArgs{}}, {elb.CertificateValidationArgs{}, acm.CertificateValidationArgs{}},
	} {
		for _, wrong := range differences(reflect.TypeOf(args[0]), args[1].(interface{ ElementType() reflect.Type }).ElementType()) {
			t.Errorf("%T: %s", args[0], wrong)
		}
	}
	for _, same := range [][2]any{
		{ec2.Vpc{}, sdk.Vpc{}}, {ec2.Subnet{}, sdk.Subnet{}}, {ec2.Instance{}, sdk.Instance{}}, {ec2.Eip{}, sdk.Eip{}},
		{elb.LoadBalancer{}, lb.LoadBalancer{}}, {elb.TargetGroup{}, lb.TargetGroup{}}, {elb.Listener{}, lb.Listener{}}, {elb.Group{}, autoscaling.Group{}},
		{rds.SubnetGroup{}, sdkrds.SubnetGroup{}}, {rds.Instance{}, sdkrds.Instance{}},
		{elb.CertificateValidation{}, acm.CertificateValidation{}},
		{ec2.LookupSubnetArgs{}, sdk.LookupSubnetArgs{}}, {ec2.LookupSubnetResult{}, sdk.LookupSubnetResult{}},
	} {
		own, theirs := reflect.TypeOf(same[0]), reflect.TypeOf(same[1])
		for i := range own.NumField() {
			field, ok := theirs.FieldByName(own.Field(i).Name)
			require.True(t, ok, "%s.%s", own, own.Field(i).Name)
			assert.Equal(t, field.Type, own.Field(i).Type, "%s.%s", own, field.Name)
			assert.Equal(t, field.Tag, own.Field(i).Tag, "%s.%s", own, field.Name)
		}
	}
}

// A name, a type or an object that the SDK does not have is found.
func TestADifferenceFromTheSDKIsFound(t *testing.T) {
	type block struct {
		HttpToken pulumi.StringInput `pulumi:"httpToken"`
	}
	type wrong struct {
		Ami             pulumi.IntInput    `pulumi:"ami"`
		InstanceTypes   pulumi.StringInput `pulumi:"instanceTypes"`
		MetadataOptions block              `pulumi:"metadataOptions"`
		EbsBlockDevices []block            `pulumi:"ebsBlockDevices"`
	}
	assert.Equal(t, []string{"ami is a string in the SDK, not a int", "the SDK has no instanceTypes", "metadataOptions: the SDK has no httpToken", "ebsBlockDevices: the SDK has no httpToken"},
		differences(reflect.TypeFor[wrong](), sdk.InstanceArgs{}.ElementType()))
}

// differences are what the inputs of a type of infra/ec2 or infra/elb have unlike the SDK's.
func differences(own, theirs reflect.Type) (wrong []string) {
	fields := map[string]reflect.Type{}
	for i := range theirs.NumField() {
		fields[theirs.Field(i).Tag.Get("pulumi")] = target(theirs.Field(i).Type)
	}
	values := map[reflect.Type]reflect.Type{
		reflect.TypeFor[pulumi.StringInput](): reflect.TypeFor[string](), reflect.TypeFor[pulumi.BoolInput](): reflect.TypeFor[bool](),
		reflect.TypeFor[pulumi.IntInput](): reflect.TypeFor[int](), reflect.TypeFor[pulumi.StringMapInput](): reflect.TypeFor[map[string]string](),
		reflect.TypeFor[pulumi.StringArrayInput](): reflect.TypeFor[[]string](), reflect.TypeFor[pulumi.Float64Input](): reflect.TypeFor[float64](),
	}
	for i := range own.NumField() {
		name, kind := own.Field(i).Tag.Get("pulumi"), own.Field(i).Type
		field, ok := fields[name]
		switch {
		case !ok:
			wrong = append(wrong, "the SDK has no "+name)
		case kind.Kind() == reflect.Slice && field.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct && field.Elem().Kind() == reflect.Struct:
			for _, inside := range differences(kind.Elem(), field.Elem()) {
				wrong = append(wrong, name+": "+inside)
			}
		case kind.Kind() == reflect.Struct && field.Kind() == reflect.Struct:
			for _, inside := range differences(kind, field) {
				wrong = append(wrong, name+": "+inside)
			}
		case field.Kind() != reflect.Interface && values[kind] != field:
			wrong = append(wrong, fmt.Sprintf("%s is a %v in the SDK, not a %v", name, field, values[kind]))
		}
	}
	return wrong
}
