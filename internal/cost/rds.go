package cost

import (
	"fmt"

	"berth/internal/config"
)

// rdsGigabyte is a GB and month of gp3 in RDS, in the region of the other prices; docs/costs.md has its source.
const rdsGigabyte = 0.137

// rdsHourly are what an hour of a class with Postgres costs in one zone, in the region that has all types. A standby costs as much again.
var rdsHourly = map[string]float64{
	"db.t4g.micro": 0.016, "db.t4g.small": 0.032, "db.t4g.medium": 0.065, "db.t4g.large": 0.129,
	"db.m7g.large": 0.168, "db.m7g.xlarge": 0.337, "db.m7g.2xlarge": 0.674,
}

// database is what a stack's database in RDS costs a month.
func database(wanted *config.RDS) float64 {
	each := rdsHourly[wanted.Class]*hours + float64(wanted.SizeGB)*rdsGigabyte
	if wanted.MultiAZ {
		return 2 * each
	}
	return each
}

// databasePart is Monthly's part of the database.
func databasePart(cfg *config.Config) Part {
	name := fmt.Sprintf("%s in RDS with %d GB", cfg.RDS.Class, cfg.RDS.SizeGB)
	if cfg.RDS.MultiAZ {
		name += " and a standby"
	}
	if cfg.Region != complete {
		name += " (at the price of " + complete + ")"
	}
	return Part{name, database(cfg.RDS)}
}

// Database says what the database in RDS costs.
func Database(cfg *config.Config) string {
	where := ""
	if cfg.Region != complete {
		where = ", at the hourly price of " + complete
	}
	return fmt.Sprintf("about %.2f USD a month%s", database(cfg.RDS), where)
}
