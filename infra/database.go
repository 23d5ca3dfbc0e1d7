package infra

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/rds"
	"berth/internal/config"
	"berth/internal/cost"
)

const (
	// databasePort is Postgres's.
	databasePort = 5432

	// backupDays is how far back the vendor's backups go.
	backupDays = 7

	// databaseWithin is how long making the database may take: the provider's own limit of 40 minutes is short for a standby.
	databaseWithin = "1h"
)

// Database is a Postgres in Amazon RDS, which only the stack's servers reach.
type Database struct {
	pulumi.ResourceState

	// Host is its name in DNS, Port that of Postgres.
	Host pulumi.StringOutput
	Port pulumi.IntOutput

	// Instance is the resource itself.
	Instance pulumi.Resource
	// identifier is its name in RDS and in CloudWatch's metrics.
	identifier pulumi.StringOutput
}

// DatabaseArgs are what a Database needs.
type DatabaseArgs struct {
	// Domain is the site's, for the name in AWS's console.
	Domain string
	// RDS is what it is like, Password the master user's.
	RDS      *config.RDS
	Password string
	// Network has its subnets, SecurityGroupID says who reaches it.
	Network         *Network
	SecurityGroupID pulumi.StringInput
	// Protect keeps it from being deleted.
	Protect bool
	// External are the services that run elsewhere, by name, each with its host.
	External map[string]string
}

// NewDatabase declares the database.
func NewDatabase(ctx *pulumi.Context, name string, args *DatabaseArgs, opts ...pulumi.ResourceOption) (*Database, error) {
	d := &Database{}
	if err := ctx.RegisterComponentResource("berth:infra:Database", name, d, opts...); err != nil {
		return nil, fmt.Errorf("declare the database: %w", err)
	}
	group, err := rds.NewSubnetGroup(ctx, "berth", &rds.SubnetGroupArgs{
		Description: pulumi.String("Private subnets of a Berth database"),
		SubnetIds:   args.Network.databaseIDs,
		Tags:        nameTag(args.Domain),
	}, pulumi.Parent(d))
	if err != nil {
		return nil, fmt.Errorf("declare the database's subnet group: %w", err)
	}
	wanted := &rds.InstanceArgs{
		// Pulumi ends the group's name with random digits. The final snapshot has it, too: it stays after the database, and AWS takes a
		// snapshot's name once.
		Identifier:              group.Name,
		FinalSnapshotIdentifier: pulumi.Sprintf("%s-final", group.Name),
		SkipFinalSnapshot:       pulumi.Bool(false),
		Engine:                  pulumi.String(config.RDSEngine),
		EngineVersion:           pulumi.String(args.RDS.Version),
		// refuseDatabase says what it does before.
		AllowMajorVersionUpgrade: pulumi.Bool(!args.Protect),
		AutoMinorVersionUpgrade:  pulumi.Bool(true),
		// Otherwise an update would end well, and the change come in some night of the next week, with a password that the app has
		// today.
		ApplyImmediately:      pulumi.Bool(true),
		InstanceClass:         pulumi.String(args.RDS.Class),
		StorageType:           pulumi.String("gp3"),
		AllocatedStorage:      pulumi.Int(args.RDS.SizeGB),
		StorageEncrypted:      pulumi.Bool(true),
		DbName:                pulumi.String(args.RDS.Database),
		Username:              pulumi.String(args.RDS.User),
		Password:              pulumi.ToSecret(pulumi.String(args.Password)).(pulumi.StringOutput),
		DbSubnetGroupName:     group.Name,
		VpcSecurityGroupIds:   pulumi.StringArray{args.SecurityGroupID},
		PubliclyAccessible:    pulumi.Bool(false),
		MultiAz:               pulumi.Bool(args.RDS.MultiAZ),
		BackupRetentionPeriod: pulumi.Int(backupDays),
		CopyTagsToSnapshot:    pulumi.Bool(true),
		DeletionProtection:    pulumi.Bool(args.Protect),
		Tags:                  nameTag(args.Domain),
	}
	if !args.RDS.MultiAZ {
		// That of the server costs no traffic between zones.
		wanted.AvailabilityZone = args.Network.Zone
	}
	database, err := rds.NewInstance(ctx, "database", wanted, pulumi.Parent(d), pulumi.Protect(args.Protect),
		pulumi.AdditionalSecretOutputs([]string{"password"}),
		// A standby takes over in its zone, and stays there: another zone would replace the database.
		pulumi.IgnoreChanges([]string{"availabilityZone"}),
		// Whatever would replace it fails: AWS takes each name once, and the database keeps its data.
		pulumi.DeleteBeforeReplace(false),
		pulumi.Timeouts(&pulumi.CustomTimeouts{Create: databaseWithin, Delete: deleteWithin}))
	if err != nil {
		return nil, fmt.Errorf("declare the database: %w", err)
	}
	d.Instance = database
	d.Host, d.Port, d.identifier = database.Address, database.Port, database.Identifier
	services := d.Host.ApplyT(func(host string) []string { return runAt(args.External, host) })
	if err := ctx.RegisterResourceOutputs(d, pulumi.Map{"host": d.Host, "services": services, "protected": pulumi.Bool(args.Protect)}); err != nil {
		return nil, fmt.Errorf("register the database: %w", err)
	}
	return d, nil
}

