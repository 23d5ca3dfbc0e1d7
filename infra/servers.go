package infra

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/ec2"
	"berth/infra/elb"
	"berth/internal/config"
	"berth/internal/instance"
)

const (
	// Reach is the range of the first server's network through which containers of web servers reach those that are on the first
	// server alone. It is of the range that RFC 6598 keeps for carriers, which no VPC of Berth's and no network of Docker's has.
	Reach = "100.64.20.0/24"

	// webRootSize in GiB is the size of a web server's one volume: the system, images and logs.
	webRootSize = 20

	// rootDevice is what Debian's images call the root volume. An instance needs no name of it, a launch template does.
	rootDevice = "/dev/xvda"

	// joinHook holds a new web server until the first server has it join, joinWithin seconds at most: then it is replaced.
	joinHook, joinWithin = "berth-join", 900

	// goneWithin is how long the group's servers may take to go: the longest drain there is (berth:drainWithin), and some time for the rest.
	goneWithin = "90m"

	// grace in seconds is how long a web server that has joined need not answer the load balancer.
	grace = 60
)

// Servers are the web servers beside the first server: what starts them, and what the first server may do about them.
type Servers struct {
	pulumi.ResourceState

	// GroupName is the Auto Scaling group, known when the first server may drive it and web servers reach the first one. There is none
	// before Start.
	GroupName pulumi.StringOutput
	// TargetGroupARN is the target group of the servers that take requests, BalancerName the load balancer's DNS name.
	TargetGroupARN, BalancerName pulumi.StringOutput
	// FleetPrivate, a secret, opens web servers for the first server. WebHostPublic is the host key that each of them shows.
	FleetPrivate, WebHostPublic pulumi.StringOutput
	// Listeners are the load balancer's ports and all that it takes to answer there: as long as a resolver may still name the
	// load balancer, they stay.
	Listeners []pulumi.Resource

	args     *ServersArgs
	template *ec2.LaunchTemplate
	// name is the group's: the first server is to know it before there is a group.
	name string
}

// ServersArgs are what Servers need.
type ServersArgs struct {
	// Domain is the site's, for the names in AWS's console. DefaultTags are those of every resource, for those to which they do
	// not come.
	Domain      string
	DefaultTags map[string]string
	// Servers is how many there are.
	Servers config.Servers
	// InstanceType is the size of each, Image what the first server is made of, where Newest says that it was Debian's newest.
	InstanceType, Image string
	Newest              bool
	// Keys open them.
	Keys *Keys
	// Network is where they are, SecurityGroupID who may reach them.
	Network         *Network
	SecurityGroupID pulumi.StringInput
	// Between are the rules by which they are reached.
	Between []pulumi.Resource
	// First is the first server.
	First *Server
	// Balancer is the load balancer in front of all.
	Balancer *Balancer
}

// NewServers declares the group of web servers.
func NewServers(ctx *pulumi.Context, name string, args *ServersArgs, opts ...pulumi.ResourceOption) (*Servers, error) {
	s := &Servers{
		TargetGroupARN: args.Balancer.TargetGroupARN, BalancerName: args.Balancer.DNSName,
		FleetPrivate: args.Keys.FleetPrivate, WebHostPublic: args.Keys.WebHostPublic,
		args: args, name: groupName(ctx.Project(), ctx.Stack()),
	}
	if err := ctx.RegisterComponentResource("berth:infra:Servers", name, s, opts...); err != nil {
		return nil, fmt.Errorf("declare the web servers: %w", err)
	}
	var err error
	if s.template, err = s.machine(ctx, args); err != nil {
		return nil, err
	}
	permission, err := s.permit(ctx, args)
	if err != nil {
		return nil, err
	}
	reach, err := s.reach(ctx, args)
	if err != nil {
		return nil, err
	}
	s.GroupName = pulumi.All(permission.ID(), reach.ID()).ApplyT(func([]any) string { return s.name }).(pulumi.StringOutput)
	s.Listeners = slices.Concat(args.Balancer.listeners, args.Between)
	if err := ctx.RegisterResourceOutputs(s, pulumi.Map{"groupName": s.GroupName}); err != nil {
		return nil, fmt.Errorf("register the web servers: %w", err)
	}
	return s, nil
}

