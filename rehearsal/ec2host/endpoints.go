package ec2host

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/machineimage"
)

// writeEndpointCertificate makes the certificate of the region's CloudWatch and S3, whose root every host trusts as it
// trusts the public ones.
func (w *World) writeEndpointCertificate(instance *aws.Resource) error {
	return writeCertificate(w.path("cloudwatch"), "Rehearsal AWS", &x509.Certificate{DNSNames: []string{aws.MonitoringName(instance), "*." + aws.S3Name(instance)}})
}

// runEndpoints starts CloudWatch where the account has a topic for alarms, and S3 where it has a bucket.
func (w *World) runEndpoints(ctx context.Context, account *aws.Account) error {
	if len(account.OfType(aws.TopicType)) > 0 {
		if err := w.runMonitoring(ctx); err != nil {
			return err
		}
	}
	if len(account.OfType(aws.BucketType)) > 0 {
		return w.runS3(ctx)
	}
	return nil
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
