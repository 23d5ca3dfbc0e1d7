// Package elb declares what several servers take beside Amazon EC2: a load balancer with its certificate, and a group of servers that
// EC2 Auto Scaling keeps. As berth/infra/ec2 does, it stands in for packages of pulumi-aws (acm, autoscaling and lb) that are large to
// compile: here are the inputs and outputs that Berth uses, by the SDK's names.
package elb

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/ec2"
)

// LoadBalancer is an Application Load Balancer.
type LoadBalancer struct {
	pulumi.CustomResourceState

	Arn pulumi.StringOutput `pulumi:"arn"`
	// ArnSuffix is its name in CloudWatch's metrics.
	ArnSuffix pulumi.StringOutput `pulumi:"arnSuffix"`
	DnsName   pulumi.StringOutput `pulumi:"dnsName"`
	ZoneId    pulumi.StringOutput `pulumi:"zoneId"`
}

// LoadBalancerArgs are a LoadBalancer's inputs.
type LoadBalancerArgs struct {
	LoadBalancerType        pulumi.StringInput         `pulumi:"loadBalancerType"`
	Internal                pulumi.BoolInput           `pulumi:"internal"`
	IpAddressType           pulumi.StringInput         `pulumi:"ipAddressType"`
	SecurityGroups          pulumi.StringArrayInput    `pulumi:"securityGroups"`
	Subnets                 pulumi.StringArrayInput    `pulumi:"subnets"`
	IdleTimeout             pulumi.IntInput            `pulumi:"idleTimeout"`
	DropInvalidHeaderFields pulumi.BoolInput           `pulumi:"dropInvalidHeaderFields"`
	AccessLogs              LoadBalancerAccessLogsArgs `pulumi:"accessLogs"`
	Tags                    pulumi.StringMapInput      `pulumi:"tags"`
}

// LoadBalancerAccessLogsArgs say into which bucket access logs go.
type LoadBalancerAccessLogsArgs struct {
	Bucket  pulumi.StringInput `pulumi:"bucket"`
	Enabled pulumi.BoolInput   `pulumi:"enabled"`
}

// NewLoadBalancer declares a LoadBalancer.
func NewLoadBalancer(ctx *pulumi.Context, name string, args *LoadBalancerArgs, opts ...pulumi.ResourceOption) (*LoadBalancer, error) {
	return ec2.Register(ctx, "aws:lb/loadBalancer:LoadBalancer", name, args, &LoadBalancer{}, opts)
}

// TargetGroup is a set of servers that a load balancer sends requests to.
type TargetGroup struct {
	pulumi.CustomResourceState

	Arn pulumi.StringOutput `pulumi:"arn"`
	// ArnSuffix is its name in CloudWatch's metrics.
	ArnSuffix pulumi.StringOutput `pulumi:"arnSuffix"`
}

// TargetGroupArgs are a TargetGroup's inputs.
type TargetGroupArgs struct {
	VpcId               pulumi.StringInput         `pulumi:"vpcId"`
	TargetType          pulumi.StringInput         `pulumi:"targetType"`
	Protocol            pulumi.StringInput         `pulumi:"protocol"`
	Port                pulumi.IntInput            `pulumi:"port"`
	DeregistrationDelay pulumi.IntInput            `pulumi:"deregistrationDelay"`
	HealthCheck         TargetGroupHealthCheckArgs `pulumi:"healthCheck"`
	Stickiness          TargetGroupStickinessArgs  `pulumi:"stickiness"`
	Tags                pulumi.StringMapInput      `pulumi:"tags"`
}

// TargetGroupHealthCheckArgs say how a server is asked whether it serves.
type TargetGroupHealthCheckArgs struct {
	Protocol           pulumi.StringInput `pulumi:"protocol"`
	Port               pulumi.StringInput `pulumi:"port"`
	Path               pulumi.StringInput `pulumi:"path"`
	Matcher            pulumi.StringInput `pulumi:"matcher"`
	Interval           pulumi.IntInput    `pulumi:"interval"`
	Timeout            pulumi.IntInput    `pulumi:"timeout"`
	HealthyThreshold   pulumi.IntInput    `pulumi:"healthyThreshold"`
	UnhealthyThreshold pulumi.IntInput    `pulumi:"unhealthyThreshold"`
}

// TargetGroupStickinessArgs say whether a visitor stays with a server.
type TargetGroupStickinessArgs struct {
	Enabled pulumi.BoolInput   `pulumi:"enabled"`
	Type    pulumi.StringInput `pulumi:"type"`
}

