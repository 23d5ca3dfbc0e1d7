package cost

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// TestEveryClassHasAPrice, and docs/costs.md has the same.
func TestEveryClassHasAPrice(t *testing.T) {
	text, err := os.ReadFile("../../docs/costs.md")
	require.NoError(t, err)
	assert.Len(t, rdsHourly, len(config.RDSClasses))
	for _, class := range config.RDSClasses {
		require.Greater(t, rdsHourly[class], 0.0, class)
		small := config.RDS{Class: class, SizeGB: 20}
		assert.Contains(t, string(text), fmt.Sprintf("| %s | %.3f | %.2f | %.2f | %.2f |", class, rdsHourly[class], rdsHourly[class]*hours, database(&small), 2*database(&small)))
	}
	assert.Contains(t, string(text), fmt.Sprintf("%.3f a GB and month", rdsGigabyte))
}

func TestADatabaseIsPartOfTheSum(t *testing.T) {
	cfg := defaults()
	cfg.RDS = &config.RDS{Class: "db.t4g.micro", SizeGB: 20}
	assert.Contains(t, Sentence(cfg), "hosted zone 0.50, db.t4g.micro in RDS with 20 GB (at the price of us-east-1) 14.42; on top")
	assert.Equal(t, "about 14.42 USD a month, at the hourly price of us-east-1", Database(cfg))
	cfg.RDS.MultiAZ, cfg.Region = true, "us-east-1"
	assert.Contains(t, Sentence(cfg), "db.t4g.micro in RDS with 20 GB and a standby 28.84; on top")
	assert.Equal(t, "about 28.84 USD a month", Database(cfg))
	monitored := func(rds *config.RDS) float64 {
		cfg := defaults()
		cfg.AlarmEmail, cfg.RDS = "you@example.com", rds
		parts := Listed(cfg).Monthly(cfg)
		return parts[len(parts)-1].USD
	}
	assert.InDelta(t, alarm, monitored(cfg.RDS)-monitored(nil), 1e-9)
}
