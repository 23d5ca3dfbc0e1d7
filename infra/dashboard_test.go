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

func TestDashboardsWidgetsLieSideBySide(t *testing.T) {
	text, err := board{burstable: true}.body()
	require.NoError(t, err)
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
	for y := range 20 {
		for x := range 24 {
			assert.NotEmpty(t, taken[[2]int{x, y}], "a hole at %d, %d", x, y)
		}
	}
}
