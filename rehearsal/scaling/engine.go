// Package scaling stands in for EC2 Auto Scaling and Elastic Load Balancing: it launches, replaces and ends the instances of the
// account's groups, configures the load balancer, and answers the API that servers ask.
package scaling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"berth/rehearsal/aws"
)

// World are the hosts behind the account.
type World interface {
	aws.World
	// RunningHosts are the instances whose hosts run.
	RunningHosts(ctx context.Context) (map[string]bool, error)
	// Usage is how much of a processor each instance's host uses now, in percent of one.
	Usage(ctx context.Context, instances []string) (map[string]float64, error)
	// Issue makes the certificate of Certificate Manager with the id, for names, and gives its file.
	Issue(id string, names []string) (string, error)
}

// Balancer is the load balancer's program.
type Balancer interface {
	// Apply makes it follow a configuration. A server that is new to it is unhealthy at first.
	Apply(config string) error
	// Servers tells of each server of each backend, and of the requests of each backend.
	Servers() (map[Server]Status, map[Counter]Requests, error)
}

// Engine is the one of an account.
type Engine struct {
	// Dir is the folder of the account.
	Dir      string
	World    World
	Balancer Balancer
	// Period is how long each period of an alarm lasts.
	Period time.Duration
	// Metrics is the folder of CloudWatch's files.
	Metrics string
	// Say hears of what it does.
	Say io.Writer
	// Now is the clock.
	Now func() time.Time

	lock    sync.Mutex
	targets map[targetKey]*target
	// away is since when a host does not run.
	away map[string]time.Time
	// trouble is when a change failed for the last time.
	trouble time.Time
	load    load
	metrics metrics
}

// awayFor is how long a host does not run before its instance counts as stopped: a host that reboots is away for a moment.
const awayFor = 5 * time.Second

// again is how long after a failure the next change is tried.
const again = 10 * time.Second

// Step checks the account once and does what it takes.
func (e *Engine) Step(ctx context.Context) error {
	e.lock.Lock()
	defer e.lock.Unlock()
	now := e.Now()
	account, err := aws.Read(e.Dir)
	if err != nil {
		return err
	}
	running, err := e.World.RunningHosts(ctx)
	if err != nil {
		return err
	}
	e.watch(account, running, now)
	err = errors.Join(e.balance(account, now), e.report(account, now))
	if now.Sub(e.trouble) >= again {
		if failed := e.keep(ctx, account, now); failed != nil {
			e.trouble = now
			err = errors.Join(err, failed)
		}
	}
	return err
}

// watch remembers since when hosts do not run.
func (e *Engine) watch(account *aws.Account, running map[string]bool, now time.Time) {
	away := map[string]time.Time{}
	for _, instance := range account.OfType(instanceType) {
		if !running[instance.ID] {
			away[instance.ID] = now
			if since, was := e.away[instance.ID]; was {
				away[instance.ID] = since
			}
		}
	}
	e.away = away
}

// keep changes the account where a group is not what it should be. What there is to do is found out on what was read, and again on
// what the account holds under its lock.
func (e *Engine) keep(ctx context.Context, account *aws.Account, now time.Time) error {
	if changed, _, err := e.decide(account, now); !changed || err != nil {
		return err
	}
	var said []string
	err := aws.Change(e.Dir, func(account *aws.Account) error {
		var changed bool
		var err error
		if changed, said, err = e.decide(account, now); !changed || err != nil {
			return err
		}
		return e.World.Converge(ctx, account)
	})
	if err != nil {
		return err
	}
	for _, line := range said {
		e.say(line)
	}
	return nil
}

func (e *Engine) say(line string) {
	_, _ = fmt.Fprintln(e.Say, e.Now().UTC().Format(time.TimeOnly), line) // Whoever reads it may have gone.
}

// decide brings every group of an account nearer to what it should be. It changes nothing but the account.
func (e *Engine) decide(account *aws.Account, now time.Time) (changed bool, said []string, err error) {
	for _, group := range account.OfType(aws.GroupType) {
		g := &change{Engine: e, account: account, group: group, now: now}
		for _, instance := range account.Instances(group) {
			g.follow(instance)
		}
		if err = g.fill(); err != nil {
			return false, nil, err
		}
		g.shrink()
		changed, said = changed || len(g.said) > 0, append(said, g.said...)
	}
	return changed, said, nil
}

// change is that of one group.
type change struct {
	*Engine
	account *aws.Account
	group   *aws.Resource
	now     time.Time
	said    []string
}

func (g *change) did(format string, args ...any) {
	g.said = append(g.said, g.group.ID+": "+fmt.Sprintf(format, args...))
}

// The states of an instance of a group, as AWS writes them.
const (
	waiting     = "Pending:Wait"
	inService   = "InService"
	terminating = "Terminating"
)

