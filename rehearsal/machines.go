package main

import (
	"context"
	"path/filepath"

	"berth/rehearsal/aws"
	"berth/rehearsal/ec2host"
)

// machines are the account's instances, as AWS's own clients reach them.
type machines struct {
	*ec2host.World
	// account is the folder of its books.
	account string
}

// StartHost starts an instance that was stopped.
func (m machines) StartHost(ctx context.Context, instance string) error {
	console, err := aws.OpenConsole(m.account, m.World)
	if err != nil {
		return err
	}
	return console.Change(ctx, "aws:ec2/instance:Instance", instance, map[string]any{"instanceState": "running"})
}

func (r *rehearsal) machines() machines { return machines{r.world, filepath.Join(r.Dir, "aws")} }
