package ec2host

import "context"

// Running says whether an instance's host runs.
func (w *World) Running(ctx context.Context, instance string) bool {
	return running(ctx, w.host(instance))
}

// RebootHost restarts the host of an instance; its interface stays, as on EC2.
func (w *World) RebootHost(ctx context.Context, instance string) error {
	_, err := docker(ctx, "", "container", "restart", "--time", "60", w.host(instance))
	return err
}