// databaseOf is a database as it is.
func databaseOf(there *recorded) config.RDS {
	size, _ := there.Outputs["allocatedStorage"].(float64)
	standby, _ := there.Outputs["multiAz"].(bool)
	version, _, _ := strings.Cut(there.text("engineVersion"), ".")
	return config.RDS{Version: version, Class: there.text("instanceClass"), SizeGB: int(size), MultiAZ: standby, User: there.text("username"), Database: there.text("dbName")}
}

// runAt are the services that have a host.
func runAt(external map[string]string, host string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(external)), func(service string) bool { return host == "" || !strings.EqualFold(external[service], host) })
}

// runIn are the services that berth:external points to a database.
func runIn(cfg *config.Config, there *recorded) []string {
	if there == nil {
		return nil
	}
	return runAt(cfg.External, there.text("address"))
}

// ranIn are those that the last update left there.
func ranIn(component *recorded) (services []string) {
	if component == nil {
		return nil
	}
	all, _ := component.Outputs["services"].([]any)
	for _, one := range all {
		services = append(services, fmt.Sprint(one))
	}
	return services
}

// refuseDatabase refuses what would delete or replace the database, or what AWS does not do to one.
func refuseDatabase(cfg *config.Config, there map[string]*recorded, add func(id, setting, value, allowed, fix string)) {
	found := there[databaseType]
	if found == nil {
		return
	}
	is, name := databaseOf(found), found.text("identifier")
	if cfg.RDS == nil {
		parent := there["berth:infra:Database"]
		services := slices.Compact(slices.Sorted(slices.Values(append(runIn(cfg, found), ranIn(parent)...))))
		if len(services) > 0 {
			add("rds-in-use", "rds", "", "service "+strings.Join(services, " and ")+" runs in the database "+name+" (berth:external), and this would delete it; move the data back first, as docs/external.md says, and take berth:rds away in a run after that", is.Command())
		} else if cfg.Protect || parent == nil || parent.Outputs["protected"] != false {
			add("rds-protected", "rds", "", "the database "+name+" in RDS is protected, and this would delete it. To delete it anyway, first lift its protection with this setting still there: pulumi config set berth:protect false && pulumi up; then take it away, pulumi up, and set berth:protect to true. It leaves the final snapshot "+found.text("finalSnapshotIdentifier"), is.Command())
		}
		return
	}
	if is.User != cfg.RDS.User {
		add("rds-user-fixed", "rds.user", cfg.RDS.User, "the database "+name+" has the master user "+is.User+", which never changes, and another one would replace it", "pulumi config set --path berth:rds.user "+is.User)
	}
	if is.Database != cfg.RDS.Database {
		add("rds-database-fixed", "rds.database", cfg.RDS.Database, "the database "+name+" was made with the name "+is.Database+", and another one would replace it; make further ones with CREATE DATABASE", "pulumi config set --path berth:rds.database "+is.Database)
	}
	if cfg.RDS.SizeGB < is.SizeGB {
		add("rds-shrinks", "rds.sizeGB", strconv.Itoa(cfg.RDS.SizeGB), fmt.Sprintf("the storage of the database %s has %d GB, and RDS makes none smaller", name, is.SizeGB), "pulumi config set --path berth:rds.sizeGB "+strconv.Itoa(is.SizeGB))
	}
	if least := (is.SizeGB*11 + 9) / 10; cfg.RDS.SizeGB > is.SizeGB && cfg.RDS.SizeGB < least {
		add("rds-grows-little", "rds.sizeGB", strconv.Itoa(cfg.RDS.SizeGB), fmt.Sprintf("the storage of the database %s has %d GB, and RDS makes it larger by a tenth at least, to %d GB", name, is.SizeGB, least), "pulumi config set --path berth:rds.sizeGB "+strconv.Itoa(least))
	}
	back := "pulumi config set --path berth:rds.version " + is.Version
	switch before, after := number(is.Version), number(cfg.RDS.Version); {
	case after < before:
		add("rds-version-lower", "rds.version", cfg.RDS.Version, "the database "+name+" is of version "+is.Version+", and RDS makes none older", back)
	case after > before && cfg.Protect:
		add("rds-version-protected", "rds.version", cfg.RDS.Version, "RDS upgrades the database "+name+" from version "+is.Version+" in place: it is away for ten minutes or more, and there is no way back but a snapshot. Try it on a copy first; to do it, lift the protection for this run alone: pulumi config set berth:protect false && pulumi up && pulumi config set berth:protect true && pulumi up", back)
	}
	if network := there[vpcType]; network != nil && network.text("cidrBlock") != cfg.VPCCIDR.String() {
		add("rds-network-fixed", "vpcCidr", cfg.VPCCIDR.String(), "the database "+name+" is in the network "+network.text("cidrBlock")+", and another one would replace it", "pulumi config set berth:vpcCidr "+network.text("cidrBlock"))
	}
	if provider := there[providerType]; !cfg.Protect && provider != nil && provider.text("region") != cfg.Region {
		add("rds-region-fixed", "region", cfg.Region, "the database "+name+" is in "+provider.text("region")+", and another region would replace it; make another stack there", "pulumi config set berth:region "+provider.text("region"))
	}
}

