// Package cost estimates what an environment costs a month.
package cost

import (
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"

	"berth/internal/config"
	"berth/internal/instance"
)

// listed is the region whose prices these are, complete the one for which prices.txt has every type.
const listed, complete = "eu-central-1", "us-east-1"

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
	balancer    = 0.027  // an Application Load Balancer, an hour
	capacity    = 0.008  // one of its capacity units (LCU), an hour
	between     = 0.01   // a GB between two zones, in each direction
)

// What several servers declare: infra's launch template and load balancer.
const (
	webDisk       = 20.0 // GB, a web server's
	balancerZones = 2    // each with a public address
)

// What monitoring declares: infra/monitoring.go and provision/scripts/health/push.sh.
const (
	metrics = 7
	alarms  = 12 // with that on CPU credits

	severalAlarms = 6 // more of them with several servers, with that on web servers that are missing
	webMetrics    = 3 // more of them while there is a web server
)

//go:embed prices.txt
var list string

// families are the prices of prices.txt, by "region family".
var families = parse(list)

func parse(text string) map[string]float64 {
	prices := map[string]float64{}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] != "#" {
			prices[fields[0]+" "+fields[1]], _ = strconv.ParseFloat(fields[2], 64)
		}
	}
	return prices
}

// hourly is what a type costs an hour in a region, 0 where prices.txt does not have it. AWS's prices have five digits.
func hourly(region, name string) float64 {
	found, ok := instance.Lookup(name)
	if !ok {
		return 0
	}
	units := float64(found.VCPUs)
	if found.Burstable() {
		units = float64(found.Memory) / 1024
	}
	return math.Round(families[region+" "+found.Family]*units*1e5) / 1e5
}

// pricedIn is the first region that has prices for all these types: the stack's own, the one of the other prices, the one that has all.
func pricedIn(own string, names ...string) string {
	for _, region := range []string{own, listed} {
		known := true
		for _, name := range names {
			known = known && hourly(region, name) > 0
		}
		if known {
			return region
		}
	}
	return complete
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
	// ServerRegion is whose price Server is, where that is another region.
	ServerRegion string
}

// Listed are the prices that Berth knows.
func Listed(cfg *config.Config) Prices {
	prices := Prices{Region: listed, Gigabyte: gigabyte}
	region := pricedIn(listed, cfg.InstanceType)
	prices.Server = hourly(region, cfg.InstanceType)
	if region != listed {
		prices.ServerRegion = region
	}
	return prices
}

// Monthly lists what a stack pays for whatever its use, at these prices. What Sentence says beside comes on top, and CPU credits.
func (p Prices) Monthly(cfg *config.Config) (parts []Part) {
	server := cfg.InstanceType
	if p.ServerRegion != "" && p.ServerRegion != cfg.Region {
		server += " (at the price of " + p.ServerRegion + ")"
	}
	parts = []Part{
		{server, p.Server * hours},
		{fmt.Sprintf("%d GB of gp3", cfg.VolumeSize+int(systemDisk)), (float64(cfg.VolumeSize) + systemDisk) * p.Gigabyte},
		{"IPv4 address", ipv4 * hours},
		{"hosted zone", zone},
	}
	if cfg.Servers.Several() {
		web := cfg.Servers.Min - 1
		if web > 0 {
			name := "a web server"
			if web > 1 {
				name = fmt.Sprintf("%d web servers", web)
			}
			parts = append(parts, Part{name, float64(web) * p.webServer()})
		}
		parts = append(parts, Part{"load balancer", (balancer + balancerZones*ipv4) * hours}, Part{"one LCU", capacity * hours})
	}
	if cfg.RDS != nil {
		parts = append(parts, databasePart(cfg))
	}
	if cfg.AlarmEmail != "" {
		count, figures := alarms, metrics
		if !instance.Burstable(cfg.InstanceType) {
			count--
		}
		if cfg.Servers.Several() {
			count += severalAlarms
			if cfg.Servers.Min == 1 {
				count-- // No web server is ever missing.
			} else {
				figures += webMetrics
			}
		}
		if cfg.RDS != nil {
			count++ // Its storage.
		}
		parts = append(parts, Part{"monitoring", float64(figures)*metric + float64(count)*alarm + healthCheck + pushes})
	}
	return parts
}

// webServer is what one costs: the instance, its disk and its address.
func (p Prices) webServer() float64 { return (p.Server+ipv4)*hours + webDisk*p.Gigabyte }

// beside is what comes on top of Monthly: by use, or for what else the account has.
func (p Prices) beside(cfg *config.Config) string {
	text := fmt.Sprintf("snapshots %.3f a GB that they hold and traffic beyond 100 GB %.2f a GB", snapshot, traffic)
	if cfg.AlarmEmail != "" {
		text += fmt.Sprintf(", and %.2f where the account has three dashboards already", dashboard)
	}
	if cfg.Servers.Several() {
		if further := cfg.Servers.Max - cfg.Servers.Min; further > 0 {
			text += fmt.Sprintf(", each further web server, at most %d, %.2f", further, p.webServer())
		}
		text += fmt.Sprintf(", more LCUs with more traffic, and traffic between zones, such as to the database, %.2f a GB and direction", between)
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
	return fmt.Sprintf("about %.0f USD a month%s: %s; on top, %s", total, where, strings.Join(words, ", "), p.beside(cfg))
}

// Change says what another instance type costs a month, "" where it is the same.
func Change(cfg *config.Config, before string) string {
	if before == "" || before == cfg.InstanceType {
		return ""
	}
	region := pricedIn(cfg.Region, before, cfg.InstanceType)
	from, to, where := hourly(region, before)*hours, hourly(region, cfg.InstanceType)*hours, ""
	if cfg.Region != region {
		where = ", at the prices of " + region
	}
	if from == 0 {
		// A type that the stack cannot have, by hand.
		return fmt.Sprintf("%s -> %s, %.2f USD a month%s", before, cfg.InstanceType, to, where)
	}
	return fmt.Sprintf("%s -> %s, %.2f -> %.2f USD a month (%+.2f)%s", before, cfg.InstanceType, from, to, to-from, where)
}
