package scaling

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
	"berth/rehearsal/cloudwatch"
)

// measured are the values of a metric that CloudWatch has of the engine, by the time of their period.
func (f *fixture) measured(metric string, dimensions map[string]string) map[string][]float64 {
	f.t.Helper()
	var points []cloudwatch.Datapoint
	text, err := os.ReadFile(filepath.Join(f.Metrics, "measured.json"))
	require.NoError(f.t, err)
	require.NoError(f.t, json.Unmarshal(text, &points))
	found := map[string][]float64{}
	for _, point := range points {
		if point.Metric == metric && assert.ObjectsAreEqual(dimensions, point.Dimensions) {
			assert.Equal(f.t, "eu-central-1", point.Region)
			at := point.Time.Format(time.TimeOnly)
			found[at] = append(found[at], point.Value)
		}
	}
	return found
}

var (
	wholeSite   = map[string]string{"LoadBalancer": "app/site/1"}
	siteTargets = map[string]string{"LoadBalancer": "app/site/1", "TargetGroup": "targetgroup/site/1"}
)

// TestTheStatisticsOfHAProxy: what it wrote, shortened to the columns that are read, after two requests that the target answered, one that
// it answered with 503, two that it refused, and one when there was no target.
func TestTheStatisticsOfHAProxy(t *testing.T) {
	rows, err := readStats("# pxname,svname,scur,stot,status,check_status,hrsp_5xx,\n" +
		"listener-443,FRONTEND,1,6,OPEN,,4,\n" +
		"site,i-first,1,3,UP,* L7OK,1,\nsite,BACKEND,1,3,UP,,1,\n" +
		"site.any,i-first,0,2,no check,,0,\nsite.any,BACKEND,0,3,UP,,3,\n" +
		"site,i-cut")
	require.NoError(t, err)
	servers, requests := map[Server]Status{}, map[Counter]Requests{}
	addServers(servers, rows, true)
	addRequests(requests, rows, "17")
	assert.Equal(t, map[Server]Status{{"site", "i-first"}: {Up: true, Connections: 1}}, servers)
	assert.Equal(t, map[Counter]Requests{{"17", "site"}: {Count: 5, Errors: 3}}, requests)
	_, err = readStats("")
	require.ErrorContains(t, err, "read HAProxy's statistics")
}

// TestRequestsOfAPeriod are those since it began, of all processes.
func TestRequestsOfAPeriod(t *testing.T) {
	f := newFixture(t, 0, 0)
	f.now = f.now.Add(10 * time.Second)
	f.counted = map[Counter]Requests{{"7", "site"}: {1000, 100}}
	f.step(0)
	f.counted = map[Counter]Requests{{"7", "site"}: {1030, 100}, {"7", "challenge"}: {2, 0}}
	f.step(10 * time.Second)
	// The configuration changed: another process begins, and the one of before ends.
	f.counted = map[Counter]Requests{{"7", "site"}: {1035, 101}, {"8", "site"}: {4, 0}}
	f.step(10 * time.Second)
	f.counted = map[Counter]Requests{{"8", "site"}: {5, 2}}
	f.step(10 * time.Second)
	f.step(20 * time.Second)
	// Without an answer nothing is counted, and nothing twice.
	f.counted = nil
	f.step(10 * time.Second)
	f.counted = map[Counter]Requests{{"8", "site"}: {6, 2}}
	f.step(50 * time.Second)
	assert.Equal(t, map[string][]float64{"03:00:00": {42}, "03:01:00": {1}}, f.measured("RequestCount", wholeSite))
	assert.Equal(t, map[string][]float64{"03:00:00": {3}}, f.measured("HTTPCode_ELB_5XX_Count", wholeSite), "no errors, no figure")
}

// TestHostsOfAPeriod are the least and the most there were.
func TestHostsOfAPeriod(t *testing.T) {
	f := newFixture(t, 1, 1)
	f.step(0)
	ids, _ := f.group()
	f.join(ids[0])
	f.step(time.Second)
	f.healthy("i-first", ids[0])
	f.step(59 * time.Second)
	f.step(20 * time.Second)
	f.healthy(ids[0])
	f.step(10 * time.Second)
	f.step(30 * time.Second)
	f.step(time.Minute)
	assert.Equal(t, map[string][]float64{"03:00:00": {0}, "03:01:00": {1, 2}, "03:02:00": {1}}, f.measured("HealthyHostCount", siteTargets))
	assert.Equal(t, map[string][]float64{"03:00:00": {0}, "03:01:00": {0, 1}, "03:02:00": {1}}, f.measured("UnHealthyHostCount", siteTargets))
	group := map[string]string{"AutoScalingGroupName": "web"}
	assert.Equal(t, map[string][]float64{"03:00:00": {0, 1}, "03:01:00": {1}, "03:02:00": {1}}, f.measured("GroupInServiceInstances", group))
	f.change(func(a *aws.Account) { delete(a.Resources[aws.GroupType+"::web"].Outputs, "enabledMetrics") })
	f.step(time.Minute)
	f.step(time.Minute)
	assert.Len(t, f.measured("GroupInServiceInstances", group), 4, "what is not enabled is not counted")
}

