package infra

import (
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// withDatabase is a stack with a database in RDS.
func withDatabase(cfg *config.Config) {
	cfg.RDS = &config.RDS{Version: "17", Class: "db.t4g.micro", SizeGB: 20, User: "app", Database: "app"}
	cfg.RDSPassword = "not-a-secret"
}

func TestTheDatabaseIsPrivateAndProtected(t *testing.T) {
	var host string
	c := declare(t, withDatabase, func(env *Environment) { read(t, env.Database.Host, &host) })
	assert.Equal(t, mockDatabase, host)
	database := c.only(t, "rds/instance:Instance")
	inputs := maps.Clone(database.Inputs)
	require.True(t, inputs["password"].IsSecret(), "in the state it is encrypted")
	assert.Equal(t, "not-a-secret", text(database, "password"))
	delete(inputs, resource.PropertyKey("password"))
	assert.Equal(t, map[string]any{
		"identifier": "berth-1234567", "finalSnapshotIdentifier": "berth-1234567-final", "skipFinalSnapshot": false,
		"engine": "postgres", "engineVersion": "17", "allowMajorVersionUpgrade": false, "autoMinorVersionUpgrade": true, "applyImmediately": true,
		"instanceClass": "db.t4g.micro", "storageType": "gp3", "allocatedStorage": 20.0, "storageEncrypted": true,
		"dbName": "app", "username": "app", "dbSubnetGroupName": "berth-1234567", "vpcSecurityGroupIds": []any{"database-security-group-id"},
		"publiclyAccessible": false, "multiAz": false, "availabilityZone": "eu-central-1a",
		"backupRetentionPeriod": 7.0, "copyTagsToSnapshot": true, "deletionProtection": true, "tags": map[string]any{"Name": "app.example.com"},
	}, inputs.Mappable())
	assert.True(t, database.RegisterRPC.GetProtect())
	assert.True(t, database.RegisterRPC.GetDeleteBeforeReplaceDefined())
	assert.False(t, database.RegisterRPC.GetDeleteBeforeReplace(), "whatever would replace it fails, since AWS has its name once")
	assert.Equal(t, []string{"password"}, database.RegisterRPC.GetAdditionalSecretOutputs())
	assert.Equal(t, []string{"availabilityZone"}, database.RegisterRPC.GetIgnoreChanges())
	limit, err := time.ParseDuration(database.RegisterRPC.GetCustomTimeouts().GetDelete())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, limit, 6*time.Hour, "the final snapshot has time")

	c = declare(t, func(cfg *config.Config) { withDatabase(cfg); cfg.Protect, cfg.RDS.MultiAZ = false, true }, nil)
	database = c.only(t, "rds/instance:Instance")
	assert.False(t, database.RegisterRPC.GetProtect())
	assert.False(t, input(database, "deletionProtection").BoolValue())
	assert.True(t, input(database, "allowMajorVersionUpgrade").BoolValue())
	assert.True(t, input(database, "multiAz").BoolValue())
	assert.NotContains(t, database.Inputs, "availabilityZone", "AWS refuses one with a standby")

	assert.Empty(t, declare(t, nil, nil).of("rds/instance:Instance"))
}

// TestTheDatabasesSubnetsArePrivate, in two zones, and have no route out of the network.
func TestTheDatabasesSubnetsArePrivate(t *testing.T) {
	c := declare(t, withDatabase, nil)
	assert.Equal(t, []any{"database-subnet-1-id", "database-subnet-2-id"}, input(c.only(t, "rds/subnetGroup:SubnetGroup"), "subnetIds").Mappable())
	for name, want := range map[string][2]string{"database-subnet-1": {"eu-central-1a", "10.20.255.224/28"}, "database-subnet-2": {"eu-central-1b", "10.20.255.240/28"}} {
		subnet := c.named(t, "ec2/subnet:Subnet", name)
		assert.Equal(t, want, [2]string{text(subnet, "availabilityZone"), text(subnet, "cidrBlock")})
		assert.NotContains(t, subnet.Inputs, "mapPublicIpOnLaunch")
		assert.Equal(t, []string{"availabilityZone"}, subnet.RegisterRPC.GetIgnoreChanges())
	}
	for _, association := range c.of("ec2/routeTableAssociation:RouteTableAssociation") {
		assert.NotContains(t, text(association, "subnetId"), "database")
	}
	for vpc, want := range map[string][2]string{
		"10.20.0.0/16": {"10.20.255.224/28", "10.20.255.240/28"}, "172.16.4.0/22": {"172.16.7.224/28", "172.16.7.240/28"},
	} {
		for i := range want {
			got := databaseIPv4(netip.MustParsePrefix(vpc), i)
			assert.Equal(t, want[i], got.String())
			assert.False(t, got.Overlaps(secondIPv4(netip.MustParsePrefix(vpc))))
		}
	}
	one := newCloud()
	one.zones = []string{"eu-central-1a"}
	cfg := production()
	withDatabase(cfg)
	require.ErrorContains(t, one.run(cfg, nil), "a database in RDS needs two. Fix, where there is no database yet: pulumi config rm berth:rds")
}

