package aws

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
)

// Types of what tells of trouble, which rehearsal/cloudwatch reads.
const (
	TopicType        = "aws:sns/topic:Topic"
	SubscriptionType = "aws:sns/topicSubscription:TopicSubscription"
	AlarmType        = "aws:cloudwatch/metricAlarm:MetricAlarm"
	DashboardType    = "aws:cloudwatch/dashboard:Dashboard"

	healthCheckType = "aws:route53/healthCheck:HealthCheck"
)

// Limits of an alarm. Source: CloudWatch API Reference, "PutMetricAlarm".
const (
	alarmNameLimit, descriptionLimit = 255, 1024
	actionLimit, alarmSpan           = 5, 86400
)

var (
	topicName     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)
	dashboardName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

	comparisons = []string{"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"}
	statistics  = []string{"SampleCount", "Average", "Sum", "Minimum", "Maximum"}
	missings    = []string{"missing", "ignore", "breaching", "notBreaching"}
)

func monitoringKinds() map[string]*kind {
	return map[string]*kind{
		TopicType:        {args: sns.TopicArgs{}, world: true, replaces: []string{"name", "namePrefix", "fifoTopic"}, named: "name", create: createTopic, remove: removeTopic},
		SubscriptionType: {args: sns.TopicSubscriptionArgs{}, replaces: []string{"topic", "protocol", "endpoint"}, create: createSubscription},
		AlarmType:        {args: cloudwatch.MetricAlarmArgs{}, replaces: []string{"name"}, named: "name", create: createAlarm, update: checkAlarm},
		DashboardType:    {args: cloudwatch.DashboardArgs{}, replaces: []string{"dashboardName"}, create: createDashboard, update: checkDashboard},
		healthCheckType: {args: route53.HealthCheckArgs{}, replaces: []string{"type", "requestInterval", "measureLatency", "referenceName"},
			create: createHealthCheck, update: checkHealthCheck},
	}
}

func createTopic(c *call) error {
	if name := text(c.inputs, "name"); !topicName.MatchString(name) {
		return apiError("SNS:CreateTopic", "InvalidParameter", "Invalid parameter: Topic Name")
	}
	c.id = c.arn("sns", c.region, text(c.inputs, "name"))
	c.outputs["arn"], c.outputs["owner"] = c.id, number
	return nil
}

// removeTopic takes the subscriptions with it, as AWS does.
func removeTopic(c *call) error {
	for _, subscription := range c.account.users(SubscriptionType, "topic", c.id) {
		c.account.remove(subscription)
	}
	return nil
}

// createSubscription leaves it to be confirmed: AWS sends mail to nobody who has not agreed.
func createSubscription(c *call) error {
	const operation = "SNS:Subscribe"
	topic := text(c.inputs, "topic")
	if parts := strings.Split(topic, ":"); len(parts) != 6 || parts[3] != c.region {
		return apiError(operation, "InvalidParameter", "Invalid parameter: TopicArn")
	}
	if c.account.get(TopicType, topic) == nil {
		return apiError(operation, "NotFound", "Topic does not exist")
	}
	switch protocol := text(c.inputs, "protocol"); {
	case protocol != "email":
		return apiError(operation, "InvalidParameter", "Invalid parameter: the rehearsal knows the protocol email, not %s", protocol)
	case strings.Count(text(c.inputs, "endpoint"), "@") != 1:
		return apiError(operation, "InvalidParameter", "Invalid parameter: Email address")
	}
	c.id = topic + ":" + newUUID()
	c.outputs["arn"], c.outputs["ownerId"] = c.id, number
	c.outputs["confirmationWasAuthenticated"], c.outputs["pendingConfirmation"] = false, true
	return nil
}

func createAlarm(c *call) error {
	c.id = text(c.inputs, "name")
	if err := checkAlarm(c); err != nil {
		return err
	}
	// Putting an alarm that exists overwrites it, in AWS without a word. Two of a stack that share a name are a mistake.
	if c.account.get(AlarmType, c.id) != nil {
		return fmt.Errorf("alarm %s exists already; AWS would overwrite it silently", c.id)
	}
	c.outputs["arn"] = c.arn("cloudwatch", c.region, "alarm:"+c.id)
	return nil
}

func checkAlarm(c *call) error {
	invalid := func(format string, args ...any) error {
		return apiError("CloudWatch:PutMetricAlarm", "ValidationError", format, args...)
	}
	_, bounded := c.inputs["threshold"]
	period, periods := integer(c.inputs, "period"), integer(c.inputs, "evaluationPeriods")
	switch {
	case c.id == "" || len(c.id) > alarmNameLimit:
		return invalid("1 validation error detected: Value '%s' at 'alarmName' failed to satisfy constraint: Member must have length between 1 and %d", c.id, alarmNameLimit)
	case len(text(c.inputs, "alarmDescription")) > descriptionLimit:
		return invalid("1 validation error detected: Value at 'alarmDescription' failed to satisfy constraint: Member must have length less than or equal to %d", descriptionLimit)
	case !slices.Contains(comparisons, text(c.inputs, "comparisonOperator")):
		return invalid("1 validation error detected: Value '%s' at 'comparisonOperator' failed to satisfy constraint: Member must satisfy enum value set: %v", text(c.inputs, "comparisonOperator"), comparisons)
	case text(c.inputs, "metricName") == "" || text(c.inputs, "namespace") == "":
		return invalid("MetricName and Namespace must be set, or Metrics")
	case !slices.Contains(statistics, text(c.inputs, "statistic")):
		return invalid("1 validation error detected: Value '%s' at 'statistic' failed to satisfy constraint: Member must satisfy enum value set: %v", text(c.inputs, "statistic"), statistics)
	case !bounded:
		return invalid("Threshold must be set")
	case period != 10 && period != 30 && (period < 60 || period%60 != 0):
		return invalid("Period must be 10, 30 or a multiple of 60")
	case periods < 1 || period*periods > alarmSpan:
		return invalid("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= %d).", alarmSpan)
	}
	defaulted(c.outputs, "actionsEnabled", true)
	defaulted(c.outputs, "treatMissingData", "missing")
	if missing := text(c.outputs, "treatMissingData"); !slices.Contains(missings, missing) {
		return invalid("TreatMissingData was set to %s; it must be one of %v", missing, missings)
	}
	for _, kind := range []string{"alarmActions", "okActions", "insufficientDataActions"} {
		if err := c.checkActions(list(c.inputs, kind)); err != nil {
			return err
		}
	}
	return nil
}