// NewTargetGroup declares a TargetGroup.
func NewTargetGroup(ctx *pulumi.Context, name string, args *TargetGroupArgs, opts ...pulumi.ResourceOption) (*TargetGroup, error) {
	return ec2.Register(ctx, "aws:lb/targetGroup:TargetGroup", name, args, &TargetGroup{}, opts)
}

// TargetGroupAttachment makes an instance one of a target group's.
type TargetGroupAttachment struct{ pulumi.CustomResourceState }

// TargetGroupAttachmentArgs are a TargetGroupAttachment's inputs.
type TargetGroupAttachmentArgs struct {
	TargetGroupArn pulumi.StringInput `pulumi:"targetGroupArn"`
	TargetId       pulumi.StringInput `pulumi:"targetId"`
}

// NewTargetGroupAttachment declares a TargetGroupAttachment.
func NewTargetGroupAttachment(ctx *pulumi.Context, name string, args *TargetGroupAttachmentArgs, opts ...pulumi.ResourceOption) (*TargetGroupAttachment, error) {
	return ec2.Register(ctx, "aws:lb/targetGroupAttachment:TargetGroupAttachment", name, args, &TargetGroupAttachment{}, opts)
}

// Listener is a port of a load balancer.
type Listener struct {
	pulumi.CustomResourceState

	Arn pulumi.StringOutput `pulumi:"arn"`
}

// ListenerArgs are a Listener's inputs.
type ListenerArgs struct {
	LoadBalancerArn pulumi.StringInput          `pulumi:"loadBalancerArn"`
	Protocol        pulumi.StringInput          `pulumi:"protocol"`
	Port            pulumi.IntInput             `pulumi:"port"`
	CertificateArn  pulumi.StringInput          `pulumi:"certificateArn"`
	SslPolicy       pulumi.StringInput          `pulumi:"sslPolicy"`
	DefaultActions  []ListenerDefaultActionArgs `pulumi:"defaultActions"`
	Tags            pulumi.StringMapInput       `pulumi:"tags"`
}

// ListenerDefaultActionArgs are what becomes of a request that no rule is about.
type ListenerDefaultActionArgs struct {
	Type           pulumi.StringInput                `pulumi:"type"`
	TargetGroupArn pulumi.StringInput                `pulumi:"targetGroupArn"`
	Redirect       ListenerDefaultActionRedirectArgs `pulumi:"redirect"`
}

// ListenerDefaultActionRedirectArgs are where a request is redirected.
type ListenerDefaultActionRedirectArgs struct {
	Protocol   pulumi.StringInput `pulumi:"protocol"`
	Port       pulumi.StringInput `pulumi:"port"`
	StatusCode pulumi.StringInput `pulumi:"statusCode"`
}

// NewListener declares a Listener.
func NewListener(ctx *pulumi.Context, name string, args *ListenerArgs, opts ...pulumi.ResourceOption) (*Listener, error) {
	return ec2.Register(ctx, "aws:lb/listener:Listener", name, args, &Listener{}, opts)
}

// ListenerRule is what a listener does with some requests.
type ListenerRule struct{ pulumi.CustomResourceState }

// ListenerRuleArgs are a ListenerRule's inputs.
type ListenerRuleArgs struct {
	ListenerArn pulumi.StringInput          `pulumi:"listenerArn"`
	Priority    pulumi.IntInput             `pulumi:"priority"`
	Conditions  []ListenerRuleConditionArgs `pulumi:"conditions"`
	Actions     []ListenerRuleActionArgs    `pulumi:"actions"`
	Tags        pulumi.StringMapInput       `pulumi:"tags"`
}

// ListenerRuleConditionArgs say which requests a rule is about.
type ListenerRuleConditionArgs struct {
	PathPattern ListenerRuleConditionPathPatternArgs `pulumi:"pathPattern"`
}

// ListenerRuleConditionPathPatternArgs are the paths.
type ListenerRuleConditionPathPatternArgs struct {
	Values pulumi.StringArrayInput `pulumi:"values"`
}

// ListenerRuleActionArgs are what becomes of them.
type ListenerRuleActionArgs struct {
	Type           pulumi.StringInput `pulumi:"type"`
	TargetGroupArn pulumi.StringInput `pulumi:"targetGroupArn"`
}

// NewListenerRule declares a ListenerRule.
func NewListenerRule(ctx *pulumi.Context, name string, args *ListenerRuleArgs, opts ...pulumi.ResourceOption) (*ListenerRule, error) {
	return ec2.Register(ctx, "aws:lb/listenerRule:ListenerRule", name, args, &ListenerRule{}, opts)
}