// enter puts an instance into a state, and notes since when it is in it.
func enter(instance *aws.Resource, state string, now time.Time) {
	instance.Outputs["lifecycleState"], instance.Outputs["lifecycleSince"] = state, now.UTC().Format(time.RFC3339Nano)
}

// since is when an instance came into its state.
func since(instance *aws.Resource) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, aws.Text(instance.Outputs, "lifecycleSince")); err == nil {
		return at
	}
	return instance.Created
}

// follow takes an instance on through its life.
func (g *change) follow(instance *aws.Resource) {
	stopped := false
	if at, away := g.away[instance.ID]; away {
		stopped = g.now.Sub(at) >= awayFor
	}
	age := g.now.Sub(since(instance))
	end := func(why string) {
		instance.Outputs["healthStatus"] = "Unhealthy"
		if _, away := g.away[instance.ID]; away {
			instance.Outputs["instanceState"] = "stopped" // So that nothing starts its host again.
		}
		enter(instance, terminating, g.now)
		g.did("%s is terminated: %s", instance.ID, why)
	}
	switch aws.Text(instance.Outputs, "lifecycleState") {
	case waiting:
		switch {
		case stopped:
			end("its host does not run")
		case aws.Text(instance.Outputs, "healthStatus") == "Unhealthy":
			end("it was set unhealthy")
		case age >= g.heartbeat():
			if aws.Text(g.hook(), "defaultResult") == "CONTINUE" {
				enter(instance, inService, g.now)
				g.did("%s is in service: nobody completed its lifecycle action", instance.ID)
			} else {
				end("nobody completed its lifecycle action")
			}
		}
	case inService:
		switch {
		case stopped:
			end("its host does not run")
		case aws.Text(instance.Outputs, "healthStatus") == "Unhealthy":
			end("it was set unhealthy")
		case aws.Text(g.group.Outputs, "healthCheckType") == "ELB" && age >= seconds(g.group.Outputs, "healthCheckGracePeriod", 300) && g.unhealthy(instance.ID):
			end("the load balancer's health check fails")
		}
	case terminating:
		if stopped || !g.serves(instance.ID) {
			g.account.Terminate(instance)
			g.did("%s is gone", instance.ID)
		}
	}
}

// hook is the group's launching hook.
func (g *change) hook() map[string]any {
	for _, hook := range aws.Objects(g.group.Outputs, "initialLifecycleHooks") {
		if aws.Text(hook, "lifecycleTransition") == "autoscaling:EC2_INSTANCE_LAUNCHING" {
			return hook
		}
	}
	return nil
}

func (g *change) heartbeat() time.Duration { return seconds(g.hook(), "heartbeatTimeout", 3600) }

// live are the instances that count, in the order of their launch.
func (g *change) live() []*aws.Resource {
	return slices.DeleteFunc(g.account.Instances(g.group), func(instance *aws.Resource) bool {
		return aws.Text(instance.Outputs, "lifecycleState") == terminating
	})
}

// desired is how many instances the group should have.
func desired(group *aws.Resource) int {
	least, most := aws.Number(group.Outputs, "minSize"), aws.Number(group.Outputs, "maxSize")
	wanted := least
	if _, said := group.Outputs["desiredCapacity"]; said {
		wanted = aws.Number(group.Outputs, "desiredCapacity")
	}
	return max(least, min(most, wanted))
}

// fill launches what is missing, each into the subnet with the fewest.
func (g *change) fill() error {
	for missing := desired(g.group) - len(g.live()); missing > 0; missing-- {
		subnet, _ := g.subnets()
		made, err := g.account.LaunchInstance(g.group, subnet)
		if err != nil {
			return fmt.Errorf("launch an instance of %s: %w", g.group.ID, err)
		}
		enter(made, aws.Text(made.Outputs, "lifecycleState"), g.now)
		g.did("%s is launched in %s", made.ID, subnet)
	}
	return nil
}

// shrink ends what is too much: the oldest in the subnet that has most.
func (g *change) shrink() {
	for surplus := len(g.live()) - desired(g.group); surplus > 0; surplus-- {
		_, fullest := g.subnets()
		for _, instance := range g.live() {
			if aws.Text(instance.Outputs, "subnetId") == fullest {
				enter(instance, terminating, g.now)
				g.did("%s is terminated: the group has more than it should", instance.ID)
				break
			}
		}
	}
}

// subnets are the group's subnets with the fewest and with the most instances.
func (g *change) subnets() (fewest, most string) {
	counts := map[string]int{}
	for _, instance := range g.live() {
		counts[aws.Text(instance.Outputs, "subnetId")]++
	}
	for _, subnet := range aws.Texts(g.group.Outputs, "vpcZoneIdentifiers") {
		if fewest == "" || counts[subnet] < counts[fewest] {
			fewest = subnet
		}
		if most == "" || counts[subnet] > counts[most] {
			most = subnet
		}
	}
	return fewest, most
}
