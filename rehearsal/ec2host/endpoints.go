package ec2host

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"berth/rehearsal/aws"
	"berth/rehearsal/machineimage"
)

// writeEndpointCertificate makes the certificate of the endpoints in the region of an instance or a subnet, whose root every host
// trusts as it trusts the public ones.
func (w *World) writeEndpointCertificate(place *aws.Resource) error {
	names := append([]string{aws.MonitoringName(place), "*." + aws.S3Name(place)}, aws.ScalingNames(place)...)
	return writeCertificate(w.path("cloudwatch"), "Rehearsal AWS", &x509.Certificate{DNSNames: names})
}

// runEndpoints starts CloudWatch where the account has a topic for alarms, S3 where it has a bucket, and Auto Scaling with Elastic Load
// Balancing where it has a group or a load balancer.
func (w *World) runEndpoints(ctx context.Context, account *aws.Account) error {
	if len(account.OfType(aws.TopicType)) > 0 {
		if err := w.runMonitoring(ctx); err != nil {
			return err
		}
	}
	if len(account.OfType(aws.BucketType)) > 0 {
		if err := w.runS3(ctx); err != nil {
			return err
		}
	}
	if len(account.OfType(aws.GroupType))+len(account.OfType(aws.LoadBalancerType)) > 0 {
		return w.runScaling(ctx, account)
	}
	return nil
}

// dockerSocket is where this machine's Docker answers.
func dockerSocket() string {
	if path, is := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://"); is {
		return path
	}
	return "/var/run/docker.sock"
}

// runScaling starts the engine of Auto Scaling and Elastic Load Balancing. It makes hosts as this program does, by this machine's
// Docker, and writes the same files, as the same user.
func (w *World) runScaling(ctx context.Context, account *aws.Account) error {
	if running(ctx, w.object("scaling")) {
		return nil
	}
	subnets := account.OfType(subnetType)
	if len(subnets) == 0 {
		return errors.New("start Auto Scaling: the account has no subnet")
	}
	client, err := exec.LookPath("docker")
	if err != nil {
		return err
	}
	if client, err = filepath.EvalSymlinks(client); err != nil {
		return err
	}
	socket, err := os.Stat(dockerSocket())
	if err != nil {
		return fmt.Errorf("find Docker's socket: %w", err)
	}
	if err := errors.Join(w.writeEndpointCertificate(subnets[0]), os.MkdirAll(w.path("balancer"), 0o700)); err != nil {
		return err
	}
	args := []string{
		"--network", w.internet(), "--ip", w.Internet.Address(aws.ScalingHost),
		"--user", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), "--env", "HOME=/tmp",
		"--volume", filepath.Join(w.Bin, "rehearsal-servers") + ":/usr/local/bin/rehearsal-servers:ro",
		"--volume", client + ":/usr/local/bin/docker:ro", "--volume", dockerSocket() + ":/var/run/docker.sock",
		"--volume", w.Dir + ":" + w.Dir,
	}
	if owner, ok := socket.Sys().(*syscall.Stat_t); ok {
		args = append(args, "--group-add", fmt.Sprint(owner.Gid))
	}
	return w.replaceContainer(ctx, w.object("scaling"), append(args, machineimage.AMI, "rehearsal-servers", "-name", w.Name, "-dir", w.Dir, "-bin", w.Bin,
		"-period", w.AlarmPeriod.String(), fmt.Sprintf("-warm=%t", w.Warm), "-certificate", w.path("cloudwatch", acmeAPICert), "-key", w.path("cloudwatch", acmeAPIKey))...)
}

func (w *World) runS3(ctx context.Context) error {
	if running(ctx, w.object("s3")) {
		return nil
	}
	if err := os.MkdirAll(w.path("s3"), 0o700); err != nil {
		return err
	}
	return w.replaceContainer(ctx, w.object("s3"), "--network", w.internet(), "--ip", w.Internet.Address(aws.S3Host),
		"--volume", filepath.Join(w.Bin, "rehearsal-s3")+":/usr/local/bin/rehearsal-s3:ro", "--volume", w.path("s3")+":/var/lib/s3",
		"--volume", w.path("aws")+":/var/lib/aws:ro", "--volume", w.path("cloudwatch")+":/var/lib/cloudwatch:ro",
		machineimage.AMI, "rehearsal-s3", "-account", "/var/lib/aws", "-objects", "/var/lib/s3",
		"-certificate", "/var/lib/cloudwatch/"+acmeAPICert, "-key", "/var/lib/cloudwatch/"+acmeAPIKey)
}

func (w *World) runMonitoring(ctx context.Context) error {
	if running(ctx, w.object("cloudwatch")) {
		return nil
	}
	return w.replaceContainer(ctx, w.object("cloudwatch"), "--network", w.internet(), "--ip", w.Internet.Address(aws.MonitoringHost),
		"--volume", filepath.Join(w.Bin, "rehearsal-cloudwatch")+":/usr/local/bin/rehearsal-cloudwatch:ro",
		"--volume", w.path("aws")+":/var/lib/aws:ro", "--volume", w.path("cloudwatch")+":/var/lib/cloudwatch",
		machineimage.AMI, "rehearsal-cloudwatch", "-account", "/var/lib/aws", "-state", "/var/lib/cloudwatch",
		"-certificate", "/var/lib/cloudwatch/"+acmeAPICert, "-key", "/var/lib/cloudwatch/"+acmeAPIKey, "-every", "10s", "-period", w.AlarmPeriod.String())
}

// trust is the mount that makes a host trust the rehearsal's CloudWatch and S3.
func (w *World) trust() string {
	return strings.Join([]string{w.path("cloudwatch", acmeAPIRoot), "/usr/local/share/ca-certificates/rehearsal-aws.crt", "ro"}, ":")
}
