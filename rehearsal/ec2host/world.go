// Package ec2host is the ground under the AWS stand-in: it creates what the account's file says. An instance is
// a Debian container with systemd behind a network interface of its own, a volume is a block device that survives
// its instance, a security group is a packet filter on the interface, a VPC with its subnets is a Docker network.
package ec2host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"berth/rehearsal/aws"
)

// World is one rehearsal's hosts, disks and networks on this machine's Docker. It implements aws.World.
type World struct {
	// Name tells the rehearsals of one machine apart; every Docker object's name begins with it.
	Name string
	// Dir is the folder of the rehearsal's state, an absolute path.
	Dir string
	// Bin is the folder of the programs that run inside containers: rehearsal-dns, rehearsal-imds, pebble and others.
	Bin string
	// AlarmPeriod is how long each period of an alarm lasts, whatever the alarm says.
	AlarmPeriod time.Duration
	// Warm has hosts start with Debian's packages installed.
	Warm bool
	// Internet is the Docker network of its public addresses. Start chooses one that is free where there is none yet.
	Internet aws.Internet

	// present are the disks, nil where they have to be looked for.
	present map[string]disk
}

// nameServer and authority are the addresses of the name server and of the certificate authority.
func (w *World) nameServer() string { return w.Internet.Address(aws.NameServerHost) }
func (w *World) authority() string  { return w.Internet.Address(aws.AuthorityHost) }

// Resolver is the name server, for who asks it from this machine.
func (w *World) Resolver() string { return w.nameServer() + ":53" }

// label marks every Docker object of a rehearsal, with its name as value.
const label = "berth.rehearsal"

func (w *World) object(parts ...string) string {
	name := w.Name
	for _, part := range parts {
		name += "-" + part
	}
	return name
}

func (w *World) label() string { return label + "=" + w.Name }

func (w *World) path(parts ...string) string {
	return filepath.Join(append([]string{w.Dir}, parts...)...)
}

// Converge makes hosts, disks and networks match the account. What the account no longer holds goes first, so that
// an address or a disk is free for what comes; a snapshot is taken before the disk it was taken of goes.
func (w *World) Converge(ctx context.Context, account *aws.Account) error {
	w.present = nil
	steps := []struct {
		name string
		run  func(context.Context, *aws.Account) error
	}{
		{"remove terminated instances", w.removeTerminated},
		{"remove the load balancer", w.removeBalancer},
		{"remove databases", w.removeDatabases},
		{"stop instances", w.stopInstances},
		{"detach volumes", w.detachVolumes},
		{"take snapshots", w.takeSnapshots},
		{"delete volumes", w.deleteVolumes},
		{"delete subnets", w.deleteSubnets},
		{"make subnets", w.makeSubnets},
		{"make volumes", w.makeVolumes},
		{"run instances", w.runInstances},
		{"run the load balancer", w.runBalancer},
		{"run databases", w.runDatabases},
		{"run CloudWatch, S3 and Auto Scaling", w.runEndpoints},
		{"attach volumes", w.attachVolumes},
		{"associate addresses", w.associateAddresses},
		{"apply routes", w.applyRoutes},
		{"apply security groups", w.applySecurityGroups},
	}
	for _, step := range steps {
		if err := step.run(ctx, account); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// Remove takes away every Docker object of the rehearsal, whatever state it is in.
func (w *World) Remove(ctx context.Context) error {
	problems := []error{w.releaseDisks(ctx)}
	containers, err := docker(ctx, "", "container", "ls", "--all", "--quiet", "--filter", "label="+w.label())
	problems = append(problems, err)
	if ids := lines(containers); len(ids) > 0 {
		_, err := docker(ctx, "", append([]string{"container", "rm", "--force", "--volumes"}, ids...)...)
		problems = append(problems, err)
	}
	for _, kind := range []string{"network", "volume"} {
		output, err := docker(ctx, "", kind, "ls", "--quiet", "--filter", "label="+w.label())
		problems = append(problems, err)
		for _, id := range lines(output) {
			_, err := docker(ctx, "", kind, "rm", id)
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// Objects lists the rehearsal's containers, networks and volumes, a name each.
func (w *World) Objects(ctx context.Context) ([]string, error) {
	var names []string
	for kind, field := range map[string]string{"container": "{{.Names}}", "network": "{{.Name}}", "volume": "{{.Name}}"} {
		args := []string{kind, "ls", "--format", kind + " " + field, "--filter", "label=" + w.label()}
		if kind == "container" {
			args = append(args, "--all")
		}
		output, err := docker(ctx, "", args...)
		if err != nil {
			return nil, err
		}
		names = append(names, lines(output)...)
	}
	return names, nil
}
