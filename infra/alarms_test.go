package infra

import (
	"fmt"
	"strings"
	"testing"

	"berth/internal/config"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAlarmsAreThoseOfTheManual(t *testing.T) {
	c := declare(t, watched, nil)
	got := map[string]string{}
	for _, a := range c.of("cloudwatch/metricAlarm:MetricAlarm") {
		got[a.Name] = fmt.Sprintf("%s %s %s %v %vx%v %s", text(a, "namespace"), text(a, "metricName"), text(a, "comparisonOperator"),
			input(a, "threshold").NumberValue(), input(a, "evaluationPeriods").NumberValue(), input(a, "period").NumberValue(), text(a, "treatMissingData"))
	}
	assert.Equal(t, map[string]string{
		"processor":         "AWS/EC2 CPUUtilization GreaterThanThreshold 80 3x300 notBreaching",
		"processor credits": "AWS/EC2 CPUCreditBalance LessThanThreshold 20 2x300 notBreaching",
		"machine":           "AWS/EC2 StatusCheckFailed_System GreaterThanOrEqualToThreshold 1 2x60 notBreaching",
		"system":            "AWS/EC2 StatusCheckFailed_Instance GreaterThanOrEqualToThreshold 1 3x60 notBreaching",
		"memory":            "Berth MemoryUsed GreaterThanThreshold 80 5x60 breaching",
		"disk":              "Berth DiskUsed GreaterThanThreshold 80 1x60 notBreaching",
		"swap":              "Berth SwapUsed GreaterThanThreshold 50 5x60 notBreaching",
		"containers":        "Berth UnhealthyContainers GreaterThanThreshold 0 3x60 notBreaching",
		"certificate":       "Berth CertificateLife LessThanThreshold 17 1x300 notBreaching",
		"backup":            "Berth BackupAge GreaterThanThreshold 26 1x300 notBreaching",
		"health":            "Berth HealthCheck GreaterThanOrEqualToThreshold 2 2x60 notBreaching",
		"site":              "AWS/Route53 HealthCheckStatus LessThanThreshold 1 1x60 notBreaching",
	}, got)
}

func TestEveryAlarmSaysWhatToDoAndWhenItIsOver(t *testing.T) {
	c := declare(t, watched, nil)
	for _, a := range c.of("cloudwatch/metricAlarm:MetricAlarm") {
		assertSaysWhatToDo(t, a)
	}
}

func assertSaysWhatToDo(t *testing.T, a pulumi.MockResourceArgs) {
	t.Helper()
	description := text(a, "alarmDescription")
	assert.Equal(t, "app.example.com "+a.Name, text(a, "name"))
	assert.LessOrEqual(t, len(description), 1024, "AWS takes no more")
	assert.Equal(t, 1, strings.Count(description, ". ")+strings.Count(description+"$", ".$"), "one sentence: %s", description)
	assert.NotContains(t, a.Inputs, "actionsEnabled")
	topic := "arn:of:alarms"
	if elsewhere[a.Name] {
		topic += "-us-east-1"
	}
	require.NotEmpty(t, input(a, "alarmActions").ArrayValue(), a.Name)
	assert.Equal(t, topic, input(a, "alarmActions").ArrayValue()[0].StringValue())
	assert.Equal(t, []any{topic}, input(a, "okActions").Mappable())
}

func TestAlarmsAreOnThisServerAndThisSite(t *testing.T) {
	c := declare(t, watched, nil)
	for _, a := range c.of("cloudwatch/metricAlarm:MetricAlarm") {
		want := map[string]any{"Domain": "app.example.com"}
		switch text(a, "namespace") {
		case "AWS/EC2":
			want = map[string]any{"InstanceId": "server-id"}
		case "AWS/Route53":
			want = map[string]any{"HealthCheckId": "site-id"}
		}
		assert.Equal(t, want, input(a, "dimensions").Mappable(), a.Name)
	}
}

// figures are what an alarm is on, and when it rises.
func figures(a pulumi.MockResourceArgs) string {
	return fmt.Sprintf("%s %s %s %s %v %vx%v %s", text(a, "namespace"), text(a, "metricName"), text(a, "statistic"), text(a, "comparisonOperator"),
		input(a, "threshold").NumberValue(), input(a, "evaluationPeriods").NumberValue(), input(a, "period").NumberValue(), text(a, "treatMissingData"))
}

// TestSeveralServersHaveAlarmsOfTheirOwn beside those of the first server, which stay as they are.
func TestSeveralServersHaveAlarmsOfTheirOwn(t *testing.T) {
	one := map[string]pulumi.MockResourceArgs{}
	for _, a := range declare(t, watched, nil).of("cloudwatch/metricAlarm:MetricAlarm") {
		one[a.Name] = a
	}
	balancer := map[string]any{"LoadBalancer": "suffix-of:site"}
	targets := map[string]any{"LoadBalancer": "suffix-of:site", "TargetGroup": "suffix-of:site-targets"}
	group := map[string]any{"AutoScalingGroupName": "web-berth-production"}
	site := map[string]any{"Domain": "app.example.com"}
	for _, test := range []struct {
		servers config.Servers
		web     string
	}{
		{config.Servers{Min: 3, Max: 3, First: true}, "LessThanThreshold 2"},
		{config.Servers{Min: 2, Max: 4, CPU: 60}, "LessThanThreshold 1"},
		{config.Servers{Min: 1, Max: 4, CPU: 60, First: true}, ""},
	} {
		c := grow(t, func(cfg *config.Config) {
			watched(cfg)
			cfg.Servers = test.servers
		}, nil)
		got, on := map[string]string{}, map[string]any{}
		for _, a := range c.of("cloudwatch/metricAlarm:MetricAlarm") {
			if before, is := one[a.Name]; is {
				assert.True(t, before.Inputs.DeepEquals(a.Inputs), a.Name)
				continue
			}
			got[a.Name], on[a.Name] = figures(a), input(a, "dimensions").Mappable()
			assertSaysWhatToDo(t, a)
			assert.Contains(t, text(a, "alarmDescription"), "on the first server", "that is where one logs in")
		}
		wanted := map[string]string{
			"unhealthy server":     "AWS/ApplicationELB UnHealthyHostCount Maximum GreaterThanThreshold 0 10x60 notBreaching",
			"no healthy server":    "AWS/ApplicationELB HealthyHostCount Maximum LessThanThreshold 1 2x60 notBreaching",
			"load balancer errors": "AWS/ApplicationELB HTTPCode_ELB_5XX_Count Sum GreaterThanThreshold 20 1x300 notBreaching",
			"web server memory":    "Berth WebMemoryUsed Average GreaterThanThreshold 80 5x60 notBreaching",
			"web server disk":      "Berth WebDiskUsed Maximum GreaterThanThreshold 80 1x60 notBreaching",
		}
		dimensions := map[string]any{"unhealthy server": targets, "no healthy server": targets, "load balancer errors": balancer, "web server memory": site, "web server disk": site}
		if test.web != "" {
			wanted["missing servers"] = "AWS/AutoScaling GroupInServiceInstances Maximum " + test.web + " 4x300 notBreaching"
			dimensions["missing servers"] = group
		}
		assert.Equal(t, wanted, got)
		assert.Equal(t, dimensions, on)
		assert.Len(t, c.of("cloudwatch/metricAlarm:MetricAlarm"), len(one)+len(wanted))
	}
}

// TestTheGroupCountsWhatAnAlarmIsOn: Auto Scaling reports no metric that is not enabled.
func TestTheGroupCountsWhatAnAlarmIsOn(t *testing.T) {
	c := grow(t, watched, nil)
	metric := text(c.named(t, "cloudwatch/metricAlarm:MetricAlarm", "missing servers"), "metricName")
	assert.Equal(t, []any{metric}, input(c.named(t, "autoscaling/group:Group", "web"), "enabledMetrics").Mappable())
}

func TestBrokenServersAreMended(t *testing.T) {
	c := declare(t, watched, nil)
	for name, action := range map[string]string{"machine": "recover", "system": "reboot"} {
		assert.Equal(t, []any{"arn:of:alarms", "arn:aws:automate:eu-central-1:ec2:" + action},
			input(c.named(t, "cloudwatch/metricAlarm:MetricAlarm", name), "alarmActions").Mappable())
	}
}
