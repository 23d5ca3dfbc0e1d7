package scaling

import (
	"slices"
	"strings"
	"time"

	"berth/rehearsal/aws"
	"berth/rehearsal/cloudwatch"
)

// Namespaces and names of metrics. Source: Elastic Load Balancing User Guide for Application Load Balancers, "CloudWatch metrics", and EC2
// Auto Scaling User Guide, "Amazon CloudWatch metrics for Amazon EC2 Auto Scaling".
const (
	balancerMetrics, groupMetrics = "AWS/ApplicationELB", "AWS/AutoScaling"

	healthyHosts, unhealthyHosts    = "HealthyHostCount", "UnHealthyHostCount"
	requestCount, balancerErrors    = "RequestCount", "HTTPCode_ELB_5XX_Count"
	balancerDimension, hasInService = "LoadBalancer", "GroupInServiceInstances"
)

// metrics are what is measured of a period that is not over yet.
type metrics struct {
	// began is when it began: a whole number of periods, so that CloudWatch has one of each.
	began time.Time
	// before are the counters when they were read last; nil before the first time.
	before map[Counter]Requests
	// requests are those of the period by backend, levels the lowest and the highest of what goes up and down.
	requests map[string]Requests
	levels   map[level]span
}

// level is something that goes up and down: a metric of a target group or of a group of instances, by its ARN or name.
type level struct{ metric, of string }

type span struct{ least, most int }

// count adds the requests since the counters were read last. What a process answers between that and its end is lost.
func (e *Engine) count(counters map[Counter]Requests) {
	if counters == nil {
		return
	}
	if e.metrics.requests == nil {
		e.metrics.requests = map[string]Requests{}
	}
	for key, now := range counters {
		// What was before the engine is of no period that it knows.
		if e.metrics.before != nil {
			was := e.metrics.before[key]
			e.metrics.requests[key.Backend] = e.metrics.requests[key.Backend].plus(Requests{max(0, now.Count-was.Count), max(0, now.Errors-was.Errors)})
		}
	}
	e.metrics.before = counters
}

// report takes in what is to be seen now. At the end of a period, it hands to CloudWatch what there was in it.
func (e *Engine) report(account *aws.Account, now time.Time) error {
	began := now.UTC().Truncate(e.Period)
	var err error
	if ended := e.metrics.began; !ended.IsZero() && began.After(ended) {
		if points := e.points(account, ended); len(points) > 0 {
			err = cloudwatch.Measured(e.Metrics, points, now)
		}
		e.metrics.requests, e.metrics.levels = nil, nil
	}
	e.metrics.began = began
	e.see(account)
	return err
}

// see takes in how many targets and instances there are.
func (e *Engine) see(account *aws.Account) {
	if e.metrics.levels == nil {
		e.metrics.levels = map[level]span{}
	}
	saw := func(metric, of string, value int) {
		seen, before := e.metrics.levels[level{metric, of}]
		if !before {
			seen = span{value, value}
		}
		e.metrics.levels[level{metric, of}] = span{min(seen.least, value), max(seen.most, value)}
	}
	for _, group := range account.OfType(aws.TargetGroupType) {
		targets, healthy, unhealthy := 0, 0, 0
		for key, one := range e.targets {
			if key.group != group.ID || one.state == stateDraining {
				continue
			}
			targets++
			switch one.state {
			case stateHealthy:
				healthy++
			case stateUnhealthy:
				unhealthy++
			}
		}
		if targets > 0 { // Without a target there is no figure.
			saw(healthyHosts, group.ID, healthy)
			saw(unhealthyHosts, group.ID, unhealthy)
		}
	}
	for _, group := range account.OfType(aws.GroupType) {
		if slices.Contains(aws.Texts(group.Outputs, "enabledMetrics"), hasInService) {
			saw(hasInService, group.ID, len(serving(account, group.ID)))
		}
	}
}

// points are the datapoints of the period that began at a time.
func (e *Engine) points(account *aws.Account, at time.Time) (all []cloudwatch.Datapoint) {
	add := func(region, namespace, metric string, dimensions map[string]string, values ...int) {
		for _, value := range values {
			all = append(all, cloudwatch.Datapoint{
				Region: region, Namespace: namespace, Metric: metric, Dimensions: dimensions, Time: at, Value: float64(value), Unit: "Count",
			})
		}
	}
	levels := func(region, namespace, metric, of string, dimensions map[string]string) {
		if seen, is := e.metrics.levels[level{metric, of}]; is {
			add(region, namespace, metric, dimensions, slices.Compact([]int{seen.least, seen.most})...)
		}
	}
	for _, balancer := range account.OfType(aws.LoadBalancerType) {
		region, name := regionOf(balancer.ID), aws.Text(balancer.Outputs, "arnSuffix")
		var sum Requests
		for _, group := range account.OfType(aws.TargetGroupType) {
			dimensions := map[string]string{balancerDimension: name, "TargetGroup": aws.Text(group.Outputs, "arnSuffix")}
			levels(region, balancerMetrics, healthyHosts, group.ID, dimensions)
			levels(region, balancerMetrics, unhealthyHosts, group.ID, dimensions)
			sum = sum.plus(e.metrics.requests[backend(group)])
		}
		whole := map[string]string{balancerDimension: name}
		add(region, balancerMetrics, requestCount, whole, sum.Count)
		if sum.Errors > 0 { // Without an error there is no figure.
			add(region, balancerMetrics, balancerErrors, whole, sum.Errors)
		}
	}
	for _, group := range account.OfType(aws.GroupType) {
		levels(regionOf(aws.Text(group.Outputs, "arn")), groupMetrics, hasInService, group.ID, map[string]string{"AutoScalingGroupName": group.ID})
	}
	return all
}

// regionOf is the region of an ARN.
func regionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 5); len(parts) == 5 {
		return parts[3]
	}
	return ""
}
