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

// runs has what each run asks for its stack's outputs, by its context: a backend far away is asked once.
var runs sync.Map

// Outputs are the stack's outputs as the last update that ended well left them, none before the first. Whoever asks first may do so
// beside other work: the others wait for that answer.
func Outputs(ctx *pulumi.Context) (map[string]any, error) {
	once, _ := runs.LoadOrStore(ctx, sync.OnceValues(func() (map[string]any, error) {
		var answer struct {
			Outputs map[string]any `pulumi:"outputs"`
		}
		err := read(ctx, "readStackOutputs", "name", &answer)
		return answer.Outputs, err
	}))
	return once.(func() (map[string]any, error))()
}

// Resources reads the outputs of the stack's resources, by URN, into a map of the caller's type, a pointer to a struct with the field
// `pulumi:"outputs"`. A stack without a state crashes some backends: ask for its outputs first.
func Resources(ctx *pulumi.Context, into any) error {
	return read(ctx, "readStackResourceOutputs", "stackName", into)
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
