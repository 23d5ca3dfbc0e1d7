package cloudwatch

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"berth/rehearsal/aws"
)

// AWS's names of the states of an alarm.
const (
	stateOK           = "OK"
	stateAlarm        = "ALARM"
	stateInsufficient = "INSUFFICIENT_DATA"
)

// slack is how many periods further back than it needs an alarm looks for data, so that data that is late is not data
// that is missing. Source: CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data".
const slack = 2

// State is what an alarm says. Actions are those that its last change set off.
type State struct {
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason"`
	Actions []string  `json:"actions"`
}

// alarm is what the account holds of one.
type alarm struct {
	name, arn, description string
	namespace, metric      string
	dimensions             map[string]string
	statistic, comparison  string
	threshold              float64
	// periods are evaluated, needed of them have to be bad.
	periods, needed int
	missing         string
	enabled         bool
	// actions by state.
	actions map[string][]string
}

func (a alarm) region() string { return strings.Split(a.arn, ":")[3] }

func alarmOf(resource *aws.Resource) alarm {
	text := func(key string) string { value, _ := resource.Outputs[key].(string); return value }
	number := func(key string) float64 { value, _ := resource.Outputs[key].(float64); return value }
	texts := func(key string) (all []string) {
		items, _ := resource.Outputs[key].([]any)
		for _, item := range items {
			all = append(all, fmt.Sprint(item))
		}
		return all
	}
	a := alarm{
		name: resource.ID, arn: text("arn"), description: text("alarmDescription"),
		namespace: text("namespace"), metric: text("metricName"), dimensions: map[string]string{},
		statistic: text("statistic"), comparison: text("comparisonOperator"), threshold: number("threshold"),
		periods: int(number("evaluationPeriods")), needed: int(number("datapointsToAlarm")), missing: text("treatMissingData"),
		actions: map[string][]string{
			stateAlarm: texts("alarmActions"), stateOK: texts("okActions"), stateInsufficient: texts("insufficientDataActions"),
		},
	}
	a.enabled, _ = resource.Outputs["actionsEnabled"].(bool)
	if a.needed == 0 {
		a.needed = a.periods
	}
	dimensions, _ := resource.Outputs["dimensions"].(map[string]any)
	for name, value := range dimensions {
		a.dimensions[name] = fmt.Sprint(value)
	}
	return a
}

// Evaluate holds every alarm of the account against the datapoints up to now. PutMetricData does so too; it is called
// every minute as well, since a stopped server sends nothing.
func (s *Service) Evaluate() error {
	account, err := aws.Read(s.account)
	if err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.evaluate(account, s.now().UTC())
}

// States are the alarms' states by name.
func (s *Service) States() (map[string]State, error) {
	states := map[string]State{}
	return states, read(filepath.Join(s.dir, alarmsFile), &states)
}

func (s *Service) evaluate(account *aws.Account, now time.Time) error {
	points, err := s.points()
	if err != nil {
		return err
	}
	before, err := s.States()
	if err != nil {
		return err
	}
	after := map[string]State{}
	for _, resource := range account.OfType(aws.AlarmType) {
		a := alarmOf(resource)
		old, known := before[a.name]
		if !known {
			old = State{State: stateInsufficient, Since: resource.Created, Reason: "Unchecked: Initial alarm creation", Actions: []string{}}
		}
		state, reason := a.judge(points, old.State, now, s.period)
		if state == old.State {
			after[a.name] = old
			continue
		}
		changed := State{State: state, Since: now, Reason: reason, Actions: []string{}}
		if a.enabled {
			changed.Actions = append(changed.Actions, a.actions[state]...)
		}
		after[a.name] = changed
		if err := s.notify(account, a, old, changed); err != nil {
			return err
		}
	}
	return replace(filepath.Join(s.dir, alarmsFile), after)
}

// judge tells an alarm's state.
func (a alarm) judge(points []Datapoint, old string, now time.Time, period time.Duration) (state, reason string) {
	periods := map[time.Time][]float64{}
	for _, p := range points {
		if p.Region == a.region() && p.Namespace == a.namespace && p.Metric == a.metric && maps.Equal(p.Dimensions, a.dimensions) && !p.Time.After(now) {
			began := p.Time.UTC().Truncate(period)
			periods[began] = append(periods[began], p.Value)
		}
	}
	// The newest periods that have data, as many as are evaluated.
	var values []float64
	for i := range a.periods + slack {
		if one := periods[now.Truncate(period).Add(-time.Duration(i)*period)]; len(one) > 0 && len(values) < a.periods {
			values = append(values, statistic(a.statistic, one))
		}
	}
	bad := 0
	for _, value := range values {
		if a.breaches(value) {
			bad++
		}
	}
	absent := a.periods - len(values)
	seen := fmt.Sprintf("%d datapoints were evaluated, %v, and %d missing ones treated as %s; %d of them are %s %v",
		len(values), values, absent, a.missing, bad, a.comparison, a.threshold)
	switch {
	case absent > 0 && a.missing == "breaching":
		bad += absent
	case absent > 0 && a.missing == "ignore":
		return old, ""
	case absent > 0 && a.missing == "missing" && len(values) == 0:
		return stateInsufficient, "Insufficient Data: no datapoints were received"
	case absent > 0 && a.missing == "missing" && bad == len(values):
		bad = a.needed // What is there is bad throughout.
	}
	if bad >= a.needed {
		return stateAlarm, "Threshold Crossed: " + seen
	}
	return stateOK, "Threshold not crossed: " + seen
}

func (a alarm) breaches(value float64) bool {
	switch a.comparison {
	case "GreaterThanThreshold":
		return value > a.threshold
	case "GreaterThanOrEqualToThreshold":
		return value >= a.threshold
	case "LessThanThreshold":
		return value < a.threshold
	default:
		return value <= a.threshold
	}
}

// statistic makes one value of a period's.
func statistic(name string, values []float64) float64 {
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	switch name {
	case "SampleCount":
		return float64(len(values))
	case "Sum":
		return sum
	case "Minimum":
		return slices.Min(values)
	case "Maximum":
		return slices.Max(values)
	default:
		return sum / float64(len(values))
	}
}