// TestOnlyServersReachTheDatabase, by their security groups.
func TestOnlyServersReachTheDatabase(t *testing.T) {
	reach := func(c *cloud) map[string]string {
		found := map[string]string{}
		for _, rule := range c.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule") {
			if text(rule, "securityGroupId") == "database-security-group-id" {
				assert.Equal(t, "tcp 5432-5432 ", describe(rule))
				found[rule.Name] = text(rule, "referencedSecurityGroupId")
			}
		}
		for _, rule := range c.of("vpc/securityGroupEgressRule:SecurityGroupEgressRule") {
			assert.NotEqual(t, "database-security-group-id", text(rule, "securityGroupId"), "it connects to nothing")
		}
		return found
	}
	assert.Equal(t, map[string]string{"database": "security-group-id"}, reach(declare(t, withDatabase, nil)))
	assert.Equal(t, map[string]string{"database": "security-group-id", "database-web": "web-security-group-id"}, reach(grow(t, withDatabase, nil)))
}

func TestTheDatabaseHasAnAlarmAndARow(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { withDatabase(cfg); cfg.AlarmEmail = "you@example.com" }, nil)
	alarm := c.named(t, "cloudwatch/metricAlarm:MetricAlarm", "database storage")
	assert.Equal(t, "AWS/RDS", text(alarm, "namespace"))
	assert.Equal(t, map[string]any{"DBInstanceIdentifier": "berth-1234567"}, input(alarm, "dimensions").Mappable())
	assert.InDelta(t, 2*(1<<30), input(alarm, "threshold").NumberValue(), 1)
	body := text(c.only(t, "cloudwatch/dashboard:Dashboard"), "dashboardBody")
	for _, metric := range []string{"CPUUtilization", "FreeStorageSpace", "DatabaseConnections"} {
		assert.Contains(t, body, `["AWS/RDS","`+metric+`","DBInstanceIdentifier","berth-1234567"`)
	}
	assert.NotContains(t, text(declare(t, func(cfg *config.Config) { cfg.AlarmEmail = "you@example.com" }, nil).only(t, "cloudwatch/dashboard:Dashboard"), "dashboardBody"), "AWS/RDS")
}

// recordedDatabase is the state of a stack that has one.
func recordedDatabase() map[string]*recorded {
	return map[string]*recorded{
		databaseType: {Type: databaseType, Outputs: map[string]any{
			"identifier": "berth-1234567", "address": mockDatabase, "engineVersion": "16", "instanceClass": "db.t4g.micro", "allocatedStorage": 50.0, "multiAz": false,
			"username": "app", "dbName": "app", "finalSnapshotIdentifier": "berth-1234567-final",
		}},
		"berth:infra:Database": {Outputs: map[string]any{"protected": true}},
		vpcType:                {Outputs: map[string]any{"cidrBlock": "10.20.0.0/16"}},
		providerType:           {Outputs: map[string]any{"region": "eu-central-1"}},
	}
}

