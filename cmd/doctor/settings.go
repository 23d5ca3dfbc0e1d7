package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// examples is the network that Pulumi.production.yaml shows, which is reserved for documentation. Source: RFC 5737.
var examples = netip.MustParsePrefix("203.0.113.0/24")

// readable checks that the settings can be read and are valid.
func (d *doctor) readable(ctx context.Context) finding {
	read, err := d.stack(ctx)
	var known *unreadable
	switch {
	case errors.As(err, &known):
		return known.finding
	case err != nil:
		return fail("settings-unreadable", "", "they cannot be read: %s", err)
	}
	if read.problems != nil {
		wrong := fmt.Sprintf("%d settings of stack %s are wrong", len(read.problems.List), read.name)
		if len(read.problems.List) == 1 {
			wrong = "one setting of stack " + read.name + " is wrong"
		}
		found := fail("settings-wrong", "", "%s; each is listed with the command that fixes it", wrong)
		for _, problem := range read.problems.List {
			found.Details = append(found.Details, problem.String())
		}
		return found
	}
	for i, network := range read.config.OperatorCIDRs {
		if examples.Overlaps(network) {
			return warn("operator-cidr-of-an-example", fmt.Sprintf("pulumi config set --path 'berth:operatorCidrs[%d]' ADDRESS/32", i), "berth:operatorCidrs[%d] is %s, a network for documentation: no machine, including this one, could connect over SSH", i, network)
		}
	}
	return fine("stack %s: %s, from %s, in %s", read.name, read.config.Domain, read.config.Repository, read.config.Region)
}