// number is a major version, 0 for none.
func number(version string) int {
	value, _ := strconv.Atoi(version)
	return value
}

// describeDatabase is what a preview says of the database: what it is, costs and becomes, and the next step.
func describeDatabase(cfg *config.Config, there *recorded) string {
	if cfg.RDS == nil {
		return ""
	}
	wanted := cfg.RDS
	text := fmt.Sprintf("the database in RDS: Postgres %s on %s with %d GB", wanted.Version, wanted.Class, wanted.SizeGB)
	if wanted.MultiAZ {
		text += " and a standby in another zone"
	}
	text += ", " + cost.Database(cfg)
	if there != nil {
		is := databaseOf(there)
		if is.Class != wanted.Class {
			away := "some minutes"
			if is.MultiAZ {
				away = "about a minute"
			}
			text += fmt.Sprintf("; %s -> %s: it is restarted, %s without it", is.Class, wanted.Class, away)
		}
		if is.MultiAZ != wanted.MultiAZ {
			text += map[bool]string{true: "; it gets a standby, and goes on meanwhile", false: "; its standby goes"}[wanted.MultiAZ]
		}
		if is.SizeGB != wanted.SizeGB {
			text += fmt.Sprintf("; %d -> %d GB in place, which RDS does once in six hours", is.SizeGB, wanted.SizeGB)
		}
		if is.Version != wanted.Version {
			text += fmt.Sprintf("; version %s -> %s in place: ten minutes or more without it", is.Version, wanted.Version)
		}
	}
	if services := runIn(cfg, there); len(services) > 0 {
		return text + "; service " + strings.Join(services, " and ") + " runs in it"
	}
	return text + `; no service runs in it yet. To move one there, see docs/external.md; then: pulumi config set --path berth:external.SERVICE "$(pulumi stack output rdsHost)" && pulumi up`
}
