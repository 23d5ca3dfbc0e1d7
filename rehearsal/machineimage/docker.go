package machineimage

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Docker runs the Docker command line with input as its standard input and returns its standard output without
// surrounding white space. The error holds what Docker said.
func Docker(ctx context.Context, input string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "docker", args...)
	if input != "" {
		command.Stdin = strings.NewReader(input)
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", verb(args), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// verb names a Docker call by its leading words: the rest may be long and is in Docker's own message anyway.
func verb(args []string) string {
	return strings.Join(args[:min(len(args), 3)], " ")
}

// Exists says whether Docker holds an object of the kind ("container", "image", "network", "volume").
func Exists(ctx context.Context, kind, name string) bool {
	_, err := Docker(ctx, "", kind, "inspect", name)
	return err == nil
}
