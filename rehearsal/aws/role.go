package aws

import (
	"fmt"
)

// Role is who asks: a name, and the policies that say what it may.
type Role struct {
	Name     string
	Policies []string
}

// As has every request of the provider decided by the role's policies. Without a role it may do everything.
func (p *Provider) As(role *Role) { p.role = role }

// Observe has every request of the provider reported before it is decided on.
func (p *Provider) Observe(observe func(Request)) { p.observe = observe }

// authorize decides on the requests of an operation. What a person does by hand is the person's.
func (p *Provider) authorize(operation string, c *call) error {
	if p.byHand || p.role == nil && p.observe == nil {
		return nil
	}
	return p.decide(requestsOf(operation, c))
}

func (p *Provider) decide(all []need) error {
	for _, request := range all {
		if p.observe != nil {
			p.observe(request.Request)
		}
		if p.role == nil {
			continue
		}
		decision, err := p.role.decide(request.Request)
		switch {
		case err != nil:
			return fmt.Errorf("decide whether %s may %s: %w", p.role.Name, request.Action, err)
		case decision == Allowed:
		case request.refused != nil:
			request.refused()
		default:
			return p.role.denied(request.Request, decision)
		}
	}
	return nil
}

// decide asks all of the role's policies: one of them allows, and none denies.
func (r *Role) decide(request Request) (Decision, error) {
	all := ImplicitDeny
	for _, policy := range r.Policies {
		decision, err := Decide(policy, request.Action, request.Resource, request.Context)
		if err != nil {
			return "", err
		}
		if decision == ExplicitDeny {
			return decision, nil
		}
		if decision == Allowed {
			all = decision
		}
	}
	return all, nil
}

// denied is AWS's answer to what a role may not do.
func (r *Role) denied(request Request, decision Decision) error {
	service, operation := request.split()
	why := "because no identity-based policy allows the " + request.Action + " action"
	if decision == ExplicitDeny {
		why = "with an explicit deny in an identity-based policy"
	}
	code, message := "AccessDenied", ""
	if service == "EC2" {
		code, message = "UnauthorizedOperation", "You are not authorized to perform this operation. "
	}
	return fmt.Errorf("operation error %s: %s, https response error StatusCode: 403, RequestID: %s, api error %s: %sUser: arn:aws:sts::%s:assumed-role/berth-%s/rehearsal is not authorized to perform: %s on resource: %s %s",
		service, operation, newHex(32), code, message, number, r.Name, request.Action, request.Resource, why)
}
