package infra

import (
	"strings"
	"testing"

	"berth/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func watched(cfg *config.Config) { cfg.AlarmEmail = "you@example.com" }

func TestNoAddressNoMonitoring(t *testing.T) {
	with := declare(t, watched, nil)
	without := declare(t, nil, func(env *Environment) { assert.Nil(t, env.Monitoring) })
	for _, kind := range []string{
		"sns/topic:Topic", "sns/topicSubscription:TopicSubscription", "cloudwatch/metricAlarm:MetricAlarm",
		"cloudwatch/dashboard:Dashboard", "route53/healthCheck:HealthCheck",
	} {
		assert.Empty(t, without.of(kind), kind)
		assert.NotEmpty(t, with.of(kind), kind)
	}
	assert.NotContains(t, names(without), "pulumi:providers:aws aws-us-east-1")
	assert.NotContains(t, names(without), "aws:iam/rolePolicy:RolePolicy metrics")
}

func TestMailGoesToTheOneAddress(t *testing.T) {
	c := declare(t, watched, nil)
	require.Len(t, c.of("sns/topicSubscription:TopicSubscription"), 2, "in the stack's region and in that of the health check")
	for _, subscription := range c.of("sns/topicSubscription:TopicSubscription") {
		assert.Equal(t, "email", text(subscription, "protocol"))
		assert.Equal(t, "you@example.com", text(subscription, "endpoint"))
		assert.Equal(t, "arn:of:"+subscription.Name, text(subscription, "topic"))
	}
	for _, topic := range c.of("sns/topic:Topic") {
		assert.NotContains(t, topic.Inputs, "kmsMasterKeyId", "CloudWatch cannot publish under AWS's own key")
	}
}

func TestServerMayWriteItsOwnMetricsAlone(t *testing.T) {
	permission := declare(t, watched, nil).named(t, "iam/rolePolicy:RolePolicy", "berth-metrics")
	assert.Equal(t, "berth-host-1234567", text(permission, "role"))
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudwatch:PutMetricData"],
		"Resource":["*"],"Condition":{"StringEquals":{"cloudwatch:namespace":"Berth"}}}]}`, text(permission, "policy"))
}

func TestSiteIsAskedFromOutside(t *testing.T) {
	for _, test := range []struct{ name, health, path string }{{"front page", "", "/"}, {"health path", "/healthz?full=1", "/healthz?full=1"}} {
		t.Run(test.name, func(t *testing.T) {
			c := declare(t, func(cfg *config.Config) {
				watched(cfg)
				cfg.Routes = []config.Route{{Host: "api.example.com", Path: "/", Health: "/another"}, {Path: "/", Health: test.health}, {Path: "/api/", Health: "/other"}}
			}, nil)
			check := c.only(t, "route53/healthCheck:HealthCheck")
			assert.Equal(t, "HTTPS", text(check, "type"))
			assert.Equal(t, "app.example.com", text(check, "fqdn"))
			assert.Equal(t, test.path, text(check, "resourcePath"))
			assert.Equal(t, 443.0, input(check, "port").NumberValue())
			assert.Equal(t, 30.0, input(check, "requestInterval").NumberValue())
			assert.Equal(t, 3.0, input(check, "failureThreshold").NumberValue())
			assert.True(t, input(check, "enableSni").BoolValue())
		})
	}
}

func TestHealthChecksAlarmStandsWhereItsMetricIs(t *testing.T) {
	c := declare(t, watched, nil)
	for _, args := range c.declared {
		if strings.HasPrefix(args.TypeToken, "aws:cloudwatch/metricAlarm") || strings.HasPrefix(args.TypeToken, "aws:sns/") {
			assert.Equal(t, elsewhere[args.Name], strings.Contains(args.Provider, "::pulumi:providers:aws::aws-us-east-1::"), args.Name)
		}
	}
	site := c.named(t, "cloudwatch/metricAlarm:MetricAlarm", "site")
	assert.Equal(t, map[string]any{"HealthCheckId": "site-id"}, input(site, "dimensions").Mappable())
	assert.Equal(t, []any{"arn:of:alarms-us-east-1"}, input(site, "alarmActions").Mappable())
}

func TestStackInThatRegionHasOneTopic(t *testing.T) {
	c := declare(t, func(cfg *config.Config) {
		watched(cfg)
		cfg.Region, cfg.AvailabilityZone = "us-east-1", "us-east-1a"
	}, nil)
	c.only(t, "sns/topic:Topic")
	site := c.named(t, "cloudwatch/metricAlarm:MetricAlarm", "site")
	assert.Equal(t, []any{"arn:of:alarms"}, input(site, "alarmActions").Mappable())
	assert.NotContains(t, names(c), "pulumi:providers:aws aws-us-east-1")
}

func TestDashboardHasAnAddress(t *testing.T) {
	var address string
	c := declare(t, watched, func(env *Environment) { read(t, env.Monitoring.Dashboard, &address) })
	assert.Equal(t, "app-example-com", text(c.only(t, "cloudwatch/dashboard:Dashboard"), "dashboardName"))
	assert.Equal(t, "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/app-example-com", address)
}