// Start declares the group after the first server waits for its servers, which is when after is done. On the way back to one
// server they go before the first server takes away what they need.
func (s *Servers) Start(ctx *pulumi.Context, after []pulumi.Resource) error {
	group, err := s.group(ctx, s.args, after)
	if err != nil {
		return err
	}
	s.Listeners = append(s.Listeners, group)
	return s.scale(ctx, s.args.Servers, group)
}

// groupName is the group's in an account and a region. docs/iam lets the deployer make none whose name does not begin so.
func groupName(project, stack string) string { return "web-" + project + "-" + stack }

// machine declares what a web server is made of: a login and a host key. It has no role: what it needs comes from the first server.
func (s *Servers) machine(ctx *pulumi.Context, args *ServersArgs) (*ec2.LaunchTemplate, error) {
	opts := []pulumi.ResourceOption{pulumi.Parent(s), pulumi.AdditionalSecretOutputs([]string{"userData"})}
	if args.Newest {
		// As with the first server, a newer image is not a change.
		opts = append(opts, pulumi.IgnoreChanges([]string{"imageId"}))
	}
	machine := &ec2.LaunchTemplateArgs{
		Description:         pulumi.String("A web server of Berth's"),
		ImageId:             pulumi.String(args.Image),
		InstanceType:        pulumi.String(args.InstanceType),
		VpcSecurityGroupIds: pulumi.StringArray{args.SecurityGroupID},
		MetadataOptions: ec2.LaunchTemplateMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"),
			HttpTokens:   pulumi.String("required"),
			// One hop ends at the host: a container does not reach the host key in the user data.
			HttpPutResponseHopLimit: pulumi.Int(1),
		},
		BlockDeviceMappings: []ec2.LaunchTemplateBlockDeviceMappingArgs{{
			DeviceName: pulumi.String(rootDevice),
			Ebs: ec2.LaunchTemplateBlockDeviceMappingEbsArgs{
				VolumeType: pulumi.String("gp3"), VolumeSize: pulumi.Int(webRootSize), Encrypted: pulumi.String("true"), DeleteOnTermination: pulumi.String("true"),
			},
		}},
		UserData: webUserData(args.Keys).ApplyT(func(text string) string {
			return base64.StdEncoding.EncodeToString([]byte(text))
		}).(pulumi.StringOutput),
		UpdateDefaultVersion: pulumi.Bool(true),
		Tags:                 nameTag(webName(args.Domain)),
	}
	// Auto Scaling makes these, to which the provider's default tags do not come. docs/iam lets the deployer have no instance made
	// without them.
	for _, kind := range []string{"instance", "network-interface", "volume"} {
		machine.TagSpecifications = append(machine.TagSpecifications, ec2.LaunchTemplateTagSpecificationArgs{
			ResourceType: pulumi.String(kind), Tags: allTags(webName(args.Domain), args.DefaultTags),
		})
	}
	if instance.Burstable(args.InstanceType) {
		machine.CreditSpecification = ec2.LaunchTemplateCreditSpecificationArgs{CpuCredits: pulumi.String("unlimited")}
	}
	template, err := ec2.NewLaunchTemplate(ctx, "web", machine, opts...)
	if err != nil {
		return nil, fmt.Errorf("declare what a web server is made of: %w", err)
	}
	return template, nil
}

