package scaling

import (
	"fmt"
	"slices"
	"time"

	"berth/rehearsal/aws"
)

// targetKey is an instance in a target group, by its ARN.
type targetKey struct{ group, instance string }

// Server is one of a backend of the load balancer's program: an instance in a target group.
type Server struct{ Backend, Name string }

// Status is what the program tells of a server.
type Status struct {
	// Up says whether its health checks are good.
	Up bool
	// Connections are those that are open, requests that it answers.
	Connections int
}

// Requests are those that a target group's targets were chosen for, and the answers with 5xx that are the load balancer's own.
type Requests struct{ Count, Errors int }

func (r Requests) plus(other Requests) Requests {
	return Requests{r.Count + other.Count, r.Errors + other.Errors}
}

// Counter is where requests are counted: a backend in one of the processes of the load balancer's program, each of which begins at
// nothing.
type Counter struct{ Process, Backend string }

// The states of a target, as AWS writes them.
const (
	stateInitial   = "initial"
	stateHealthy   = "healthy"
	stateUnhealthy = "unhealthy"
	stateDraining  = "draining"
)

// target is what the engine knows of an instance in a target group.
type target struct {
	state string
	// since is when it was registered, or began to drain.
	since time.Time
	// address and port are where it is.
	address string
	port    int
}

// settled is how long a target drains at least, so that what the program tells of its connections is not from before.
const settled = 2 * time.Second

// registered are the targets that the account has.
func registered(account *aws.Account) map[targetKey]*target {
	all := map[targetKey]*target{}
	add := func(group *aws.Resource, id string, port int) {
		if instance := account.Resources[instanceType+"::"+id]; instance != nil && group != nil {
			if port == 0 {
				port = aws.Number(group.Outputs, "port")
			}
			all[targetKey{group.ID, id}] = &target{state: stateInitial, address: aws.Text(instance.Outputs, "privateIp"), port: port}
		}
	}
	find := func(arn string) *aws.Resource { return account.Resources[aws.TargetGroupType+"::"+arn] }
	for _, attachment := range account.OfType(aws.TargetAttachmentType) {
		add(find(aws.Text(attachment.Outputs, "targetGroupArn")), aws.Text(attachment.Outputs, "targetId"), aws.Number(attachment.Outputs, "port"))
	}
	for _, group := range account.OfType(aws.GroupType) {
		for _, instance := range account.Instances(group) {
			if aws.Text(instance.Outputs, "lifecycleState") != inService {
				continue
			}
			for _, arn := range aws.Texts(group.Outputs, "targetGroupArns") {
				if !slices.Contains(aws.Texts(instance.Outputs, "deregisteredFrom"), arn) {
					add(find(arn), instance.ID, 0)
				}
			}
		}
	}
	return all
}

// balance follows the account's targets and their health, and has the load balancer's program follow.
func (e *Engine) balance(account *aws.Account, now time.Time) error {
	if len(account.OfType(aws.LoadBalancerType)) == 0 {
		e.targets = nil
		return nil
	}
	servers, requests, err := e.Balancer.Servers()
	if err != nil {
		// Before its first configuration it runs nowhere; without an answer nothing is known to be healthy or not.
		servers, requests = nil, nil
	}
	e.observe(account, servers, now)
	e.count(requests)
	config, err := e.configure(account)
	if err != nil {
		return err
	}
	return e.Balancer.Apply(config)
}

// observe takes what the account and the load balancer's program say into the targets.
func (e *Engine) observe(account *aws.Account, servers map[Server]Status, now time.Time) {
	wanted := registered(account)
	if e.targets == nil {
		e.targets = map[targetKey]*target{}
	}
	for key, one := range wanted {
		if known := e.targets[key]; known == nil || known.state == stateDraining {
			one.since = now
			e.targets[key] = one
		}
	}
	for key, one := range e.targets {
		group := account.Resources[aws.TargetGroupType+"::"+key.group]
		if group == nil || account.Resources[instanceType+"::"+key.instance] == nil {
			delete(e.targets, key)
			continue
		}
		status, known := servers[Server{backend(group), key.instance}]
		if wanted[key] == nil {
			e.drain(key, one, group, status, known, now)
			continue
		}
		one.observe(group, status, known, now)
	}
}

func (e *Engine) drain(key targetKey, one *target, group *aws.Resource, status Status, known bool, now time.Time) {
	if one.state != stateDraining {
		one.state, one.since = stateDraining, now
		e.say(fmt.Sprintf("%s: %s drains", backend(group), key.instance))
		return
	}
	age := now.Sub(one.since)
	if age >= seconds(group.Outputs, "deregistrationDelay", 300) || known && status.Connections == 0 && age >= settled {
		delete(e.targets, key)
		e.say(fmt.Sprintf("%s: %s is deregistered", backend(group), key.instance))
	}
}

// observe takes in a health check. A target that was never healthy is initial until as many checks failed as make it unhealthy.
func (t *target) observe(group *aws.Resource, status Status, known bool, now time.Time) {
	if !known {
		return
	}
	check := aws.Object(group.Outputs, "healthCheck")
	failed := seconds(check, "interval", 30) * time.Duration(numberOr(check, "unhealthyThreshold", 2))
	switch {
	case status.Up:
		t.state = stateHealthy
	case t.state == stateHealthy, t.state == stateInitial && now.Sub(t.since) > failed:
		t.state = stateUnhealthy
	}
}

// unhealthy says whether one of the target groups finds an instance unhealthy.
func (e *Engine) unhealthy(instance string) bool {
	for key, one := range e.targets {
		if key.instance == instance && one.state == stateUnhealthy {
			return true
		}
	}
	return false
}

// serves says whether an instance is still a target.
func (e *Engine) serves(instance string) bool {
	for key := range e.targets {
		if key.instance == instance {
			return true
		}
	}
	return false
}