// TestNoTargetNoFigure: a target group without a target has no count, and one that drains is none.
func TestNoTargetNoFigure(t *testing.T) {
	f := newFixture(t, 0, 0)
	f.step(0)
	f.step(time.Minute)
	f.change(func(a *aws.Account) { delete(a.Resources, aws.TargetAttachmentType+"::a-2") })
	f.step(time.Second)
	assert.Equal(t, stateDraining, f.targets[targetKey{siteARN, "i-first"}].state)
	f.step(59 * time.Second)
	f.step(time.Minute)
	f.step(time.Minute)
	assert.Equal(t, map[string][]float64{"03:00:00": {0}, "03:01:00": {0}}, f.measured("HealthyHostCount", siteTargets))
	assert.Len(t, f.measured("HealthyHostCount", map[string]string{"LoadBalancer": "app/site/1", "TargetGroup": "targetgroup/challenge/1"}), 4)
}

// TestAlarmsOnWhatTheEngineSees goes all the way: the load balancer's program finds a target unhealthy, and CloudWatch sends a mail.
func TestAlarmsOnWhatTheEngineSees(t *testing.T) {
	for _, test := range []struct {
		well   bool
		errors int
		want   string
	}{{true, 20, "OK"}, {false, 21, "ALARM"}} {
		t.Run(test.want, func(t *testing.T) {
			f := newFixture(t, 0, 0)
			// CloudWatch has the clock of this machine.
			f.now = time.Now().UTC().Truncate(time.Minute).Add(-13 * time.Minute)
			f.alarms()
			f.counted = map[Counter]Requests{{"7", "site"}: {}}
			f.step(0)
			if f.healthy(); test.well {
				f.healthy("i-first")
			}
			for range 12 * 6 {
				f.step(10 * time.Second)
			}
			f.counted = map[Counter]Requests{{"7", "site"}: {Count: 50, Errors: test.errors}}
			f.step(10 * time.Second)
			f.step(50 * time.Second)

			service := cloudwatch.New(f.Dir, f.Metrics, time.Minute)
			require.NoError(t, service.Evaluate())
			states, err := service.States()
			require.NoError(t, err)
			mails, err := os.ReadFile(filepath.Join(f.Metrics, "notifications.jsonl"))
			require.NoError(t, err)
			for _, name := range []string{"unhealthy server", "no healthy server", "load balancer errors"} {
				assert.Equal(t, test.want, states[name].State, states[name].Reason)
				assert.Contains(t, states[name].Reason, " 0 missing ones", name)
				assert.Contains(t, string(mails), `"endpoint":"ops@example.test","subject":"`+test.want+`: \"`+name+`\" in eu-central-1"`)
			}
		})
	}
}

// alarms are those that infra declares, as far as CloudWatch evaluates them, with mail to somebody.
func (f *fixture) alarms() {
	const topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
	f.change(func(a *aws.Account) {
		a.Resources[aws.TopicType+"::"+topic] = &aws.Resource{Type: aws.TopicType, ID: topic, Outputs: map[string]any{}}
		a.Resources[aws.SubscriptionType+"::"+topic] = &aws.Resource{Type: aws.SubscriptionType, ID: topic, Outputs: map[string]any{
			"topic": topic, "protocol": "email", "endpoint": "ops@example.test",
		}}
		put := func(name, metric, comparison, statistic string, threshold, periods float64, dimensions map[string]any) {
			a.Resources[aws.AlarmType+"::"+name] = &aws.Resource{Type: aws.AlarmType, ID: name, Created: f.now, Outputs: map[string]any{
				"arn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:" + name, "namespace": "AWS/ApplicationELB", "metricName": metric, "dimensions": dimensions,
				"statistic": statistic, "comparisonOperator": comparison, "threshold": threshold, "evaluationPeriods": periods, "treatMissingData": "notBreaching",
				"actionsEnabled": true, "alarmActions": []any{topic}, "okActions": []any{topic},
			}}
		}
		targets := map[string]any{"LoadBalancer": "app/site/1", "TargetGroup": "targetgroup/site/1"}
		put("unhealthy server", "UnHealthyHostCount", "GreaterThanThreshold", "Maximum", 0, 10, targets)
		put("no healthy server", "HealthyHostCount", "LessThanThreshold", "Maximum", 1, 2, targets)
		put("load balancer errors", "HTTPCode_ELB_5XX_Count", "GreaterThanThreshold", "Sum", 20, 1, map[string]any{"LoadBalancer": "app/site/1"})
	})
}
