package aws

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Types of what tells of trouble, which rehearsal/cloudwatch reads.
const (
	TopicType        = "aws:sns/topic:Topic"
	SubscriptionType = "aws:sns/topicSubscription:TopicSubscription"
	AlarmType        = "aws:cloudwatch/metricAlarm:MetricAlarm"
	DashboardType    = "aws:cloudwatch/dashboard:Dashboard"

	healthCheckType = "aws:route53/healthCheck:HealthCheck"
)

// Limits of an alarm: actions of a kind, and seconds that it looks back. Source: CloudWatch API Reference, "PutMetricAlarm".
const actionLimit, alarmSpan = 5, 86400

func monitoringKinds() map[string]*kind {
	return map[string]*kind{
		TopicType:        {operation: "SNS:CreateTopic", invalid: "InvalidParameter", world: true, create: createTopic, remove: removeTopic},
		SubscriptionType: {operation: "SNS:Subscribe", invalid: "InvalidParameter", create: createSubscription},
		AlarmType:        {operation: "CloudWatch:PutMetricAlarm", invalid: "ValidationError", create: createAlarm, update: checkAlarm},
		DashboardType:    {operation: "CloudWatch:PutDashboard", invalid: "InvalidParameterInput", create: createDashboard, update: checkDashboard},
		healthCheckType:  {operation: "Route 53:CreateHealthCheck", invalid: "InvalidInput", create: createHealthCheck, update: checkHealthCheck},
	}
}

func createTopic(c *call) error {
	c.id = c.arn("sns", c.region, Text(c.inputs, "name"))
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

// createSubscription leaves it to be confirmed: AWS sends no mail to an address that has not confirmed.
func createSubscription(c *call) error {
	const operation = "SNS:Subscribe"
	topic := Text(c.inputs, "topic")
	if parts := strings.Split(topic, ":"); len(parts) != 6 || parts[3] != c.region {
		return apiError(operation, "InvalidParameter", "Invalid parameter: TopicArn")
	}
	if c.account.get(TopicType, topic) == nil {
		return apiError(operation, "NotFound", "Topic does not exist")
	}
	switch protocol := Text(c.inputs, "protocol"); {
	case protocol != "email":
		return apiError(operation, "InvalidParameter", "Invalid parameter: the rehearsal knows the protocol email, not %s", protocol)
	case strings.Count(Text(c.inputs, "endpoint"), "@") != 1:
		return apiError(operation, "InvalidParameter", "Invalid parameter: Email address")
	}
	c.id = topic + ":" + newUUID()
	c.outputs["arn"], c.outputs["ownerId"] = c.id, number
	c.outputs["confirmationWasAuthenticated"], c.outputs["pendingConfirmation"] = false, true
	return nil
}

func createAlarm(c *call) error {
	c.id = Text(c.inputs, "name")
	if err := checkAlarm(c); err != nil {
		return err
	}
	// Putting an alarm that exists overwrites it, in AWS silently. Two of a stack that share a name are a mistake.
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
	period, periods := Number(c.inputs, "period"), Number(c.inputs, "evaluationPeriods")
	switch {
	case Text(c.inputs, "metricName") == "" || Text(c.inputs, "namespace") == "":
		return invalid("MetricName and Namespace must be set, or Metrics")
	case Text(c.inputs, "statistic") == "":
		return invalid("Statistic or ExtendedStatistic must be set")
	case !bounded:
		return invalid("Threshold must be set")
	case period*periods > alarmSpan:
		return invalid("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= %d).", alarmSpan)
	}
	defaulted(c.outputs, "actionsEnabled", true)
	defaulted(c.outputs, "treatMissingData", "missing")
	for _, kind := range []string{"alarmActions", "okActions", "insufficientDataActions"} {
		if err := c.checkActions(Texts(c.inputs, kind)); err != nil {
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
		switch parts := strings.Split(action, ":"); {
		case parts[3] != c.region:
			return apiError(operation, "ValidationError", "Invalid region %s specified. Only %s is supported.", parts[3], c.region)
		case parts[2] == "automate" && Text(Object(c.inputs, "dimensions"), "InstanceId") == "":
			return apiError(operation, "ValidationError", "The action %s requires the dimension InstanceId", action)
		case parts[2] != "automate" && parts[2] != "sns":
			return apiError(operation, "ValidationError", "Unsupported service in action: %s", action)
		}
	}
	return nil
}

func createDashboard(c *call) error {
	c.id = Text(c.inputs, "dashboardName")
	c.outputs["dashboardArn"] = c.arn("cloudwatch", "", "dashboard/"+c.id)
	return checkDashboard(c)
}

// checkDashboard keeps the shape of a dashboard: widgets on a grid of 24 columns. Source: CloudWatch API Reference,
// "Dashboard Body Structure and Syntax".
func checkDashboard(c *call) error {
	const operation = "CloudWatch:PutDashboard"
	var body struct {
		Widgets []struct {
			Type                string
			X, Y, Width, Height int
			Properties          map[string]any
		}
	}
	if err := json.Unmarshal([]byte(Text(c.inputs, "dashboardBody")), &body); err != nil {
		return apiError(operation, "InvalidParameterInput", "The dashboard body is invalid, there are errors: %v", err)
	}
	for i, w := range body.Widgets {
		switch {
		case !slices.Contains([]string{"metric", "alarm", "text", "log", "explorer"}, w.Type):
			return apiError(operation, "InvalidParameterInput", "The dashboard body is invalid: /widgets/%d/type should be equal to one of the allowed values", i)
		case w.X < 0 || w.Width < 1 || w.X+w.Width > 24 || w.Height < 1:
			return apiError(operation, "InvalidParameterInput", "The dashboard body is invalid: /widgets/%d lies outside of the grid", i)
		case w.Type == "metric" && Text(w.Properties, "region") == "":
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
	switch {
	case Text(c.inputs, "type") != "HTTPS" && Text(c.inputs, "type") != "HTTP":
		return invalid("Invalid parameter: the rehearsal knows the types HTTP and HTTPS, not %s", Text(c.inputs, "type"))
	case Text(c.inputs, "fqdn") == "" && Text(c.inputs, "ipAddress") == "":
		return invalid("Invalid parameter: IPAddress or FullyQualifiedDomainName must be specified")
	}
	return nil
}

// newUUID is an id of the shape that younger services give.
func newUUID() string {
	digits := newHex(32)
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
}
