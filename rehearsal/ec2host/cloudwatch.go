package ec2host

import (
	"context"
	"crypto/x509"
	"path/filepath"
	"strings"

	"berth/rehearsal/aws"
)

// writeMonitoringCertificate makes the certificate of the region's CloudWatch, whose root every host trusts as it
// trusts the public ones.
func (w *World) writeMonitoringCertificate(instance *aws.Resource) error {
	return writeCertificate(w.path("cloudwatch"), "Rehearsal CloudWatch", &x509.Certificate{DNSNames: []string{aws.MonitoringHost(instance)}})
}

// runMonitoring starts CloudWatch where the account has alarms.
func (w *World) runMonitoring(ctx context.Context, account *aws.Account) error {
	if len(account.OfType(aws.AlarmType)) == 0 || running(ctx, w.object("cloudwatch")) {
		return nil
	}
	return w.replaceContainer(ctx, w.object("cloudwatch"), "--network", w.internet(), "--ip", aws.MonitoringAddress,
		"--volume", filepath.Join(w.Bin, "rehearsal-cloudwatch")+":/usr/local/bin/rehearsal-cloudwatch:ro",
		"--volume", w.path("aws")+":/var/lib/aws:ro", "--volume", w.path("cloudwatch")+":/var/lib/cloudwatch",
		AMIImage, "rehearsal-cloudwatch", "-account", "/var/lib/aws", "-state", "/var/lib/cloudwatch",
		"-certificate", "/var/lib/cloudwatch/"+acmeAPICert, "-key", "/var/lib/cloudwatch/"+acmeAPIKey, "-every", "10s")
}

// trust is the mount that makes a host trust the rehearsal's CloudWatch.
func (w *World) trust() string {
	return strings.Join([]string{w.path("cloudwatch", acmeAPIRoot), "/usr/local/share/ca-certificates/rehearsal-cloudwatch.crt", "ro"}, ":")
}
