package command

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// arguments is what the SDK's Args types implement: they name their plain struct.
type arguments interface{ ElementType() reflect.Type }

// runner runs one command line with what its resource says of connection, environment and standard input.
type runner func(ctx context.Context, urn string, state resource.PropertyMap, command string) (result, error)

// command is a resource that runs one command line for each of create, update and delete.
type command struct {
	args arguments
	run  runner
	// refused names the arguments that the stand-in does not have.
	refused []resource.PropertyKey
}

func (c command) arguments() arguments { return c.args }

func (c command) computed() []resource.PropertyKey { return []resource.PropertyKey{"stdout", "stderr"} }

func (c command) check(inputs resource.PropertyMap) []*pulumirpc.CheckFailure {
	failures := refuse(inputs, c.refused)
	known := []string{"", "stdout", "stderr", "stdoutAndStderr", "none"}
	if logging := text(inputs, "logging"); !slices.Contains(known, logging) {
		failures = append(failures, &pulumirpc.CheckFailure{
			Property: "logging", Reason: fmt.Sprintf("logging: %q is none of stdout, stderr, stdoutAndStderr, none", logging),
		})
	}
	return failures
}

func refuse(inputs resource.PropertyMap, names []resource.PropertyKey) []*pulumirpc.CheckFailure {
	var failures []*pulumirpc.CheckFailure
	for _, name := range names {
		if _, ok := inputs[name]; ok {
			failures = append(failures, &pulumirpc.CheckFailure{
				Property: string(name), Reason: fmt.Sprintf("%s: the rehearsal's command stand-in does not have it", name),
			})
		}
	}
	return failures
}

func (c command) create(ctx context.Context, urn string, inputs resource.PropertyMap) (resource.PropertyMap, error) {
	return c.first(ctx, urn, inputs, "create")
}

// update runs update, or create where update is unset. The command meets what the resource printed before, and keeps
// it where there is nothing to run.
func (c command) update(ctx context.Context, urn string, inputs, olds resource.PropertyMap) (resource.PropertyMap, error) {
	state := inputs.Copy()
	for _, name := range c.computed() {
		state[name] = olds[name]
	}
	return c.first(ctx, urn, state, "update", "create")
}

func (c command) remove(ctx context.Context, urn string, state resource.PropertyMap) error {
	_, err := c.first(ctx, urn, state, "delete")
	return err
}

// first runs the first of the named commands that is set; an empty one is.
func (c command) first(ctx context.Context, urn string, state resource.PropertyMap, verbs ...resource.PropertyKey) (resource.PropertyMap, error) {
	for _, verb := range verbs {
		if line, ok := given(state, verb); ok {
			printed, err := c.run(ctx, urn, state, line)
			return printed.properties(), err
		}
	}
	return result{stdout: text(state, "stdout"), stderr: text(state, "stderr")}.properties(), nil
}
