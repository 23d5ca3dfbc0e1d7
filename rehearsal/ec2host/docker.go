package ec2host

import (
	"context"
	"strings"

	"berth/rehearsal/machineimage"
)

// docker runs the Docker command line, exists says what Docker holds, and tail is the end of an output.
var docker, exists, tail = machineimage.Docker, machineimage.Exists, machineimage.Tail

// lines splits Docker's output into its lines; no output has none.
func lines(output string) []string {
	if output == "" {
		return nil
	}
	return strings.Split(output, "\n")
}

// running says whether the container runs now.
func running(ctx context.Context, container string) bool {
	state, err := docker(ctx, "", "container", "inspect", "--format", "{{.State.Running}}", container)
	return err == nil && state == "true"
}
