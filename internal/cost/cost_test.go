package cost

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/internal/instance"
)

func defaults() *config.Config {
	return &config.Config{InstanceType: "t3.micro", VolumeSize: 20, Region: "eu-central-1"}
}

// TestTheDocumentHasTheSameFigures: docs/costs.md and README.md say what the program says.
func TestTheDocumentHasTheSameFigures(t *testing.T) {
	text, err := os.ReadFile("../../docs/costs.md")
	require.NoError(t, err)
	total := 0.0
	for _, part := range Listed(defaults()).Monthly(defaults()) {
		total += part.USD
	}
	assert.True(t, strings.Contains(string(text), fmt.Sprintf("| **%.2f** |", total)), total)
	for _, one := range instance.All {
		if one.Family == "t3" {
			price := hourly(listed, one.Name())
			row := fmt.Sprintf("| %s | %g GiB | %.4f | %.2f | %.2f |", one.Name(), float64(one.Memory)/1024, price, price*hours, total-hourly(listed, "t3.micro")*hours+price*hours)
			assert.True(t, strings.Contains(string(text), row), "%s: %s", one.Name(), row)
		}
	}
	for _, row := range []string{
		fmt.Sprintf("| a snapshot, the daily and the final ones | %.3f a GB", snapshot),
		fmt.Sprintf("| web server, t3.micro | 0.0120 and 0.005 an hour, 20 × 0.0952 | %.2f |", Listed(defaults()).webServer()),
		fmt.Sprintf("| load balancer | %.3f an hour | %.2f |", balancer, balancer*hours),
		fmt.Sprintf("| its public IPv4 addresses, one in each of two zones | %.3f an hour | %.2f |", ipv4, balancerZones*ipv4*hours),
		fmt.Sprintf("| one capacity unit (LCU) | %.3f an hour | %.2f |", capacity, capacity*hours),
		fmt.Sprintf("| traffic between zones | %.2f a GB", between),
		fmt.Sprintf("| six alarms, with `berth:alarmEmail` | %.2f | %.2f |", alarm, severalAlarms*alarm),
		fmt.Sprintf("| three metrics, with `berth:alarmEmail` | %.2f | %.2f |", metric, webMetrics*metric),
		fmt.Sprintf("| traffic out beyond 100 GB | %.2f a GB |", traffic),
		fmt.Sprintf("| a dashboard beyond the account's third, with `berth:alarmEmail` | %.2f |", dashboard),
	} {
		assert.Contains(t, string(text), row)
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	assert.True(t, strings.Contains(string(readme), fmt.Sprintf("about %.0f USD", total)), total)
}

// TestEveryTypeHasAPrice, and prices.txt has none of a family that no server can have. What AWS lists is met where sizes are rounded, too.
func TestEveryTypeHasAPrice(t *testing.T) {
	known := map[string]bool{}
	for _, one := range instance.All {
		assert.Greater(t, hourly(complete, one.Name()), 0.0, one.Name())
		assert.Equal(t, one.Burstable(), hourly(listed, one.Name()) > 0, one.Name())
		known[one.Family] = true
	}
	for key := range families {
		_, family, _ := strings.Cut(key, " ")
		assert.True(t, known[family], key)
	}
	for name, price := range map[string]float64{
		"t3.nano": 0.0052, "t3a.2xlarge": 0.3008, "m5.large": 0.096, "m5zn.xlarge": 0.3303, "m5zn.12xlarge": 3.9641, "m7i.48xlarge": 9.6768, "m8i.96xlarge": 20.32128, "c5.9xlarge": 1.53,
		"c5n.18xlarge": 3.888, "c7a.medium": 0.05132, "c7i-flex.large": 0.08479, "c8a.medium": 0.05389, "r6idn.32xlarge": 12.50496, "r7a.medium": 0.07608, "r8i-flex.16xlarge": 4.22304,
	} {
		assert.InEpsilon(t, price, hourly(complete, name), 0.0005, name)
	}
}

func TestASentenceNamesTheRegionOfItsServer(t *testing.T) {
	cfg := defaults()
	cfg.InstanceType = "m7i.large"
	assert.Contains(t, Sentence(cfg), "about 80 USD a month: m7i.large (at the price of us-east-1) 73.58, 28 GB")
	cfg.Region = "us-east-1"
	assert.Contains(t, Sentence(cfg), "about 80 USD a month, at the prices of eu-central-1: m7i.large 73.58, 28 GB")
}

func TestChange(t *testing.T) {
	for _, row := range []struct{ before, after, region, want string }{
		{"", "t3.small", "eu-central-1", ""},
		{"t3.small", "t3.small", "eu-central-1", ""},
		{"t3.micro", "t3.large", "eu-central-1", "t3.micro -> t3.large, 8.76 -> 70.08 USD a month (+61.32)"},
		{"t3.large", "t3a.large", "us-east-1", "t3.large -> t3a.large, 60.74 -> 54.90 USD a month (-5.84)"},
		{"t3.large", "t3a.large", "us-west-2", "t3.large -> t3a.large, 70.08 -> 63.07 USD a month (-7.01), at the prices of eu-central-1"},
		{"t3.large", "m7i.large", "eu-central-1", "t3.large -> m7i.large, 60.74 -> 73.58 USD a month (+12.85), at the prices of us-east-1"},
		{"m7i.large", "m6i.large", "us-east-1", "m7i.large -> m6i.large, 73.58 -> 70.08 USD a month (-3.50)"},
		{"t2.micro", "t3.micro", "eu-central-1", "t2.micro -> t3.micro, 7.59 USD a month, at the prices of us-east-1"},
	} {
		cfg := defaults()
		cfg.InstanceType, cfg.Region = row.after, row.region
		assert.Equal(t, row.want, Change(cfg, row.before))
	}
}

// TestMonitoringIsPaidForAsItIsDeclared: only a burstable server has the alarm on credits, and several servers have alarms of their own.
func TestMonitoringIsPaidForAsItIsDeclared(t *testing.T) {
	of := func(name string, servers config.Servers) float64 {
		cfg := defaults()
		cfg.InstanceType, cfg.AlarmEmail, cfg.Servers = name, "you@example.com", servers
		parts := Listed(cfg).Monthly(cfg)
		return parts[len(parts)-1].USD
	}
	one := of("t3.micro", config.Servers{Min: 1, Max: 1})
	assert.InDelta(t, 5.23, one, 1e-9)
	assert.InDelta(t, alarm, one-of("m7i.large", config.Servers{Min: 1, Max: 1}), 1e-9)
	assert.InDelta(t, 6*alarm+3*metric, of("t3.micro", config.Servers{Min: 3, Max: 3})-one, 1e-9)
	assert.InDelta(t, 5*alarm, of("t3.micro", config.Servers{Min: 1, Max: 3})-one, 1e-9)
}

func TestSentence(t *testing.T) {
	cfg := defaults()
	assert.Equal(t, "about 16 USD a month: t3.micro 8.76, 28 GB of gp3 2.67, IPv4 address 3.65, hosted zone 0.50; on top, snapshots 0.054 a GB that they hold and traffic beyond 100 GB 0.09 a GB", Sentence(cfg))
	cfg.AlarmEmail, cfg.Region = "you@example.com", "us-east-1"
	assert.Contains(t, Sentence(cfg), "about 21 USD a month, at the prices of eu-central-1: ")
	assert.Contains(t, Sentence(cfg), "and 3.00 where the account has three dashboards already")
}

// TestSeveralServers adds what they need to what one costs, and says what comes on top.
func TestSeveralServers(t *testing.T) {
	total := func(cfg *config.Config) (sum float64) {
		for _, part := range Listed(cfg).Monthly(cfg) {
			sum += part.USD
		}
		return sum
	}
	one, cfg := defaults(), defaults()
	one.Servers = config.Servers{Min: 1, Max: 1}
	assert.Equal(t, Sentence(defaults()), Sentence(one))
	cfg.Servers = config.Servers{Min: 3, Max: 3}
	// Two web servers, the load balancer with an address in two zones, and one of its units.
	assert.InDelta(t, 2*(0.012*730+20*0.0952+0.005*730)+0.027*730+2*0.005*730+0.008*730, total(cfg)-total(one), 1e-9)
	assert.Equal(t, "about 77 USD a month: t3.micro 8.76, 28 GB of gp3 2.67, IPv4 address 3.65, hosted zone 0.50, 2 web servers 28.63, load balancer 27.01, one LCU 5.84; "+
		"on top, snapshots 0.054 a GB that they hold and traffic beyond 100 GB 0.09 a GB, more LCUs with more traffic, and traffic between zones, such as to the database, 0.01 a GB and direction", Sentence(cfg))
	cfg.Servers = config.Servers{Min: 2, Max: 4}
	assert.Contains(t, Sentence(cfg), "hosted zone 0.50, a web server 14.31, load balancer 27.01")
	assert.Contains(t, Sentence(cfg), ", each further web server, at most 2, 14.31, more LCUs")
	cfg.Servers = config.Servers{Min: 1, Max: 2}
	assert.Contains(t, Sentence(cfg), "hosted zone 0.50, load balancer 27.01")
	assert.Contains(t, Sentence(cfg), ", each further web server, at most 1, 14.31")
	cfg.AlarmEmail = "you@example.com"
	parts := Listed(cfg).Monthly(cfg)
	assert.Equal(t, "monitoring", parts[len(parts)-1].Name)
}
