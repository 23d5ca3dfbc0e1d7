package cloudwatch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

func TestAnAlarmRisesAndIsOver(t *testing.T) {
	f := newFixture(t)
	for range 3 {
		f.says(42)
		f.now = f.now.Add(time.Minute)
	}
	require.Equal(t, stateOK, f.state("memory").State)
	risen := len(f.sent())
	for range 2 {
		f.says(95)
		assert.Equal(t, stateOK, f.state("memory").State, "two minutes are not yet three")
		f.now = f.now.Add(time.Minute)
	}
	f.says(95)
	state := f.state("memory")
	assert.Equal(t, stateAlarm, state.State)
	assert.Equal(t, f.now, state.Since)
	assert.Equal(t, []string{topic, "arn:aws:automate:eu-central-1:ec2:reboot"}, state.Actions)
	assert.Contains(t, state.Reason, "Threshold Crossed: 3 datapoints were evaluated, [95 95 95]")

	sent := f.sent()[risen:]
	require.Len(t, sent, 1, "mail goes to the topic's subscription, and none for the reboot")
	assert.Equal(t, "you@example.test", sent[0].Endpoint)
	assert.Equal(t, `ALARM: "memory" in eu-central-1`, sent[0].Subject)
	assert.Equal(t, "Look with free.", sent[0].Message.AlarmDescription)
	assert.Equal(t, stateOK, sent[0].Message.OldStateValue)
	assert.Empty(t, sent[0].Undelivered)

	since := f.now
	f.now = f.now.Add(time.Minute)
	f.says(95)
	assert.Equal(t, since, f.state("memory").Since, "an alarm that goes on says nothing new")
	assert.Len(t, f.sent(), risen+1)
	f.now = f.now.Add(time.Minute)
	f.says(10)
	assert.Equal(t, stateOK, f.state("memory").State)
	assert.Len(t, f.sent(), risen+2)
}

func TestASilentServerIsAnAlarm(t *testing.T) {
	f := newFixture(t)
	f.says(10)
	f.now = f.now.Add(10 * time.Minute)
	require.NoError(t, f.service.Evaluate())
	assert.Equal(t, stateAlarm, f.state("memory").State)
	assert.Contains(t, f.state("memory").Reason, "3 missing ones treated as breaching")
}

// Treating missing data. Source: CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data".
func TestMissingDataCountsAsTheAlarmSays(t *testing.T) {
	for _, test := range []struct {
		missing      string
		bad          bool // one minute has data, and it is bad
		want, silent string
	}{
		{"breaching", true, stateAlarm, stateAlarm},
		{"breaching", false, stateOK, stateAlarm},
		{"notBreaching", true, stateOK, stateOK},
		{"missing", true, stateAlarm, stateInsufficient},
		{"missing", false, stateOK, stateInsufficient},
		{"ignore", true, stateInsufficient, stateInsufficient},
	} {
		f := newFixture(t)
		f.alarm("memory", map[string]any{"treatMissingData": test.missing})
		require.NoError(t, f.service.Evaluate())
		assert.Equal(t, test.silent, f.state("memory").State, test.missing)
		value := 10.0
		if test.bad {
			value = 90
		}
		f.says(value)
		assert.Equal(t, test.want, f.state("memory").State, "%s %v", test.missing, test.bad)
	}
}

func TestLateDataIsNotMissing(t *testing.T) {
	f := newFixture(t)
	for range 3 {
		f.says(10)
		f.now = f.now.Add(time.Minute)
	}
	f.now = f.now.Add(time.Minute)
	require.NoError(t, f.service.Evaluate())
	assert.Equal(t, stateOK, f.state("memory").State)
}

func TestAlarmsLookAtTheirOwnMetricAlone(t *testing.T) {
	for _, change := range []map[string]any{
		{"arn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:memory"}, {"namespace": "Other"}, {"metricName": "SwapUsed"},
		{"dimensions": map[string]any{"Stack": "staging"}}, {"dimensions": map[string]any{}},
	} {
		f := newFixture(t)
		change["treatMissingData"] = "missing"
		f.alarm("memory", change)
		f.says(95)
		assert.Equal(t, stateInsufficient, f.state("memory").State, change)
	}
}

func TestComparisonsAndStatistics(t *testing.T) {
	for _, test := range []struct {
		comparison string
		value      float64
		want       bool
	}{
		{"GreaterThanThreshold", 80, false}, {"GreaterThanThreshold", 81, true}, {"GreaterThanOrEqualToThreshold", 80, true},
		{"LessThanThreshold", 80, false}, {"LessThanThreshold", 79, true}, {"LessThanOrEqualToThreshold", 80, true},
	} {
		assert.Equal(t, test.want, alarm{comparison: test.comparison, threshold: 80}.breaches(test.value), test)
	}
	for name, want := range map[string]float64{"Average": 2, "Sum": 6, "Minimum": 1, "Maximum": 3, "SampleCount": 3} {
		assert.InDelta(t, want, statistic(name, []float64{1, 2, 3}), 0, name)
	}
}

func TestWhatIsNotDeliveredIsSaid(t *testing.T) {
	for want, change := range map[string]func(f *fixture){
		"the topic does not exist":      func(f *fixture) { delete(f.account.Resources, aws.TopicType+"::"+topic) },
		"the topic has no subscription": func(f *fixture) { delete(f.account.Resources, aws.SubscriptionType+"::"+topic+":1") },
		"CloudWatch may not use the key alias/aws/sns": func(f *fixture) {
			f.put(aws.TopicType, topic, map[string]any{"kmsMasterKeyId": "alias/aws/sns"})
		},
	} {
		f := newFixture(t)
		change(f)
		f.save()
		require.NoError(t, f.service.Evaluate())
		require.Len(t, f.sent(), 1)
		assert.Equal(t, want, f.sent()[0].Undelivered)
	}
}

func TestDisabledAndDeletedAlarmsAreQuiet(t *testing.T) {
	f := newFixture(t)
	f.alarm("memory", map[string]any{"actionsEnabled": false})
	require.NoError(t, f.service.Evaluate())
	assert.Equal(t, stateAlarm, f.state("memory").State)
	assert.Empty(t, f.state("memory").Actions)
	assert.Empty(t, f.sent())
	delete(f.account.Resources, aws.AlarmType+"::memory")
	f.save()
	require.NoError(t, f.service.Evaluate())
	states, err := f.service.States()
	require.NoError(t, err)
	assert.Empty(t, states)
}
