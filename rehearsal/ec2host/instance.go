package ec2host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	types "berth/internal/instance"
	"berth/rehearsal/aws"
	"berth/rehearsal/machineimage"
)

const instanceType = "aws:ec2/instance:Instance"

//go:embed boot.sh
var bootScript string

// capabilities that systemd, Docker and a mounted volume need inside a host. They are named one by one because
// --privileged asks for more than some machines have to give.
var capabilities = []string{
	"SYS_ADMIN", "NET_ADMIN", "SYS_CHROOT", "SYS_PTRACE", "MKNOD", "AUDIT_WRITE", "SETFCAP", "DAC_READ_SEARCH",
	"SYS_NICE", "NET_RAW", "IPC_LOCK", "SYSLOG", "LINUX_IMMUTABLE", "SYS_TIME",
}

func (w *World) host(instanceID string) string { return w.object(instanceID) }

// eni is the instance's network interface: the container that owns the network namespace, with the addresses, the
// metadata service and the security groups' packet filter. It outlives a reboot of the host, as on EC2.
func (w *World) eni(instanceID string) string { return w.object("eni", instanceID) }

func (w *World) instanceFiles(id string, parts ...string) string {
	return w.path(append([]string{"instances", id}, parts...)...)
}

// removeTerminated removes the hosts of instances that the account no longer holds.
func (w *World) removeTerminated(ctx context.Context, account *aws.Account) error {
	var keep []string
	for _, instance := range account.OfType(instanceType) {
		keep = append(keep, w.host(instance.ID), w.eni(instance.ID))
	}
	output, err := docker(ctx, "", "container", "ls", "--all", "--format", "{{.Names}}",
		"--filter", "label="+w.label(), "--filter", "label=berth.role")
	if err != nil {
		return err
	}
	names := lines(output)
	// The host uses the interface's namespace and goes first.
	slices.SortFunc(names, func(a, b string) int { return strings.Count(a, "-eni-") - strings.Count(b, "-eni-") })
	for _, name := range names {
		if slices.Contains(keep, name) {
			continue
		}
		if _, err := docker(ctx, "", "container", "rm", "--force", "--volumes", name); err != nil {
			return err
		}
		if !strings.Contains(name, "-eni-") {
			id := strings.TrimPrefix(name, w.Name+"-")
			if _, err := docker(ctx, "", "volume", "rm", "--force", w.object("dev", id)); err != nil {
				return err
			}
			if err := os.RemoveAll(w.instanceFiles(id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// stopped says whether somebody stopped an instance, which nothing but a hand starts again.
func stopped(instance *aws.Resource) bool {
	return aws.Text(instance.Outputs, "instanceState") == "stopped"
}

// stopInstances shuts down what is stopped, before anything is taken from it.
func (w *World) stopInstances(ctx context.Context, account *aws.Account) error {
	for _, instance := range account.OfType(instanceType) {
		if host := w.host(instance.ID); stopped(instance) && running(ctx, host) {
			if _, err := docker(ctx, "", "container", "stop", "--time", shutdownWithin, host); err != nil {
				return err
			}
		}
	}
	return nil
}

// runInstances starts what is not running and resizes what changed its type (a stop and a start, as on EC2).
func (w *World) runInstances(ctx context.Context, account *aws.Account) error {
	for _, instance := range account.OfType(instanceType) {
		if err := w.runInterface(ctx, account, instance); err != nil {
			return err
		}
		if err := w.runHost(ctx, account, instance); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) runInterface(ctx context.Context, account *aws.Account, instance *aws.Resource) error {
	eni := w.eni(instance.ID)
	if running(ctx, eni) {
		return nil
	}
	if err := w.writeMetadata(ctx, account, instance, aws.Text(instance.Outputs, "publicIp")); err != nil {
		return err
	}
	_, network, err := w.subnetOf(ctx, account, instance)
	if err != nil {
		return err
	}
	args := []string{
		"--network", network, "--ip", aws.Text(instance.Outputs, "privateIp"),
		"--hostname", instance.ID, "--label", "berth.role=eni", "--cap-add", "NET_ADMIN",
		"--sysctl", "net.ipv6.conf.all.disable_ipv6=0",
		"--volume", filepath.Join(w.Bin, "rehearsal-imds") + ":/usr/local/bin/rehearsal-imds:ro",
		"--volume", w.instanceFiles(instance.ID) + ":/var/lib/imds:ro",
	}
	if v6 := aws.Texts(instance.Outputs, "ipv6Addresses"); len(v6) > 0 && dockerGives(account, instance) {
		args = append(args, "--ip6", v6[0])
	}
	if err := w.replaceContainer(ctx, eni, append(args, machineimage.AMI,
		"rehearsal-imds", "-instance", "/var/lib/imds/instance.json", "-listen", "169.254.169.254:16980")...); err != nil {
		return err
	}
	if !dockerGives(account, instance) {
		// The host boots with it.
		if err := w.route(ctx, account, instance); err != nil {
			return err
		}
	}
	// Again, since the hardware address is known now.
	return w.writeMetadata(ctx, account, instance, aws.Text(instance.Outputs, "publicIp"))
}

// grouped says whether Auto Scaling launched the instance.
func grouped(instance *aws.Resource) bool {
	return aws.Text(instance.Outputs, "autoScalingGroup") != ""
}

func (w *World) runHost(ctx context.Context, account *aws.Account, instance *aws.Resource) error {
	host, size := w.host(instance.ID), aws.Text(instance.Outputs, "instanceType")
	known, ok := types.Lookup(size)
	if !ok {
		return fmt.Errorf("size the host %s: instance type %q is not known here", instance.ID, size)
	}
	// Memory and swap together: swap is the host's own business, made on its volume.
	limits := []string{"--memory", fmt.Sprintf("%dm", known.Memory), "--memory-swap", "-1"}
	if stopped(instance) {
		return nil
	}
	if exists(ctx, "container", host) {
		return w.resizeHost(ctx, host, limits, int64(known.Memory)<<20)
	}
	if err := os.WriteFile(w.instanceFiles(instance.ID, "boot.sh"), []byte(bootScript), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(w.instanceFiles(instance.ID, "resolv.conf"), []byte("nameserver "+w.resolverOf(ctx, account, instance)+"\n"), 0o644); err != nil {
		return err
	}
	if err := errors.Join(w.writeSeed(instance), w.writeEndpointCertificate(instance)); err != nil {
		return err
	}
	devices := w.object("dev", instance.ID)
	if _, err := docker(ctx, "", "volume", "create", "--label", w.label(), devices); err != nil {
		return err
	}
	args := append(limits,
		"--network", "container:"+w.eni(instance.ID), "--label", "berth.role=host", "--cgroupns", "private",
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined",
		"--device-cgroup-rule", "b 7:* rwm", "--device-cgroup-rule", "c 10:237 rwm", "--env", "container=docker", "--tmpfs", "/run", "--tmpfs", "/tmp:exec",
		"--volume", devices+":/dev/disk",
		"--volume", w.instanceFiles(instance.ID, "boot.sh")+":/usr/local/sbin/rehearsal-boot:ro",
		"--volume", w.instanceFiles(instance.ID, "resolv.conf")+":/etc/resolv.conf",
		"--volume", w.instanceFiles(instance.ID, "seed")+":/var/lib/cloud/seed/nocloud:ro",
		"--volume", w.imagesDir()+":/usr/share/rehearsal/images:ro", "--volume", w.trust(),
	)
	for _, capability := range capabilities {
		args = append(args, "--cap-add", capability)
	}
	if grouped(instance) {
		// It has no data volume: the folder is on its root volume, where images need another file system than a container has.
		args = append(args, "--volume", "/data")
	}
	return w.replaceContainer(ctx, host, append(args, w.machineImage(), "/usr/local/sbin/rehearsal-boot")...)
}

// writeSeed hands cloud-init the user data and the instance's identity.
func (w *World) writeSeed(instance *aws.Resource) error {
	folder := w.instanceFiles(instance.ID, "seed")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	identity := fmt.Sprintf("instance-id: %s\nlocal-hostname: %s\n", instance.ID, instance.ID)
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "meta-data"), []byte(identity), 0o600),
		os.WriteFile(filepath.Join(folder, "user-data"), []byte(aws.Text(instance.Inputs, "userData")), 0o600))
}

// resizeHost stops and starts a host whose memory changed, and starts one that is stopped.
func (w *World) resizeHost(ctx context.Context, host string, limits []string, bytes int64) error {
	current, err := docker(ctx, "", "container", "inspect", "--format", "{{.HostConfig.Memory}}", host)
	if err != nil {
		return err
	}
	if current != fmt.Sprint(bytes) {
		if _, err := docker(ctx, "", "container", "stop", "--time", shutdownWithin, host); err != nil {
			return err
		}
		if _, err := docker(ctx, "", append(append([]string{"container", "update"}, limits...), host)...); err != nil {
			return err
		}
	}
	_, err = docker(ctx, "", "container", "start", host)
	return err
}

// resolverOf is the VPC's resolver as the instance sees it: the name server's address in the VPC.
func (w *World) resolverOf(ctx context.Context, account *aws.Account, instance *aws.Resource) string {
	_, network, err := w.subnetOf(ctx, account, instance)
	if err != nil {
		return w.nameServer()
	}
	address, err := attached(ctx, w.object("dns"), network, "IPAddress")
	if err != nil || address == "" {
		return w.nameServer()
	}
	return address
}

// replaceContainer starts a container of the rehearsal under the name, in place of what may be left of an earlier one.
func (w *World) replaceContainer(ctx context.Context, name string, args ...string) error {
	if exists(ctx, "container", name) {
		if _, err := docker(ctx, "", "container", "rm", "--force", name); err != nil {
			return err
		}
	}
	_, err := docker(ctx, "", append([]string{"run", "--detach", "--name", name, "--label", w.label()}, args...)...)
	return err
}