func TestTheDatabaseThatIsThereStays(t *testing.T) {
	same := func(cfg *config.Config) { withDatabase(cfg); cfg.RDS.Version, cfg.RDS.SizeGB = "16", 50 }
	const again = "Fix: pulumi config rm berth:rds && pulumi config set --path berth:rds.engine postgres && pulumi config set --path berth:rds.version 16 && pulumi config set --path berth:rds.class db.t4g.micro && pulumi config set --path berth:rds.sizeGB 50 && "
	for id, test := range map[string]struct {
		change func(cfg *config.Config)
		says   string
	}{
		"":              {func(*config.Config) {}, ""},
		"rds-protected": {func(cfg *config.Config) { cfg.RDS = nil }, again},
		"rds-in-use": {func(cfg *config.Config) {
			cfg.RDS, cfg.External = nil, map[string]string{"db": mockDatabase, "cache": "192.0.2.1"}
		}, "service db runs in the database berth-1234567"},
		"rds-user-fixed":        {func(cfg *config.Config) { cfg.RDS.User = "me" }, "Fix: pulumi config set --path berth:rds.user app"},
		"rds-database-fixed":    {func(cfg *config.Config) { cfg.RDS.Database = "shop" }, "Fix: pulumi config set --path berth:rds.database app"},
		"rds-shrinks":           {func(cfg *config.Config) { cfg.RDS.SizeGB = 49 }, "Fix: pulumi config set --path berth:rds.sizeGB 50"},
		"rds-grows-little":      {func(cfg *config.Config) { cfg.RDS.SizeGB = 54 }, "Fix: pulumi config set --path berth:rds.sizeGB 55"},
		"rds-version-lower":     {func(cfg *config.Config) { cfg.RDS.Version = "15" }, "Fix: pulumi config set --path berth:rds.version 16"},
		"rds-version-protected": {func(cfg *config.Config) { cfg.RDS.Version = "17" }, "berth:protect true && pulumi up"},
		"rds-network-fixed":     {func(cfg *config.Config) { cfg.VPCCIDR = netip.MustParsePrefix("10.30.0.0/16") }, "Fix: pulumi config set berth:vpcCidr 10.20.0.0/16"},
	} {
		cfg := production()
		same(cfg)
		test.change(cfg)
		err := refuse(cfg, recordedDatabase())
		if id == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "["+id+"]")
		assert.Contains(t, err.Error(), "one setting is wrong", id)
		assert.Contains(t, err.Error(), test.says, id)
	}

	// With the protection lifted for a run, a version goes up and the database may go, unless a service runs in it.
	lifted := recordedDatabase()
	lifted["berth:infra:Database"].Outputs["protected"] = false
	for id, change := range map[string]func(cfg *config.Config){
		"":  func(cfg *config.Config) { cfg.RDS = nil },
		"-": func(cfg *config.Config) { cfg.RDS.Version = "17" },
		"rds-in-use": func(cfg *config.Config) {
			cfg.RDS, cfg.External = nil, map[string]string{"db": strings.ToUpper(mockDatabase)}
		},
		"rds-user-fixed":    func(cfg *config.Config) { cfg.RDS.User = "me" },
		"rds-region-fixed":  func(cfg *config.Config) { cfg.Region = "eu-west-1" },
		"rds-version-lower": func(cfg *config.Config) { cfg.RDS.Version = "15" },
	} {
		cfg := production()
		same(cfg)
		cfg.Protect = false
		change(cfg)
		if err := refuse(cfg, lifted); id == "" || id == "-" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "["+id+"]")
		}
	}
	cfg := production()
	cfg.Protect = false
	require.ErrorContains(t, refuse(cfg, recordedDatabase()), "[rds-protected]", "in two runs")
	// What the release that serves uses goes in a run after it has moved.
	lifted["berth:infra:Database"].Outputs["services"] = []any{"db"}
	require.ErrorContains(t, refuse(cfg, lifted), "service db runs in the database")
}

func TestThePreviewDescribesTheDatabase(t *testing.T) {
	cfg := production()
	assert.Empty(t, describeDatabase(cfg, nil))
	withDatabase(cfg)
	assert.Equal(t, `the database in RDS: Postgres 17 on db.t4g.micro with 20 GB, about 14.42 USD a month, at the hourly price of us-east-1; no service runs in it yet. To move one there, see docs/external.md; then: pulumi config set --path berth:external.SERVICE "$(pulumi stack output rdsHost)" && pulumi up`,
		describeDatabase(cfg, nil))
	cfg.External = map[string]string{"db": mockDatabase}
	cfg.RDS.Class, cfg.RDS.SizeGB, cfg.RDS.MultiAZ = "db.t4g.small", 100, true
	assert.Equal(t, "the database in RDS: Postgres 17 on db.t4g.small with 100 GB and a standby in another zone, about 74.12 USD a month, at the hourly price of us-east-1; db.t4g.micro -> db.t4g.small: it is restarted, some minutes without it; it gets a standby, and goes on meanwhile; "+
		"50 -> 100 GB in place, which RDS does once in six hours; version 16 -> 17 in place: ten minutes or more without it; service db runs in it", describeDatabase(cfg, recordedDatabase()[databaseType]))
}