// group declares the Auto Scaling group. An update waits for no server of it: the provisioning step does, which sees why.
func (s *Servers) group(ctx *pulumi.Context, args *ServersArgs, after []pulumi.Resource) (*elb.Group, error) {
	var tags []elb.GroupTagArgs
	all := maps.Clone(args.DefaultTags)
	all["Name"] = webName(args.Domain)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags = append(tags, elb.GroupTagArgs{Key: pulumi.String(key), Value: pulumi.String(all[key]), PropagateAtLaunch: pulumi.Bool(true)})
	}
	group, err := elb.NewGroup(ctx, "web", &elb.GroupArgs{
		Name:    pulumi.String(s.name),
		MinSize: pulumi.Int(args.Servers.Min - 1),
		MaxSize: pulumi.Int(args.Servers.Max - 1),
		// A new version is for new servers: it replaces none.
		LaunchTemplate:         elb.GroupLaunchTemplateArgs{Id: s.template.ID().ToStringOutput(), Version: pulumi.String("$Latest")},
		VpcZoneIdentifiers:     pulumi.StringArray{args.Network.SubnetID, args.Network.secondID},
		TargetGroupArns:        pulumi.StringArray{args.Balancer.TargetGroupARN},
		HealthCheckType:        pulumi.String("ELB"),
		HealthCheckGracePeriod: pulumi.Int(grace),
		InitialLifecycleHooks: []elb.GroupInitialLifecycleHookArgs{{
			Name: pulumi.String(joinHook), LifecycleTransition: pulumi.String("autoscaling:EC2_INSTANCE_LAUNCHING"),
			HeartbeatTimeout: pulumi.Int(joinWithin), DefaultResult: pulumi.String("ABANDON"),
		}},
		WaitForCapacityTimeout: pulumi.String("0"),
		// Its servers go as they do where there are fewer: the load balancer lets them finish first.
		ForceDelete: pulumi.Bool(false),
		// What is not enabled is not counted. It costs nothing.
		EnabledMetrics: pulumi.ToStringArray([]string{serversInService}),
		Tags:           tags,
	}, pulumi.Parent(s), pulumi.DependsOn(slices.Concat(args.Network.egress, s.Listeners, after)), pulumi.Timeouts(&pulumi.CustomTimeouts{Delete: goneWithin}))
	if err != nil {
		return nil, fmt.Errorf("declare the group of web servers: %w", err)
	}
	return group, nil
}

// scale has the number of web servers follow their load, where it is not fixed.
func (s *Servers) scale(ctx *pulumi.Context, servers config.Servers, group *elb.Group) error {
	if servers.Min == servers.Max {
		return nil
	}
	_, err := elb.NewPolicy(ctx, "cpu", &elb.PolicyArgs{
		AutoscalingGroupName: group.Name,
		PolicyType:           pulumi.String("TargetTrackingScaling"),
		TargetTrackingConfiguration: elb.PolicyTargetTrackingConfigurationArgs{
			PredefinedMetricSpecification: elb.PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs{PredefinedMetricType: pulumi.String("ASGAverageCPUUtilization")},
			TargetValue:                   pulumi.Float64(servers.CPU),
		},
	}, pulumi.Parent(s))
	if err != nil {
		return fmt.Errorf("declare how the number of web servers follows their load: %w", err)
	}
	return nil
}

// permit lets the first server see the group and its servers, have them join, take them out and have them replaced.
func (s *Servers) permit(ctx *pulumi.Context, args *ServersArgs) (*iam.RolePolicy, error) {
	group := "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/" + s.name
	document := args.Balancer.TargetGroupARN.ApplyT(func(targets string) string {
		return policy{
			{Effect: "Allow", Action: []string{"autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances"}, Resource: []string{"*"}},
			{Effect: "Allow", Action: []string{"autoscaling:CompleteLifecycleAction", "autoscaling:SetInstanceHealth"}, Resource: []string{group}},
			{Effect: "Allow", Action: []string{"elasticloadbalancing:DeregisterTargets"}, Resource: []string{targets}},
		}.String()
	}).(pulumi.StringOutput)
	permission, err := iam.NewRolePolicy(ctx, "berth-servers", &iam.RolePolicyArgs{Role: args.First.Role.Name, Policy: document}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("declare what the first server may do about web servers: %w", err)
	}
	return permission, nil
}

// reach routes what containers of web servers send to those of the first server.
func (s *Servers) reach(ctx *pulumi.Context, args *ServersArgs) (*ec2.Route, error) {
	route, err := ec2.NewRoute(ctx, "reach", &ec2.RouteArgs{
		RouteTableId:         args.Network.tableID,
		DestinationCidrBlock: pulumi.String(Reach),
		NetworkInterfaceId:   args.First.Instance.PrimaryNetworkInterfaceId,
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("declare the route to the first server: %w", err)
	}
	return route, nil
}

// webName tells web servers from the first server, in AWS's console.
func webName(domain string) string { return domain + " web" }
