package infra

import (
	"encoding/json"
	"fmt"
)

// board is what the dashboard shows.
type board struct {
	domain, region, instance, check string
	burstable                       bool
	// several says whether there are several servers; group, balancer and targets are theirs.
	several                  bool
	group, balancer, targets string
	// database is the one in RDS, "" for none.
	database string
	// alarms are the ARNs of the stack's own region.
	alarms []string
}

// widget is one field of a dashboard, on a grid of 24 columns. Source: CloudWatch API Reference, "Dashboard Body
// Structure and Syntax".
type widget struct {
	Type       string         `json:"type"`
	X          int            `json:"x"`
	Y          int            `json:"y"`
	Width      int            `json:"width"`
	Height     int            `json:"height"`
	Properties map[string]any `json:"properties"`
}

// alarmLine is what the alarms on shares of a server rise above.
var alarmLine = map[string]any{"horizontal": []map[string]any{{"label": "alarm", "value": 80}}}

// body is the dashboard as CloudWatch reads it: what is wrong and whether the site is up at the top, then what makes a
// site slow, then what makes it fail weeks later.
func (b board) body() (string, error) {
	alarmed := widget{Type: "alarm", Width: 24, Height: 4, Properties: map[string]any{"title": "Alarms", "alarms": b.alarms}}
	site := b.graph(0, 4, 12, "Site, asked from outside (1: up)", 0, 1, [][]any{
		{"AWS/Route53", "HealthCheckStatus", "HealthCheckId", b.check, map[string]any{"region": healthRegion, "stat": "Minimum", "label": b.domain}},
	})
	site.Properties["region"] = healthRegion
	containers := b.graph(12, 4, 12, "Containers and health", 0, 0, [][]any{
		b.own("UnhealthyContainers", "unhealthy containers", "Maximum"),
		b.own("HealthCheck", "health check (1: warning, 2: critical)", "Maximum"),
	})
	processor := b.graph(0, 10, 8, "Processor (%)", 0, 100, [][]any{b.seen("CPUUtilization", "busy", "Average")})
	if b.burstable {
		credits := b.seen(creditBalance, "credits", "Average")
		credits[len(credits)-1].(map[string]any)["yAxis"] = "right"
		processor.Properties["title"] = "Processor (%) and its credits"
		processor.Properties["metrics"] = append(processor.Properties["metrics"].([][]any), credits)
	}
	memory := b.graph(8, 10, 8, "Memory, disk, swap (%)", 0, 100, [][]any{
		b.own("MemoryUsed", "memory", "Average"), b.own("DiskUsed", "disk", "Maximum"), b.own("SwapUsed", "swap", "Average"),
	})
	for _, graph := range []widget{processor, memory} {
		graph.Properties["annotations"] = alarmLine
	}
	network := b.graph(16, 10, 8, "Network (bytes)", 0, 0, [][]any{b.seen("NetworkIn", "in", "Sum"), b.seen("NetworkOut", "out", "Sum")})
	certificate := b.number(0, 16, "Certificate: life left (%), renewed at 33", b.own("CertificateLife", "%", "Minimum"))
	backup := b.number(12, 16, "Last backup: hours ago", b.own("BackupAge", "hours", "Maximum"))

	all := []widget{alarmed, site, containers, processor, memory, network, certificate, backup}
	if b.several {
		all = append(all, b.servers()...)
	}
	if b.database != "" {
		all = append(all, b.databases(all)...)
	}
	text, err := json.Marshal(map[string]any{"widgets": all})
	if err != nil {
		return "", fmt.Errorf("write the dashboard: %w", err)
	}
	return string(text), nil
}

