// Package cost estimates what an environment costs a month.
package cost

import (
	"fmt"
	"strings"

	"berth/internal/config"
)

// Prices are AWS's list prices for eu-central-1 in USD without tax; docs/costs.md has each one's source and the arithmetic.
const (
	hours       = 730.0  // a month
	gigabyte    = 0.0952 // gp3, a GB and month
	ipv4        = 0.005  // a public address, an hour
	zone        = 0.50   // a hosted zone, a month
	systemDisk  = 8.0    // GB
	metric      = 0.30   // a custom metric of CloudWatch, a month
	alarm       = 0.10   // an alarm, a month
	healthCheck = 1.50   // Route 53, of an address of AWS's, over HTTPS, a month
	pushes      = 0.43   // PutMetricData once a minute, a month
	dashboard   = 3.00   // a dashboard beyond the account's third, a month
	snapshot    = 0.054  // a GB and month that a snapshot holds
	traffic     = 0.09   // a GB out beyond the account's first 100 a month
)

// What monitoring declares: infra/monitoring.go and provision/scripts/health/push.sh.
const (
	metrics = 7
	alarms  = 12
)

// server is the price of a size, an hour.
var server = map[string]float64{
	"t3.nano": 0.0060, "t3.micro": 0.0120, "t3.small": 0.0240, "t3.medium": 0.0480, "t3.large": 0.0960, "t3.xlarge": 0.1920, "t3.2xlarge": 0.3840,
	"t3a.nano": 0.0054, "t3a.micro": 0.0108, "t3a.small": 0.0216, "t3a.medium": 0.0432, "t3a.large": 0.0864, "t3a.xlarge": 0.1728, "t3a.2xlarge": 0.3456,
}

// Part is one thing that is paid for, in USD a month.
type Part struct {
	Name string
	USD  float64
}

// Prices are those that differ between regions.
type Prices struct {
	// Region is whose they are.
	Region string
	// Server is an hour of the stack's size, Gigabyte a month of gp3's.
	Server, Gigabyte float64
}

// Listed are the prices that Berth knows.
func Listed(cfg *config.Config) Prices {
	return Prices{Region: "eu-central-1", Server: server[cfg.InstanceType], Gigabyte: gigabyte}
}

// Monthly lists what a stack pays for whatever its use, at listed prices. What Sentence says beside comes on top, and CPU credits.
func Monthly(cfg *config.Config) []Part { return Listed(cfg).Monthly(cfg) }

// Monthly lists what a stack pays at these prices.
func (p Prices) Monthly(cfg *config.Config) (parts []Part) {
	parts = []Part{
		{cfg.InstanceType, p.Server * hours},
		{fmt.Sprintf("%d GB of gp3", cfg.VolumeSize+int(systemDisk)), (float64(cfg.VolumeSize) + systemDisk) * p.Gigabyte},
		{"IPv4 address", ipv4 * hours},
		{"hosted zone", zone},
	}
	if cfg.AlarmEmail != "" {
		parts = append(parts, Part{"monitoring", metrics*metric + alarms*alarm + healthCheck + pushes})
	}
	return parts
}

// beside is what comes on top of Monthly: by use, or for what else the account has.
func beside(cfg *config.Config) string {
	text := fmt.Sprintf("snapshots %.3f a GB that they hold and traffic beyond 100 GB %.2f a GB", snapshot, traffic)
	if cfg.AlarmEmail != "" {
		text += fmt.Sprintf(", and %.2f where the account has three dashboards already", dashboard)
	}
	return text
}

// Sentence is Monthly in one line.
func Sentence(cfg *config.Config) string { return Listed(cfg).Sentence(cfg) }

// Sentence is Monthly in one line, at these prices.
func (p Prices) Sentence(cfg *config.Config) string {
	total, words := 0.0, []string{}
	for _, part := range p.Monthly(cfg) {
		total += part.USD
		words = append(words, fmt.Sprintf("%s %.2f", part.Name, part.USD))
	}
	where := ""
	if cfg.Region != p.Region {
		where = ", at the prices of " + p.Region
	}
	return fmt.Sprintf("about %.0f USD a month%s: %s; on top, %s", total, where, strings.Join(words, ", "), beside(cfg))
}
