package tests

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/load"
)

// TestReleasesAtTwoThousandRequests a second: a release, a rollback and a changed variable, of which no visitor notices anything.
func TestReleasesAtTwoThousandRequests(t *testing.T) {
	harness.Long(t)
	const rate = 2000
	r := harness.New(t, "berth-rate")
	r.HelloApp()
	r.Run("up", "--set", "routes=web:8080", "--set", "drainWithin=5")
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(r.File("root.pem"))))
	target := load.Target{Domain: harness.Domain, Address: r.Account().Only("aws:ec2/eip:Eip").Output("publicIp"), Roots: roots}
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"a release", func() {
			r.Commit(map[string]string{"index": "another"})
			r.Run("up")
		}},
		{"a rollback", func() { r.SSH("sudo /opt/berth/deploy.sh rollback") }},
		{"a changed variable", func() { r.Run("up", "--set", "environment.GREETING=hi") }},
	} {
		t.Run(step.name, func(t *testing.T) {
			began := time.Now()
			run := load.Start(t.Context(), target, load.Plan{Rate: rate, Request: "/", WebSockets: 5, SocketPath: "/echo"})
			step.do()
			report := run.Stop()
			t.Log(report)
			assert.Zero(t, report.Failed, "requests that failed: %v", report.Reasons)
			assert.Zero(t, report.Sockets.Cut)
			assert.Greater(t, float64(report.Sent), rate*0.8*time.Since(began).Seconds(), "this machine sends as many")
		})
	}
}
