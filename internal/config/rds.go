package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// RDSEngine is the one engine.
const RDSEngine = "postgres"

const (
	// minRDS and maxRDS are GiB. Source: RDS User Guide, "gp3 storage".
	minRDS, maxRDS = 20, 65536
	// rdsRange is the smallest VPC, as the length of its prefix, in which the database's subnets lie beside those of the servers.
	rdsRange = 22
)

// RDS is a Postgres in Amazon RDS that the stack declares.
type RDS struct {
	// Version is the major version, Class the size, such as "db.t4g.micro".
	Version, Class string
	// SizeGB of its storage, in GiB.
	SizeGB int
	// MultiAZ keeps a standby in another zone.
	MultiAZ bool
	// User is the master user, Database the database that it owns.
	User, Database string
}

// usualRDS is the default.
var usualRDS = RDS{Version: "17", Class: "db.t4g.micro", SizeGB: minRDS, User: "app", Database: "app"}

// RDSVersions are those that RDS has with standard support and that force TLS by themselves. A dump of an older one is read by each of
// them. Source: RDS User Guide, "Release calendar for Amazon RDS for PostgreSQL" and "Using SSL with a PostgreSQL DB instance".
var RDSVersions = []string{"15", "16", "17"}

// RDSClasses are the sizes, each with a price in internal/cost.
var RDSClasses = []string{"db.t4g.micro", "db.t4g.small", "db.t4g.medium", "db.t4g.large", "db.m7g.large", "db.m7g.xlarge", "db.m7g.2xlarge"}

// rdsFields are what rds may be as an object, with the command that sets each.
var rdsFields = map[string]string{"engine": RDSEngine, "version": "17", "class": "db.t4g.small", "sizeGB": "50", "multiAZ": "true", "user": "app", "database": "app"}

var (
	// rdsUser and rdsDatabase are names. Source: RDS API Reference, "CreateDBInstance", MasterUsername and DBName.
	rdsUser     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,15}$`)
	rdsDatabase = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)
	// rdsPassword is a password. Source: the same, MasterUserPassword.
	rdsPassword = regexp.MustCompile(`^[!#-.0-?A-~]{8,128}$`)
)

// rdsReserved are names that RDS keeps to itself, and Postgres's reserved words. Source: PostgreSQL documentation, "SQL Key Words".
var rdsReserved = strings.Fields("admin rdsadmin template0 template1 all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create " +
	"current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign " +
	"from grant group having in initially intersect into lateral leading limit localtime localtimestamp not null offset on only or order placing primary references " +
	"returning select session_user some symmetric system_user table then to trailing true union unique user using variadic when where window with")

// Command sets all of it, whatever fields were set before.
func (r RDS) Command() string {
	commands := []string{"pulumi config rm " + namespace + "rds", set("rds.engine", RDSEngine), set("rds.version", r.Version), set("rds.class", r.Class), set("rds.sizeGB", strconv.Itoa(r.SizeGB))}
	if r.MultiAZ {
		commands = append(commands, set("rds.multiAZ", "true"))
	}
	return strings.Join(append(commands, set("rds.user", r.User), set("rds.database", r.Database)), " && ")
}

// rds reads the database.
func (l *loader) rds() {
	if l.raw("rds") == "" {
		return
	}
	read := usualRDS
	if engine := l.single("rds"); engine != "" {
		l.rdsEngine("rds", engine)
	} else {
		var fields map[string]json.RawMessage
		if l.decode("rds", &fields, "postgres, or {engine, version, class, sizeGB, multiAZ, user, database}", set("rds", RDSEngine)) {
			l.rdsFields(fields, &read)
		}
	}
	c := l.config
	c.RDS = &read
	if c.SubnetID != "" {
		// Without the setting, the server would be replaced.
		l.problem("rds-with-subnet", "rds", "", "a database in RDS needs a network of Berth's, with subnets in two zones; with an existing subnet (berth:subnetId), make the database yourself and name it in berth:external", remove("rds")+", or, where the database is there already: "+remove("subnetId"))
	} else if c.VPCCIDR.IsValid() && c.VPCCIDR.Bits() > rdsRange {
		l.problem("rds-range-too-small", "vpcCidr", c.VPCCIDR.String(), fmt.Sprintf("a database in RDS has subnets of its own at the end of the network, which takes a range of /16 to /%d; another range replaces the network and the server, and keeps the data", rdsRange), set("vpcCidr", defaultText("vpcCidr")))
	}
}