// servers are the widgets of several servers, below those of the first.
func (b board) servers() []widget {
	balancer := func(metric, label, statistic string) []any {
		return []any{elbNamespace, metric, "LoadBalancer", b.balancer, map[string]any{"label": label, "stat": statistic}}
	}
	targets := func(metric, label, statistic string) []any {
		return []any{elbNamespace, metric, "TargetGroup", b.targets, "LoadBalancer", b.balancer, map[string]any{"label": label, "stat": statistic}}
	}
	memory := b.graph(16, 26, 8, "Web servers: memory, disk, swap (%), the highest", 0, 100, [][]any{
		b.own(webMemory, "memory", "Average"), b.own(webDisk, "disk", "Maximum"), b.own(webSwap, "swap", "Average"),
	})
	memory.Properties["annotations"] = alarmLine
	return []widget{
		b.graph(0, 20, 12, "All servers: requests and errors in five minutes", 0, 0, [][]any{
			balancer("RequestCount", "requests", "Sum"), balancer("HTTPCode_Target_5XX_Count", "errors of the app", "Sum"),
			balancer(balancerErrors, "errors of the load balancer", "Sum"),
		}),
		b.graph(12, 20, 12, "All servers: response time (seconds)", 0, 0, [][]any{balancer("TargetResponseTime", "19 of 20 are faster", "p95")}),
		b.graph(0, 26, 8, "Servers, asked by the load balancer", 0, 0, [][]any{
			targets(healthyHosts, "answer", "Maximum"), targets(unhealthyHosts, "do not answer", "Maximum"),
			{groupNamespace, serversInService, "AutoScalingGroupName", b.group, map[string]any{"label": "web servers in service", "stat": "Minimum"}},
		}),
		b.graph(8, 26, 8, "Web servers: processor (%)", 0, 100, [][]any{
			{"AWS/EC2", "CPUUtilization", "AutoScalingGroupName", b.group, map[string]any{"label": "average", "stat": "Average"}},
			{"AWS/EC2", "CPUUtilization", "AutoScalingGroupName", b.group, map[string]any{"label": "busiest", "stat": "Maximum"}},
		}),
		memory,
	}
}

// databases are the row of the database in RDS, below what is there.
func (b board) databases(above []widget) []widget {
	seen := func(metric, label, statistic string) [][]any {
		return [][]any{{databaseNamespace, metric, databaseDimension, b.database, map[string]any{"label": label, "stat": statistic}}}
	}
	last := above[len(above)-1]
	y := last.Y + last.Height
	return []widget{
		b.graph(0, y, 8, "Database in RDS: processor (%)", 0, 100, seen("CPUUtilization", "busy", "Average")),
		b.graph(8, y, 8, "Database in RDS: free storage (bytes)", 0, 0, seen(freeStorage, "free", "Minimum")),
		b.graph(16, y, 8, "Database in RDS: connections", 0, 0, seen("DatabaseConnections", "open", "Maximum")),
	}
}

// own is one of the server's own metrics, seen one of EC2's.
func (b board) own(metric, label, statistic string) []any {
	return []any{MetricNamespace, metric, MetricDimension, b.domain, map[string]any{"label": label, "stat": statistic}}
}

func (b board) seen(metric, label, statistic string) []any {
	return []any{"AWS/EC2", metric, "InstanceId", b.instance, map[string]any{"label": label, "stat": statistic}}
}

// graph is lines over time, from least to most; a most of 0 leaves the upper end open.
func (b board) graph(x, y, width int, title string, least, most float64, metrics [][]any) widget {
	left := map[string]any{"min": least}
	if most > 0 {
		left["max"] = most
	}
	return widget{Type: "metric", X: x, Y: y, Width: width, Height: 6, Properties: map[string]any{
		"title": title, "region": b.region, "view": "timeSeries", "period": 300, "metrics": metrics,
		"yAxis": map[string]any{"left": left},
	}}
}

// number is the latest value, with its course behind it.
func (b board) number(x, y int, title string, metric []any) widget {
	return widget{Type: "metric", X: x, Y: y, Width: 12, Height: 4, Properties: map[string]any{
		"title": title, "region": b.region, "view": "singleValue", "sparkline": true, "period": 300, "metrics": [][]any{metric},
	}}
}
