// Package state reads what the state has of the stack that runs.
package state

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// A state that is a file is written in place, and whoever reads it meanwhile finds it empty or cut off. The engine writes it as the
// first resources are made, which is when the program reads it: tries is how often, and pause how long it waits between two.
const (
	tries = 20
	pause = 100 * time.Millisecond
)

// unread is what the engine says of a state that is being written.
const unread = "failed to load checkpoint"

// Resource is what the state has of a resource of the stack.
type Resource struct {
	Type    string         `pulumi:"type"`
	Outputs map[string]any `pulumi:"outputs"`
}

// outputs and resources have what each run asks, by its context: a backend far away is asked once.
var outputs, resources sync.Map

// Ahead begins to read both, beside other work. Whoever asks for them waits for that answer, and has its error.
func Ahead(ctx *pulumi.Context) {
	go readBoth(ctx)
}

// readBoth asks for the resources only where there are outputs.
func readBoth(ctx *pulumi.Context) {
	if outputs, err := Outputs(ctx); err == nil && len(outputs) > 0 {
		_, _ = Resources(ctx)
	}
}

// Outputs are the stack's outputs as the last update that ended well left them, none before the first.
func Outputs(ctx *pulumi.Context) (map[string]any, error) {
	return once[map[string]any](ctx, &outputs, "readStackOutputs", "name")
}

// Resources are the stack's resources, by URN. A stack without a state crashes some backends: ask for its outputs first.
func Resources(ctx *pulumi.Context) (map[string]Resource, error) {
	return once[map[string]Resource](ctx, &resources, "readStackResourceOutputs", "stackName")
}

// once asks a function of the engine in each run once, and answers with its "outputs".
func once[T any](ctx *pulumi.Context, runs *sync.Map, function, argument string) (T, error) {
	asked, _ := runs.LoadOrStore(ctx, sync.OnceValues(func() (T, error) {
		var answer struct {
			Outputs T `pulumi:"outputs"`
		}
		err := read(ctx, function, argument, &answer)
		return answer.Outputs, err
	}))
	return asked.(func() (T, error))()
}

func read(ctx *pulumi.Context, function, argument string, into any) error {
	name := fmt.Sprintf("%s/%s/%s", ctx.Organization(), ctx.Project(), ctx.Stack())
	for try := 1; ; try++ {
		_, err := ctx.InvokePackageRaw("pulumi:pulumi:"+function, map[string]any{argument: name}, into, "")
		if err == nil || try == tries || !strings.Contains(err.Error(), unread) {
			if err != nil {
				err = fmt.Errorf("read the state of the stack %s: %w", name, err)
			}
			return err
		}
		select {
		case <-ctx.Context().Done():
			return ctx.Context().Err()
		case <-time.After(pause):
		}
	}
}
