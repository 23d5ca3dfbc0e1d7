package aws

import (
	"net"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/peer"

	"berth/rehearsal/provider"
)

// alarmInputs are a sound alarm's, with changes.
func alarmInputs(changes properties) properties {
	inputs := properties{
		"name": "app.example.test memory", "namespace": "Berth", "metricName": "MemoryUsed", "statistic": "Average",
		"comparisonOperator": "GreaterThanThreshold", "threshold": 80.0, "period": 60.0, "evaluationPeriods": 5.0,
	}
	for key, value := range changes {
		inputs[key] = value
	}
	return inputs
}

func TestMonitoringIsTold(t *testing.T) {
	f := newFixture(t)
	topic := f.make(TopicType, "alarms", properties{"name": "alarms-1234567"})
	assert.Equal(t, "arn:aws:sns:eu-central-1:123456789012:alarms-1234567", topic)
	assert.Equal(t, topic, f.get(TopicType, "alarms").Outputs["arn"])

	subscription := f.make(SubscriptionType, "mail", properties{"topic": topic, "protocol": "email", "endpoint": "you@example.test"})
	assert.True(t, strings.HasPrefix(subscription, topic+":"))
	assert.Equal(t, true, f.get(SubscriptionType, "mail").Outputs["pendingConfirmation"])

	f.make(AlarmType, "memory", alarmInputs(properties{"alarmActions": []any{topic}}))
	alarm := f.get(AlarmType, "memory").Outputs
	assert.Equal(t, "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:app.example.test memory", alarm["arn"])
	assert.Equal(t, true, alarm["actionsEnabled"])
	assert.Equal(t, "missing", alarm["treatMissingData"])

	f.make(DashboardType, "dashboard", properties{"dashboardName": "app", "dashboardBody": `{"widgets":[{"type":"text","x":0,"y":0,"width":24,"height":2}]}`})
	assert.Equal(t, "arn:aws:cloudwatch::123456789012:dashboard/app", f.get(DashboardType, "dashboard").Outputs["dashboardArn"])
	check := f.make(healthCheckType, "site", properties{"type": "HTTPS", "fqdn": "app.example.test", "requestInterval": 30.0, "failureThreshold": 3.0})
	assert.Len(t, check, 36)

	require.NoError(t, f.remove(TopicType, "alarms"))
	assert.Empty(t, f.account().OfType(SubscriptionType), "subscriptions go with their topic")
}

func TestWhatMonitoringRefuses(t *testing.T) {
	const topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
	for _, test := range []struct {
		code, typ string
		inputs    properties
	}{
		{"Topic Name", TopicType, properties{"name": "a.b"}},
		{"Topic does not exist", SubscriptionType, properties{"topic": "arn:aws:sns:eu-central-1:123456789012:none", "protocol": "email", "endpoint": "a@b.c"}},
		{"TopicArn", SubscriptionType, properties{"topic": "arn:aws:sns:us-east-1:123456789012:alarms", "protocol": "email", "endpoint": "a@b.c"}},
		{"Email address", SubscriptionType, properties{"topic": "arn:aws:sns:eu-central-1:123456789012:alarms", "protocol": "email", "endpoint": "nobody"}},
		{"comparisonOperator", AlarmType, alarmInputs(properties{"comparisonOperator": "Above"})},
		{"statistic", AlarmType, alarmInputs(properties{"statistic": "Mean"})},
		{"multiple of 60", AlarmType, alarmInputs(properties{"period": 90.0})},
		{"more than a day", AlarmType, alarmInputs(properties{"period": 3600.0, "evaluationPeriods": 25.0})},
		{"treatMissingData", AlarmType, alarmInputs(properties{"treatMissingData": "bad"})},
		{"alarmDescription", AlarmType, alarmInputs(properties{"alarmDescription": strings.Repeat("x", 1025)})},
		{"Invalid region us-east-1 specified", AlarmType, alarmInputs(properties{"alarmActions": []any{"arn:aws:sns:us-east-1:123456789012:alarms"}})},
		{"requires the dimension InstanceId", AlarmType, alarmInputs(properties{"alarmActions": []any{"arn:aws:automate:eu-central-1:ec2:recover"}})},
		{"At most 5", AlarmType, alarmInputs(properties{"alarmActions": []any{topic, topic, topic, topic, topic, topic}})},
		{"exists already", AlarmType, alarmInputs(properties{"name": "taken"})},
		{"invalid characters", DashboardType, properties{"dashboardName": "a.b", "dashboardBody": "{}"}},
		{"invalid JSON", DashboardType, properties{"dashboardName": "a", "dashboardBody": "{"}},
		{"required property 'region'", DashboardType, properties{"dashboardName": "a", "dashboardBody": `{"widgets":[{"type":"metric","x":0,"y":0,"width":6,"height":6}]}`}},
		{"outside of the grid", DashboardType, properties{"dashboardName": "a", "dashboardBody": `{"widgets":[{"type":"text","x":20,"y":0,"width":6,"height":6}]}`}},
		{"FullyQualifiedDomainName", healthCheckType, properties{"type": "HTTPS", "requestInterval": 30.0, "failureThreshold": 3.0}},
		{"requestInterval", healthCheckType, properties{"type": "HTTPS", "fqdn": "a.b", "requestInterval": 60.0, "failureThreshold": 3.0}},
		{"failureThreshold", healthCheckType, properties{"type": "HTTPS", "fqdn": "a.b", "requestInterval": 30.0, "failureThreshold": 0.0}},
	} {
		t.Run(test.code, func(t *testing.T) {
			f := newFixture(t)
			f.make(TopicType, "alarms", properties{"name": "alarms"})
			f.make(AlarmType, "taken", alarmInputs(properties{"name": "taken"}))
			_, err := f.create(test.typ, "refused", test.inputs)
			require.ErrorContains(t, err, test.code)
			assert.Len(t, f.account().Resources, 2)
		})
	}
}

// The engine opens a connection for each of a stack's providers, and their regions differ.
func TestEachConnectionHasItsOwnRegion(t *testing.T) {
	f := newFixture(t)
	for port, region := range map[int]string{1001: "eu-central-1", 1002: "us-east-1"} {
		ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}})
		args, err := provider.Marshal("args", resource.NewPropertyMapFromMap(properties{"region": region}))
		require.NoError(t, err)
		_, err = f.p.Configure(ctx, &pulumirpc.ConfigureRequest{Args: args})
		require.NoError(t, err)
	}
	for port, region := range map[int]string{1001: "eu-central-1", 1002: "us-east-1", 1003: "eu-central-1"} {
		ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}})
		inputs, err := provider.Marshal("inputs", resource.NewPropertyMapFromMap(properties{"name": "alarms"}))
		require.NoError(t, err)
		made, err := f.p.Create(ctx, &pulumirpc.CreateRequest{Urn: at(TopicType, "alarms"), Properties: inputs})
		require.NoError(t, err)
		assert.Equal(t, "arn:aws:sns:"+region+":123456789012:alarms", made.GetId(), port)
	}
}
