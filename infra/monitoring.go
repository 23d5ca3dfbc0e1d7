package infra

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// MetricNamespace is the namespace of the server's own metrics, each with the one dimension MetricDimension, whose value
	// is the site's domain: it outlasts a server, and unlike a stack's name no two in an account share it, since alarms
	// are named after it. The server may write to no other namespace.
	MetricNamespace = "Berth"
	MetricDimension = "Domain"

	// healthRegion is the one region that has the metrics of Route 53's health checks. Source: Route 53 Developer
	// Guide, "Monitoring health checks using CloudWatch".
	healthRegion = "us-east-1"

	// How the site is asked from outside: every 30 seconds, and thrice in vain before it counts as down.
	healthInterval, healthFailures = 30, 3
)

// Monitoring says when something is wrong: alarms that send mail, and a dashboard.
type Monitoring struct {
	pulumi.ResourceState

	// Dashboard is the address of the dashboard in AWS's console.
	Dashboard pulumi.StringOutput
}

// MonitoringArgs are what a Monitoring needs.
type MonitoringArgs struct {
	// Domain is the site's: alarms and the dashboard are named after it.
	Domain string
	// Region is the stack's. DefaultTags are those of every resource, for the one that is in another region.
	Region      string
	DefaultTags map[string]string
	// Email is the address that alarms are sent to.
	Email string
	// HealthPath is what is asked from outside.
	HealthPath string
	// InstanceID is the server, ServerRole whose holder may write its metrics.
	InstanceID pulumi.IDOutput
	// Burstable says whether the server has CPU credits.
	Burstable  bool
	ServerRole pulumi.StringInput
	// Several is what else is monitored with several servers; nil with one.
	Several *Several
	// Database is the database in RDS; nil for none.
	Database *MonitoredDatabase
}

// MonitoredDatabase is a database's name in CloudWatch's metrics, and the size of its storage in GiB.
type MonitoredDatabase struct {
	Identifier pulumi.StringInput
	SizeGB     int
}

// Several are the names in CloudWatch's metrics of what there is with several servers.
type Several struct {
	// Web is how many web servers there are at least.
	Web int
	// GroupName is their Auto Scaling group.
	GroupName pulumi.StringInput
	// Balancer and TargetGroup are the load balancer and the target group of the servers that take requests.
	Balancer, TargetGroup pulumi.StringInput
}

// NewMonitoring declares the alarms and the dashboard.
func NewMonitoring(ctx *pulumi.Context, name string, args *MonitoringArgs, opts ...pulumi.ResourceOption) (*Monitoring, error) {
	m := &Monitoring{}
	if err := ctx.RegisterComponentResource("berth:infra:Monitoring", name, m, opts...); err != nil {
		return nil, fmt.Errorf("declare the monitoring: %w", err)
	}
	if err := m.permit(ctx, args.ServerRole); err != nil {
		return nil, err
	}
	topic, err := m.topic(ctx, "alarms", args)
	if err != nil {
		return nil, err
	}
	var arns pulumi.StringArray
	all := alarms(args.Region, args.Domain, args.InstanceID, args.Burstable)
	if args.Several != nil {
		all = append(all, args.Several.alarms(args.Domain)...)
	}
	if args.Database != nil {
		all = append(all, args.Database.alarm())
	}
	for _, a := range all {
		declared, err := m.alarm(ctx, args.Domain, a, topic)
		if err != nil {
			return nil, err
		}
		arns = append(arns, declared.Arn)
	}
	check, err := m.watch(ctx, args, topic)
	if err != nil {
		return nil, err
	}
	if err := m.dashboard(ctx, args, check.ID(), arns); err != nil {
		return nil, err
	}
	if err := ctx.RegisterResourceOutputs(m, pulumi.Map{"dashboard": m.Dashboard}); err != nil {
		return nil, fmt.Errorf("register the monitoring: %w", err)
	}
	return m, nil
}

// permit lets the server write its own metrics. Metrics are no resources to CloudWatch: the namespace is the bound.
func (m *Monitoring) permit(ctx *pulumi.Context, role pulumi.StringInput) error {
	_, err := iam.NewRolePolicy(ctx, "berth-metrics", &iam.RolePolicyArgs{
		Role: role,
		Policy: pulumi.String(policy{{
			Effect: "Allow", Action: []string{"cloudwatch:PutMetricData"}, Resource: []string{"*"},
			Condition: map[string]map[string]string{"StringEquals": {"cloudwatch:namespace": MetricNamespace}},
		}}.String()),
	}, pulumi.Parent(m))
	if err != nil {
		return fmt.Errorf("declare that the server may write metrics: %w", err)
	}
	return nil
}

// topic declares where alarms are sent and who reads it. AWS writes to the address first, and sends it nothing else
// until it is confirmed.
//
// The topic is not encrypted at rest: CloudWatch cannot publish to one under the key alias/aws/sns, whose policy is
// AWS's own and does not let it, and a key of the stack's own costs a dollar a month for messages that leave as plain
// mail anyway. Source: CloudWatch User Guide, "Notifying users on alarm changes".
func (m *Monitoring) topic(
	ctx *pulumi.Context, name string, args *MonitoringArgs, opts ...pulumi.ResourceOption,
) (*sns.Topic, error) {
	opts = append(opts, pulumi.Parent(m))
	topic, err := sns.NewTopic(ctx, name, &sns.TopicArgs{Tags: nameTag(args.Domain)}, opts...)
	if err != nil {
		return nil, fmt.Errorf("declare the topic %s: %w", name, err)
	}
	_, err = sns.NewTopicSubscription(ctx, name, &sns.TopicSubscriptionArgs{
		Topic:    topic.Arn,
		Protocol: pulumi.String("email"),
		Endpoint: pulumi.String(args.Email),
	}, opts...)
	if err != nil {
		return nil, fmt.Errorf("declare the subscription of %s to the topic %s: %w", args.Email, name, err)
	}
	return topic, nil
}

