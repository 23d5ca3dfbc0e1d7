package scaling

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"berth/rehearsal/aws"
)

// Target tracking's alarms. Source: Application Auto Scaling and EC2 Auto Scaling User Guides, "Target tracking scaling policies": a
// group grows after three minutes above the value, and shrinks after fifteen below nine tenths of it.
const (
	periodsAbove = 3
	periodsBelow = 15
	belowPart    = 0.9
)

// load is what the engine knows of the groups' processors.
type load struct {
	samples []sample
	// began is when the period began that is measured now, above and below how many before it were, by group.
	began        time.Time
	above, below map[string]int
}

// sample is the use of an instance's processors at a time, in percent of all that it has.
type sample struct {
	at       time.Time
	instance string
	percent  float64
}

// Measure takes one sample of every instance in service of a group with a policy.
func (e *Engine) Measure(ctx context.Context) error {
	account, err := aws.Read(e.Dir)
	if err != nil {
		return err
	}
	sizes := map[string]int{}
	for _, policy := range account.OfType(aws.ScalingPolicyType) {
		for _, instance := range serving(account, aws.Text(policy.Outputs, "autoscalingGroupName")) {
			// More than this machine has no host gets.
			sizes[instance.ID] = max(1, min(runtime.NumCPU(), aws.VCPUs(aws.Text(instance.Outputs, "instanceType"))))
		}
	}
	if len(sizes) == 0 {
		return nil
	}
	ids := make([]string, 0, len(sizes))
	for id := range sizes {
		ids = append(ids, id)
	}
	used, err := e.World.Usage(ctx, ids)
	if err != nil {
		return err
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	now := e.Now()
	for id, percent := range used {
		e.load.samples = append(e.load.samples, sample{now, id, percent / float64(sizes[id])})
	}
	return nil
}

// serving are the instances in service of the group with the name.
func serving(account *aws.Account, name string) []*aws.Resource {
	group := account.Resources[aws.GroupType+"::"+name]
	if group == nil {
		return nil
	}
	return slices.DeleteFunc(account.Instances(group), func(instance *aws.Resource) bool {
		return aws.Text(instance.Outputs, "lifecycleState") != inService
	})
}

// Track holds the groups' processors against their policies, at the end of a period.
func (e *Engine) Track() error {
	e.lock.Lock()
	defer e.lock.Unlock()
	now := e.Now()
	if e.load.began.IsZero() {
		e.load.began = now
	}
	if now.Sub(e.load.began) < e.Period {
		return nil
	}
	account, err := aws.Read(e.Dir)
	if err != nil {
		return err
	}
	wanted := map[string]int{}
	for _, policy := range account.OfType(aws.ScalingPolicyType) {
		if group := account.Resources[aws.GroupType+"::"+aws.Text(policy.Outputs, "autoscalingGroupName")]; group != nil {
			if size := e.track(account, group, policy); size != desired(group) {
				wanted[group.ID] = size
			}
		}
	}
	e.load.began, e.load.samples = now, nil
	if len(wanted) == 0 {
		return nil
	}
	return aws.Change(e.Dir, func(account *aws.Account) error {
		for name, size := range wanted {
			if group := account.Resources[aws.GroupType+"::"+name]; group != nil {
				e.say(fmt.Sprintf("%s: %d instances instead of %d, for its processors", name, size, desired(group)))
				group.Outputs["desiredCapacity"] = float64(size)
			}
		}
		return nil
	})
}

// track gives the size that a group should have after the period that ended.
func (e *Engine) track(account *aws.Account, group, policy *aws.Resource) int {
	size := desired(group)
	instances := serving(account, group.ID)
	goal := targetOf(policy)
	average, measured := e.average(instances)
	if e.load.above == nil {
		e.load.above, e.load.below = map[string]int{}, map[string]int{}
	}
	above, below := e.load.above[group.ID]+1, e.load.below[group.ID]+1
	// A group that has just changed is not judged by what it was.
	if !measured || len(account.Instances(group)) != len(instances) || len(instances) != size || average <= goal {
		above = 0
	}
	if !measured || len(account.Instances(group)) != len(instances) || len(instances) != size || average >= belowPart*goal {
		below = 0
	}
	switch {
	case above >= periodsAbove:
		size, above = min(aws.Number(group.Outputs, "maxSize"), int(math.Ceil(float64(size)*average/goal))), 0
	case below >= periodsBelow:
		size, below = max(aws.Number(group.Outputs, "minSize"), size-1), 0
	}
	e.load.above[group.ID], e.load.below[group.ID] = above, below
	return size
}

func targetOf(policy *aws.Resource) float64 {
	goal, _ := aws.Object(policy.Outputs, "targetTrackingConfiguration")["targetValue"].(float64)
	return goal
}

// average is that of the samples of instances.
func (e *Engine) average(instances []*aws.Resource) (percent float64, measured bool) {
	sum, count := 0.0, 0
	for _, one := range e.load.samples {
		if slices.ContainsFunc(instances, func(instance *aws.Resource) bool { return instance.ID == one.instance }) {
			sum, count = sum+one.percent, count+1
		}
	}
	if count == 0 {
		return 0, false
	}
	return sum / float64(count), true
}
