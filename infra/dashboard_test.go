package infra

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDashboardShowsWhatAlarmsAreOn(t *testing.T) {
	c := declare(t, watched, nil)
	var dashboard struct{ Widgets []widget }
	body := text(c.only(t, "cloudwatch/dashboard:Dashboard"), "dashboardBody")
	require.NoError(t, json.Unmarshal([]byte(body), &dashboard))

	shown := map[string]string{}
	for _, w := range dashboard.Widgets {
		metrics, _ := w.Properties["metrics"].([]any)
		for _, m := range metrics {
			metric := m.([]any)
			shown[fmt.Sprint(metric[0], " ", metric[1])] = fmt.Sprint(metric[2], "=", metric[3])
		}
	}
	for _, a := range c.of("cloudwatch/metricAlarm:MetricAlarm") {
		name := text(a, "namespace") + " " + text(a, "metricName")
		if a.Name == "machine" || a.Name == "system" {
			continue // The alarm says it all.
		}
		for key, value := range input(a, "dimensions").ObjectValue() {
			assert.Equal(t, string(key)+"="+value.StringValue(), shown[name], name)
		}
	}
	assert.Contains(t, shown, "AWS/EC2 NetworkIn")
	assert.Contains(t, shown, "AWS/EC2 NetworkOut")

	require.Equal(t, "alarm", dashboard.Widgets[0].Type)
	assert.Len(t, dashboard.Widgets[0].Properties["alarms"], 11, "all of the stack's region")
	assert.Equal(t, "us-east-1", dashboard.Widgets[1].Properties["region"])
}

// TestDashboardOfSeveralServers has that of one at its top, and shows what their alarms are on.
func TestDashboardOfSeveralServers(t *testing.T) {
	var one, several struct{ Widgets []widget }
	require.NoError(t, json.Unmarshal([]byte(text(declare(t, watched, nil).only(t, "cloudwatch/dashboard:Dashboard"), "dashboardBody")), &one))
	c := grow(t, watched, nil)
	require.NoError(t, json.Unmarshal([]byte(text(c.only(t, "cloudwatch/dashboard:Dashboard"), "dashboardBody")), &several))
	assert.Equal(t, one.Widgets[1:], several.Widgets[1:len(one.Widgets)])
	assert.Len(t, several.Widgets[0].Properties["alarms"], 17)

	shown := map[string]map[string]any{}
	statistics := map[string][]any{}
	for _, w := range several.Widgets[len(one.Widgets):] {
		assert.Equal(t, "eu-central-1", w.Properties["region"])
		for _, m := range w.Properties["metrics"].([]any) {
			metric := m.([]any)
			name, dimensions := fmt.Sprint(metric[0], " ", metric[1]), map[string]any{}
			for i := 2; i < len(metric)-1; i += 2 {
				dimensions[metric[i].(string)] = metric[i+1]
			}
			shown[name] = dimensions
			statistics[name] = append(statistics[name], metric[len(metric)-1].(map[string]any)["stat"])
		}
	}
	for _, name := range []string{"unhealthy server", "no healthy server", "load balancer errors", "missing servers", "web server memory", "web server disk"} {
		a := c.named(t, "cloudwatch/metricAlarm:MetricAlarm", name)
		assert.Equal(t, input(a, "dimensions").Mappable(), shown[text(a, "namespace")+" "+text(a, "metricName")], name)
	}
	assert.Equal(t, map[string]any{"Domain": "app.example.com"}, shown["Berth WebSwapUsed"])
	balancer := map[string]any{"LoadBalancer": "suffix-of:site"}
	for _, metric := range []string{"RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "TargetResponseTime"} {
		assert.Equal(t, balancer, shown["AWS/ApplicationELB "+metric], metric)
	}
	assert.Equal(t, []any{"p95"}, statistics["AWS/ApplicationELB TargetResponseTime"])
	assert.Equal(t, map[string]any{"AutoScalingGroupName": "web-berth-production"}, shown["AWS/EC2 CPUUtilization"])
}

func TestDashboardsWidgetsLieSideBySide(t *testing.T) {
	for several, height := range map[bool]int{false: 20, true: 32} {
		text, err := board{burstable: true, several: several}.body()
		require.NoError(t, err)
		liesSideBySide(t, text, height)
	}
}

func liesSideBySide(t *testing.T, text string, height int) {
	t.Helper()
	var dashboard struct{ Widgets []widget }
	require.NoError(t, json.Unmarshal([]byte(text), &dashboard))
	taken := map[[2]int]string{}
	for i, w := range dashboard.Widgets {
		for x := w.X; x < w.X+w.Width; x++ {
			require.Less(t, x, 24)
			for y := w.Y; y < w.Y+w.Height; y++ {
				assert.Empty(t, taken[[2]int{x, y}], "two widgets at %d, %d", x, y)
				taken[[2]int{x, y}] = fmt.Sprint("widget ", i)
			}
		}
	}
	for y := range height {
		for x := range 24 {
			assert.NotEmpty(t, taken[[2]int{x, y}], "a hole at %d, %d", x, y)
		}
	}
}