// alarm declares one alarm, which says when it begins and when it is over.
func (m *Monitoring) alarm(
	ctx *pulumi.Context, domain string, a alarm, topic *sns.Topic, opts ...pulumi.ResourceOption,
) (*cloudwatch.MetricAlarm, error) {
	actions := pulumi.Array{topic.Arn}
	if a.action != "" {
		actions = append(actions, pulumi.String(a.action))
	}
	declared, err := cloudwatch.NewMetricAlarm(ctx, a.name, &cloudwatch.MetricAlarmArgs{
		// It is the subject of the mail, so it names the site.
		Name:               pulumi.String(cut(domain, 200) + " " + a.name),
		AlarmDescription:   pulumi.String(a.description),
		Namespace:          pulumi.String(a.namespace),
		MetricName:         pulumi.String(a.metric),
		Dimensions:         a.dimensions,
		Statistic:          pulumi.String(a.statistic),
		ComparisonOperator: pulumi.String(a.comparison),
		Threshold:          pulumi.Float64(a.threshold),
		Period:             pulumi.Int(a.period),
		EvaluationPeriods:  pulumi.Int(a.periods),
		TreatMissingData:   pulumi.String(a.missing),
		AlarmActions:       actions,
		OkActions:          pulumi.Array{topic.Arn},
		Tags:               nameTag(domain),
	}, append(opts, pulumi.Parent(m))...)
	if err != nil {
		return nil, fmt.Errorf("declare the alarm %s: %w", a.name, err)
	}
	return declared, nil
}

// watch declares the health check of the site from outside, and the alarm for it with what it needs in the health checks' own
// region.
func (m *Monitoring) watch(ctx *pulumi.Context, args *MonitoringArgs, topic *sns.Topic) (*route53.HealthCheck, error) {
	check, err := route53.NewHealthCheck(ctx, "site", &route53.HealthCheckArgs{
		// Route 53 connects over TLS and does not check whether the certificate is valid: that is what the alarm on the
		// days it has left is for. Source: Route 53 Developer Guide, "How Route 53 determines whether a health check is
		// healthy".
		Type:             pulumi.String("HTTPS"),
		Fqdn:             pulumi.String(args.Domain),
		Port:             pulumi.Int(443),
		ResourcePath:     pulumi.String(args.HealthPath),
		EnableSni:        pulumi.Bool(true), // nginx chooses the site, and its certificate, by the name
		RequestInterval:  pulumi.Int(healthInterval),
		FailureThreshold: pulumi.Int(healthFailures),
		Tags:             nameTag(args.Domain),
	}, pulumi.Parent(m))
	if err != nil {
		return nil, fmt.Errorf("declare the health check of %s: %w", args.Domain, err)
	}
	var there []pulumi.ResourceOption
	if args.Region != healthRegion {
		var provider *aws.Provider
		if provider, err = newProvider(ctx, "aws-"+healthRegion, healthRegion, args.DefaultTags); err != nil {
			return nil, err
		}
		there = append(there, pulumi.Provider(provider))
		if topic, err = m.topic(ctx, "alarms-"+healthRegion, args, there...); err != nil {
			return nil, err
		}
	}
	_, err = m.alarm(ctx, args.Domain, siteAlarm(check.ID()), topic, there...)
	return check, err
}

func (m *Monitoring) dashboard(
	ctx *pulumi.Context, args *MonitoringArgs, check pulumi.IDOutput, arns pulumi.StringArray,
) error {
	// With one server there is none of these.
	var group, balancer, targets pulumi.StringInput = pulumi.String(""), pulumi.String(""), pulumi.String("")
	if several := args.Several; several != nil {
		group, balancer, targets = several.GroupName, several.Balancer, several.TargetGroup
	}
	var database pulumi.StringInput = pulumi.String("")
	if args.Database != nil {
		database = args.Database.Identifier
	}
	body := pulumi.All(args.InstanceID, check, arns.ToStringArrayOutput(), group, balancer, targets, database).ApplyT(func(values []any) (string, error) {
		return board{
			domain: args.Domain, region: args.Region, burstable: args.Burstable, several: args.Several != nil,
			instance: string(values[0].(pulumi.ID)), check: string(values[1].(pulumi.ID)), alarms: values[2].([]string),
			group: values[3].(string), balancer: values[4].(string), targets: values[5].(string),
			database: values[6].(string),
		}.body()
	}).(pulumi.StringOutput)
	// A dashboard's name has no dots.
	name := strings.ReplaceAll(cut(args.Domain, 200), ".", "-")
	board, err := cloudwatch.NewDashboard(ctx, "dashboard", &cloudwatch.DashboardArgs{
		DashboardName: pulumi.String(name),
		DashboardBody: body,
	}, pulumi.Parent(m))
	if err != nil {
		return fmt.Errorf("declare the dashboard: %w", err)
	}
	m.Dashboard = pulumi.Sprintf("https://%s.console.aws.amazon.com/cloudwatch/home?region=%s#dashboards/dashboard/%s",
		args.Region, args.Region, board.DashboardName)
	return nil
}

// cut bounds a name that AWS takes up to a length.
func cut(text string, length int) string { return text[:min(len(text), length)] }
