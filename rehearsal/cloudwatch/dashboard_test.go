package cloudwatch

import (
	"bytes"
	"math"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheDashboardIsDrawn has an hour with a busy quarter in it drawn. BERTH_DASHBOARD names the file.
func TestTheDashboardIsDrawn(t *testing.T) {
	f := declare(t, "app.example.com").onto(t)
	for minute := range 56 {
		wave, found := math.Sin(float64(minute)/6), healthy()
		found["memory"], found["disk"], found["swap"], found["backup"] = 55+int(8*wave), 41, 4, 5
		busy := 12 + 6*wave
		if minute > 30 && minute < 45 {
			busy, found["memory"], found["containers"], found["worst"] = 70+20*wave, 84, 1, 2
		}
		f.pushes("app.example.com", found, map[string]float64{
			"CPUUtilization": busy, "CPUCreditBalance": 144 - float64(minute)/2, "HealthCheckStatus": 1, "NetworkIn": 40_000 * (2 + wave), "NetworkOut": 310_000 * (2 + wave),
		})
		f.now = f.now.Add(time.Minute)
	}
	var page bytes.Buffer
	require.NoError(t, f.service.Draw(&page))
	text := page.String()
	for _, said := range []string{"Alarms", "memory: OK", "Site, asked from outside (1: up)", "Processor (%) and its credits", "Certificate: life left (%), renewed at 33", `<p class="number">90</p>`, "disk 41"} {
		assert.Contains(t, text, said)
	}
	lines := regexp.MustCompile(`<polyline points="([^"]*)"`).FindAllStringSubmatch(text, -1)
	assert.Len(t, lines, 10)
	for _, line := range lines {
		assert.NotEmpty(t, line[1], "every line has what it shows")
	}
	if file := os.Getenv("BERTH_DASHBOARD"); file != "" {
		require.NoError(t, os.WriteFile(file, page.Bytes(), 0o600))
	}
}

// TestTheDashboardOfSeveralServersHasTheirLines: metrics with two dimensions, and what others than a server tell of.
func TestTheDashboardOfSeveralServersHasTheirLines(t *testing.T) {
	f := grow(t, "app.example.com").onto(t)
	point := func(metric string, value float64, dimensions map[string]string) Datapoint {
		return Datapoint{Region: "eu-central-1", Namespace: "AWS/ApplicationELB", Metric: metric, Dimensions: dimensions, Time: f.now.Add(-time.Minute), Value: value}
	}
	targets := map[string]string{"LoadBalancer": "suffix-of:site", "TargetGroup": "suffix-of:site"}
	require.NoError(t, Measured(f.service.dir, []Datapoint{
		point("HealthyHostCount", 3, targets), point("UnHealthyHostCount", 1, map[string]string{"TargetGroup": "suffix-of:site"}),
		point("RequestCount", 417, map[string]string{"LoadBalancer": "suffix-of:site"}),
		{Region: "eu-central-1", Namespace: "Berth", Metric: "WebDiskUsed", Dimensions: map[string]string{"Domain": "app.example.com"}, Time: f.now.Add(-time.Minute), Value: 63},
	}, f.now))
	var page bytes.Buffer
	require.NoError(t, f.service.Draw(&page))
	for _, said := range []string{"missing servers", "Servers, asked by the load balancer", " answer 3", "requests 417", "do not answer –", "Web servers: processor (%)", "Web servers: memory, disk, swap (%), the highest", "disk 63"} {
		assert.Contains(t, page.String(), said)
	}
}

func TestWithoutADashboardThereIsNothingToDraw(t *testing.T) {
	assert.ErrorContains(t, newFixture(t).service.Draw(&bytes.Buffer{}), "make rehearse SET=alarmEmail=ops@example.test")
}
