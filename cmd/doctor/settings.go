package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// examples is the network that Pulumi.production.yaml shows, which nobody has. Source: RFC 5737.
var examples = netip.MustParsePrefix("203.0.113.0/24")

// readable looks whether the settings can be read and are sound.
func (d *doctor) readable(ctx context.Context) finding {
	read, err := d.stack(ctx)
	var known *unreadable
	switch {
	case errors.As(err, &known):
		return fail(known.fix, "%s", known.reason)
	case err != nil:
		return fail("", "they cannot be read: %s", err)
	}
	if read.problems != nil {
		wrong := fmt.Sprintf("%d settings of stack %s are wrong", len(read.problems.List), read.name)
		if len(read.problems.List) == 1 {
			wrong = "one setting of stack " + read.name + " is wrong"
		}
		found := fail("", "%s; the command that fixes it stands beside each", wrong)
		for _, problem := range read.problems.List {
			found.Details = append(found.Details, problem.String())
		}
		return found
	}
	for i, network := range read.config.OperatorCIDRs {
		if examples.Overlaps(network) {
			return warn(fmt.Sprintf("pulumi config set --path 'berth:operatorCidrs[%d]' ADDRESS/32", i), "berth:operatorCidrs[%d] is %s, an example's network: SSH would be open to nobody, pulumi up among them", i, network)
		}
	}
	return fine("stack %s: %s, from %s, in %s", read.name, read.config.Domain, read.config.Repository, read.config.Region)
}
