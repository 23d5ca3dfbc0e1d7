package cost

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

func defaults() *config.Config {
	return &config.Config{InstanceType: "t3.micro", VolumeSize: 20, Region: "eu-central-1"}
}

// TestTheDocumentHasTheSameFigures: docs/costs.md and README.md say what the program says.
func TestTheDocumentHasTheSameFigures(t *testing.T) {
	text, err := os.ReadFile("../../docs/costs.md")
	require.NoError(t, err)
	total := 0.0
	for _, part := range Monthly(defaults()) {
		total += part.USD
	}
	assert.True(t, strings.Contains(string(text), fmt.Sprintf("| **%.2f** |", total)), total)
	for size, price := range server {
		if strings.HasPrefix(size, "t3.") {
			row := fmt.Sprintf("| %.4f | %.2f | %.2f |", price, price*hours, total-server["t3.micro"]*hours+price*hours)
			assert.True(t, strings.Contains(string(text), row), "%s: %s", size, row)
		}
	}
	for _, row := range []string{
		fmt.Sprintf("| a snapshot, the daily and the final ones | %.3f a GB", snapshot),
		fmt.Sprintf("| traffic out beyond 100 GB | %.2f a GB |", traffic),
		fmt.Sprintf("| a dashboard beyond the account's third, with `berth:alarmEmail` | %.2f |", dashboard),
	} {
		assert.Contains(t, string(text), row)
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	assert.True(t, strings.Contains(string(readme), fmt.Sprintf("about %.0f USD", total)), total)
}

// TestEverySizeHasAPrice: the sizes are those that the configuration takes.
func TestEverySizeHasAPrice(t *testing.T) {
	for _, family := range []string{"t3", "t3a"} {
		for _, size := range []string{"nano", "micro", "small", "medium", "large", "xlarge", "2xlarge"} {
			assert.Positive(t, server[family+"."+size])
		}
	}
}

func TestSentence(t *testing.T) {
	cfg := defaults()
	assert.Equal(t, "about 16 USD a month: t3.micro 8.76, 28 GB of gp3 2.67, IPv4 address 3.65, hosted zone 0.50; on top, snapshots 0.054 a GB that they hold and traffic beyond 100 GB 0.09 a GB", Sentence(cfg))
	cfg.AlarmEmail, cfg.Region = "you@example.com", "us-east-1"
	assert.Contains(t, Sentence(cfg), "about 21 USD a month, at the prices of eu-central-1: ")
	assert.Contains(t, Sentence(cfg), "and 3.00 where the account has three dashboards already")
}
