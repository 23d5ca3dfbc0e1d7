package ec2host

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// shutdownWithin is how long a host gets to shut down before its power is cut, in seconds. Source: EC2 User Guide, "Reboot your
// Amazon EC2 instance".
const shutdownWithin = "240"

// Running says whether an instance's host runs.
func (w *World) Running(ctx context.Context, instance string) bool {
	return running(ctx, w.host(instance))
}

// RunningHosts are the instances whose hosts run.
func (w *World) RunningHosts(ctx context.Context) (map[string]bool, error) {
	output, err := docker(ctx, "", "container", "ls", "--format", "{{.Names}}", "--filter", "label="+w.label(), "--filter", "label=berth.role=host")
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, name := range lines(output) {
		found[strings.TrimPrefix(name, w.Name+"-")] = true
	}
	return found, nil
}

// Usage is how much of a processor each of the instances' hosts uses now, in percent of one.
func (w *World) Usage(ctx context.Context, instances []string) (map[string]float64, error) {
	args := []string{"container", "stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}}"}
	for _, instance := range instances {
		args = append(args, w.host(instance))
	}
	output, err := docker(ctx, "", args...)
	if err != nil {
		return nil, err
	}
	found := map[string]float64{}
	for _, line := range lines(output) {
		name, percent, _ := strings.Cut(line, " ")
		value, err := strconv.ParseFloat(strings.TrimSuffix(percent, "%"), 64)
		if err != nil {
			return nil, fmt.Errorf("read what docker stats says of %s: %w", name, err)
		}
		found[strings.TrimPrefix(name, w.Name+"-")] = value
	}
	return found, nil
}

// RebootHost restarts the host of an instance; its interface stays, as on EC2.
func (w *World) RebootHost(ctx context.Context, instance string) error {
	_, err := docker(ctx, "", "container", "restart", "--time", shutdownWithin, w.host(instance))
	return err
}
