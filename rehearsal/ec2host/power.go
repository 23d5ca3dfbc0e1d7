package ec2host

import "context"

// shutdownWithin is how long a host gets to shut down before its power is cut, in seconds. Source: EC2 User Guide, "Reboot your
// Amazon EC2 instance".
const shutdownWithin = "240"

// Running says whether an instance's host runs.
func (w *World) Running(ctx context.Context, instance string) bool {
	return running(ctx, w.host(instance))
}

// RebootHost restarts the host of an instance; its interface stays, as on EC2.
func (w *World) RebootHost(ctx context.Context, instance string) error {
	_, err := docker(ctx, "", "container", "restart", "--time", shutdownWithin, w.host(instance))
	return err
}