func (l *loader) rdsEngine(path, engine string) {
	if engine != RDSEngine {
		l.problem("rds-engine-unknown", path, engine, "postgres is required, the one engine that Berth declares in RDS; another one you make yourself and name in berth:external", set(path, RDSEngine))
	}
}

// rdsFields reads rds as an object, and says of each field what is wrong with it.
func (l *loader) rdsFields(fields map[string]json.RawMessage, read *RDS) {
	engine := RDSEngine
	into := map[string]any{"engine": &engine, "version": &read.Version, "class": &read.Class, "sizeGB": &read.SizeGB, "multiAZ": &read.MultiAZ, "user": &read.User, "database": &read.Database}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		at, value := pathInto("rds", name), fields[name]
		kind := "a text"
		switch target := into[name].(type) {
		case nil:
			l.problem("rds-field-unknown", at, "", "rds has engine, version, class, sizeGB, multiAZ, user and database"+nearest(name, slices.Sorted(maps.Keys(rdsFields))), remove(at))
			continue
		case *string:
			// A version that `pulumi config set` wrote has no quotes.
			if text, is := scalar(value); is {
				*target = text
				continue
			}
		case *int:
			if kind = "a whole number without quotes"; string(value) != "null" && json.Unmarshal(value, target) == nil {
				continue
			}
		case *bool:
			if kind = "true or false without quotes"; string(value) != "null" && json.Unmarshal(value, target) == nil {
				continue
			}
		}
		l.problem("rds-field-invalid", at, string(value), kind+" is required", set(at, rdsFields[name]))
	}
	l.rdsEngine("rds.engine", engine)
	l.rdsValues(read)
}

func (l *loader) rdsValues(read *RDS) {
	if !slices.Contains(RDSVersions, read.Version) {
		l.problem("rds-version-unknown", "rds.version", read.Version, "a major version is required, one of "+strings.Join(RDSVersions, ", ")+"; a dump of an older one is read by each of them", set("rds.version", usualRDS.Version))
	}
	if !slices.Contains(RDSClasses, read.Class) {
		l.problem("rds-class-unknown", "rds.class", read.Class, "one of "+strings.Join(RDSClasses, ", ")+" is required", set("rds.class", usualRDS.Class))
	}
	if read.SizeGB < minRDS || read.SizeGB > maxRDS {
		l.problem("rds-size-out-of-range", "rds.sizeGB", strconv.Itoa(read.SizeGB), fmt.Sprintf("a whole number of GiB is required, %d to %d", minRDS, maxRDS), set("rds.sizeGB", strconv.Itoa(minRDS)))
	}
	reserved := func(name string) bool {
		name = strings.ToLower(name)
		return slices.Contains(rdsReserved, name) || strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "rds_")
	}
	if !rdsUser.MatchString(read.User) || reserved(read.User) {
		l.problem("rds-user-invalid", "rds.user", read.User, "1 to 16 letters, digits and _ are required, which begin with a letter and are not a word that Postgres or RDS keeps to itself, such as admin or user", set("rds.user", usualRDS.User))
	}
	if !rdsDatabase.MatchString(read.Database) || reserved(read.Database) {
		l.problem("rds-database-invalid", "rds.database", read.Database, "1 to 63 letters, digits and _ are required, which begin with a letter and are not a word that Postgres or RDS keeps to itself, such as template1 or user", set("rds.database", usualRDS.Database))
	}
}

// rdsPassword reads the master user's password, which the database needs.
func (l *loader) rdsPassword() {
	password := l.secret("rdsPassword", setSecret("rdsPassword"))
	switch {
	case password == "" && l.config.RDS != nil:
		l.problem("rds-password-missing", "rdsPassword", "", "the database in RDS needs a password of its master user: 8 to 128 printable ASCII characters without a space and / \" @", setSecret("rdsPassword"))
	case password != "" && !rdsPassword.MatchString(password):
		l.problem("rds-password-invalid", "rdsPassword", "", "8 to 128 printable ASCII characters are required, without a space and / \" @", setSecret("rdsPassword"))
	}
	l.config.RDSPassword = password
}
