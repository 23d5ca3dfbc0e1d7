package elb

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/ec2"
)

// Group is a group of servers that EC2 Auto Scaling starts, replaces and ends.
type Group struct {
	pulumi.CustomResourceState

	Arn  pulumi.StringOutput `pulumi:"arn"`
	Name pulumi.StringOutput `pulumi:"name"`
}

// GroupArgs are a Group's inputs.
type GroupArgs struct {
	Name                   pulumi.StringInput              `pulumi:"name"`
	MinSize                pulumi.IntInput                 `pulumi:"minSize"`
	MaxSize                pulumi.IntInput                 `pulumi:"maxSize"`
	LaunchTemplate         GroupLaunchTemplateArgs         `pulumi:"launchTemplate"`
	VpcZoneIdentifiers     pulumi.StringArrayInput         `pulumi:"vpcZoneIdentifiers"`
	TargetGroupArns        pulumi.StringArrayInput         `pulumi:"targetGroupArns"`
	HealthCheckType        pulumi.StringInput              `pulumi:"healthCheckType"`
	HealthCheckGracePeriod pulumi.IntInput                 `pulumi:"healthCheckGracePeriod"`
	InitialLifecycleHooks  []GroupInitialLifecycleHookArgs `pulumi:"initialLifecycleHooks"`
	WaitForCapacityTimeout pulumi.StringInput              `pulumi:"waitForCapacityTimeout"`
	ForceDelete            pulumi.BoolInput                `pulumi:"forceDelete"`
	EnabledMetrics         pulumi.StringArrayInput         `pulumi:"enabledMetrics"`
	Tags                   []GroupTagArgs                  `pulumi:"tags"`
}

// GroupLaunchTemplateArgs are what its servers are made of.
type GroupLaunchTemplateArgs struct {
	Id      pulumi.StringInput `pulumi:"id"`
	Version pulumi.StringInput `pulumi:"version"`
}

// GroupInitialLifecycleHookArgs are where Auto Scaling waits for somebody.
type GroupInitialLifecycleHookArgs struct {
	Name                pulumi.StringInput `pulumi:"name"`
	LifecycleTransition pulumi.StringInput `pulumi:"lifecycleTransition"`
	HeartbeatTimeout    pulumi.IntInput    `pulumi:"heartbeatTimeout"`
	DefaultResult       pulumi.StringInput `pulumi:"defaultResult"`
}

// GroupTagArgs are a tag of the group and, if it is propagated, of each of its servers.
type GroupTagArgs struct {
	Key               pulumi.StringInput `pulumi:"key"`
	Value             pulumi.StringInput `pulumi:"value"`
	PropagateAtLaunch pulumi.BoolInput   `pulumi:"propagateAtLaunch"`
}

// NewGroup declares a Group.
func NewGroup(ctx *pulumi.Context, name string, args *GroupArgs, opts ...pulumi.ResourceOption) (*Group, error) {
	return ec2.Register(ctx, "aws:autoscaling/group:Group", name, args, &Group{}, opts)
}

// Policy says how many servers a group has between its limits.
type Policy struct{ pulumi.CustomResourceState }

// PolicyArgs are a Policy's inputs.
type PolicyArgs struct {
	AutoscalingGroupName        pulumi.StringInput                    `pulumi:"autoscalingGroupName"`
	PolicyType                  pulumi.StringInput                    `pulumi:"policyType"`
	TargetTrackingConfiguration PolicyTargetTrackingConfigurationArgs `pulumi:"targetTrackingConfiguration"`
}

// PolicyTargetTrackingConfigurationArgs are the value that it keeps a metric at.
type PolicyTargetTrackingConfigurationArgs struct {
	PredefinedMetricSpecification PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs `pulumi:"predefinedMetricSpecification"`
	TargetValue                   pulumi.Float64Input                                                `pulumi:"targetValue"`
}

// PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs are which metric.
type PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs struct {
	PredefinedMetricType pulumi.StringInput `pulumi:"predefinedMetricType"`
}

// NewPolicy declares a Policy.
func NewPolicy(ctx *pulumi.Context, name string, args *PolicyArgs, opts ...pulumi.ResourceOption) (*Policy, error) {
	return ec2.Register(ctx, "aws:autoscaling/policy:Policy", name, args, &Policy{}, opts)
}
