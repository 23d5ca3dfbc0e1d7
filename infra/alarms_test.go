package infra

import (
	"fmt"
	"strings"
	"testing"

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

func TestBrokenServersAreMended(t *testing.T) {
	c := declare(t, watched, nil)
	for name, action := range map[string]string{"machine": "recover", "system": "reboot"} {
		assert.Equal(t, []any{"arn:of:alarms", "arn:aws:automate:eu-central-1:ec2:" + action},
			input(c.named(t, "cloudwatch/metricAlarm:MetricAlarm", name), "alarmActions").Mappable())
	}
}
