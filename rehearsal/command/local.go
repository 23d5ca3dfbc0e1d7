package command

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-command/sdk/go/command/local"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"berth/rehearsal/provider"
)

// localRefused is what local commands do not have here: files as outputs.
var localRefused = []resource.PropertyKey{"archivePaths", "assetPaths"}

// localCommand is command:local:Command, which runs on the operator's machine.
func localCommand(p *Provider) command {
	return command{args: local.CommandArgs{}, run: p.runLocal, refused: localRefused}
}

func (p *Provider) runLocal(ctx context.Context, urn string, state resource.PropertyMap, line string) (result, error) {
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	words := texts(state, "interpreter")
	if len(words) == 0 {
		words = []string{"/bin/sh", "-c"}
	}
	words = append(slices.Clone(words), line)
	process := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // Running the program's own command is the purpose.
	process.Dir, process.Env = text(state, "dir"), os.Environ()
	environment := object(state, "environment")
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		process.Env = append(process.Env, string(name)+"="+text(environment, name))
	}
	for name, value := range previousOutput(state) {
		process.Env = append(process.Env, name+"="+value)
	}
	if stdin := text(state, "stdin"); stdin != "" {
		process.Stdin = strings.NewReader(stdin)
	}
	printed := newCapture(text(state, "logging"), abort, func(line string) { p.LogStatus(ctx, urn, line) })
	process.Stdout, process.Stderr = &printed.stdout, &printed.stderr
	return printed.finish(ctx, line, process.Run())
}

// Invoke answers command:local:run, which runs a command each time the program does, in previews too.
func (p *Provider) Invoke(ctx context.Context, request *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	if request.GetTok() != "command:local:run" {
		return nil, fmt.Errorf("invoke %s: the rehearsal's command stand-in knows command:local:run alone", request.GetTok())
	}
	inputs, err := provider.Unmarshal("args", request.GetArgs())
	if err != nil {
		return nil, err
	}
	failures := append(provider.CheckArgs(local.RunOutputArgs{}, inputs), command{refused: localRefused}.check(inputs)...)
	if len(failures) > 0 {
		return &pulumirpc.InvokeResponse{Failures: failures}, nil
	}
	ctx, done := p.cancellable(ctx)
	defer done()
	printed, err := p.runLocal(ctx, "", inputs, text(inputs, "command"))
	if err != nil {
		return nil, err
	}
	properties, err := provider.Marshal("outputs", outputs(inputs, printed.properties()))
	return &pulumirpc.InvokeResponse{Return: properties}, err
}