// checkActions keeps what CloudWatch asks of an alarm's actions: at most five, each in the alarm's own region, and those
// on an instance with a dimension that names one. It does not ask whether a topic exists.
func (c *call) checkActions(actions []string) error {
	const operation = "CloudWatch:PutMetricAlarm"
	if len(actions) > actionLimit {
		return apiError(operation, "ValidationError", "At most %d actions are allowed", actionLimit)
	}
	for _, action := range actions {
		parts := strings.Split(action, ":")
		switch {
		case len(parts) < 6 || parts[0] != "arn":
			return apiError(operation, "ValidationError", "Invalid arn syntax: %s", action)
		case parts[3] != c.region:
			return apiError(operation, "ValidationError", "Invalid region %s specified. Only %s is supported.", parts[3], c.region)
		case parts[2] == "automate" && text(object(c.inputs, "dimensions"), "InstanceId") == "":
			return apiError(operation, "ValidationError", "The action %s requires the dimension InstanceId", action)
		case parts[2] != "automate" && parts[2] != "sns":
			return apiError(operation, "ValidationError", "Unsupported service in action: %s", action)
		}
	}
	return nil
}

func createDashboard(c *call) error {
	c.id = text(c.inputs, "dashboardName")
	c.outputs["dashboardArn"] = c.arn("cloudwatch", "", "dashboard/"+c.id)
	return checkDashboard(c)
}

// checkDashboard keeps the shape of a dashboard: widgets on a grid of 24 columns. Source: CloudWatch API Reference,
// "Dashboard Body Structure and Syntax".
func checkDashboard(c *call) error {
	const operation = "CloudWatch:PutDashboard"
	if !dashboardName.MatchString(c.id) {
		return apiError(operation, "InvalidParameterInput", "The value for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).")
	}
	var body struct {
		Widgets []struct {
			Type                string
			X, Y, Width, Height int
			Properties          map[string]any
		}
	}
	if err := json.Unmarshal([]byte(text(c.inputs, "dashboardBody")), &body); err != nil {
		return apiError(operation, "InvalidParameterInput", "The dashboard body is invalid, there are errors: %v", err)
	}
	for i, w := range body.Widgets {
		switch {
		case !slices.Contains([]string{"metric", "alarm", "text", "log", "explorer"}, w.Type):
			return apiError(operation, "InvalidParameterInput", "The dashboard body is invalid: /widgets/%d/type should be equal to one of the allowed values", i)
		case w.X < 0 || w.Width < 1 || w.X+w.Width > 24 || w.Height < 1:
			return apiError(operation, "InvalidParameterInput", "The dashboard body is invalid: /widgets/%d lies outside of the grid", i)
		case w.Type == "metric" && text(w.Properties, "region") == "":
			return apiError(operation, "InvalidParameterInput", "The dashboard body is invalid: /widgets/%d/properties should have required property 'region'", i)
		}
	}
	return nil
}

func createHealthCheck(c *call) error {
	if err := checkHealthCheck(c); err != nil {
		return err
	}
	c.id = newUUID()
	c.outputs["arn"] = "arn:aws:route53:::healthcheck/" + c.id
	return nil
}

// checkHealthCheck keeps the limits of a check over HTTP. Source: Route 53 API Reference, "HealthCheckConfig".
func checkHealthCheck(c *call) error {
	invalid := func(format string, args ...any) error {
		return apiError("Route 53:CreateHealthCheck", "InvalidInput", format, args...)
	}
	interval, failures := integer(c.inputs, "requestInterval"), integer(c.inputs, "failureThreshold")
	switch {
	case text(c.inputs, "type") != "HTTPS" && text(c.inputs, "type") != "HTTP":
		return invalid("Invalid parameter: the rehearsal knows the types HTTP and HTTPS, not %s", text(c.inputs, "type"))
	case text(c.inputs, "fqdn") == "" && text(c.inputs, "ipAddress") == "":
		return invalid("Invalid parameter: IPAddress or FullyQualifiedDomainName must be specified")
	case len(text(c.inputs, "fqdn")) > 255 || len(text(c.inputs, "resourcePath")) > 255:
		return invalid("Invalid parameter: Member must have length less than or equal to 255")
	case interval != 10 && interval != 30:
		return invalid("Invalid parameter: Request interval must be 10 or 30")
	case failures < 1 || failures > 10:
		return invalid("Invalid parameter: Failure threshold must be between 1 and 10")
	}
	return nil
}

// newUUID is an id of the shape that younger services give.
func newUUID() string {
	digits := newHex(32)
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
}
