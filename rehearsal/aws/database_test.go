package aws

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (f *fixture) database(more properties) properties {
	inputs := properties{
		"identifier": "berth-1234567", "engine": "postgres", "engineVersion": "16", "instanceClass": "db.t4g.micro", "storageType": "gp3", "allocatedStorage": 20.0, "storageEncrypted": true,
		"dbName": "app", "username": "app", "password": "not-a-secret", "dbSubnetGroupName": "berth-1234567", "vpcSecurityGroupIds": []any{f.ids["group"]},
		"availabilityZone": "eu-central-1b", "deletionProtection": true, "copyTagsToSnapshot": true, "finalSnapshotIdentifier": "berth-1234567-final",
	}
	maps.Copy(inputs, more)
	return inputs
}

// withDatabase is a network with a database in it.
func (f *fixture) withDatabase() *fixture {
	f.network()
	for name, at := range map[string][2]string{"private-1": {"a", "10.20.255.224/28"}, "private-2": {"b", "10.20.255.240/28"}} {
		f.make(subnetType, name, properties{"vpcId": f.ids["vpc"], "cidrBlock": at[1], "availabilityZone": "eu-central-1" + at[0]})
	}
	f.make(databaseSubnetsType, "subnets", properties{"name": "berth-1234567", "subnetIds": []any{f.ids["private-1"], f.ids["private-2"]}})
	f.make(DatabaseType, "database", f.database(nil))
	return f
}

func TestADatabaseHasANameAndAnAddressInItsZone(t *testing.T) {
	f := newFixture(t).withDatabase()
	made := f.get(DatabaseType, "database").Outputs
	assert.Regexp(t, `^db-[A-Z0-9]{26}$`, f.ids["database"])
	assert.Equal(t, "arn:aws:rds:eu-central-1:123456789012:db:berth-1234567", made["arn"])
	assert.Regexp(t, `^berth-1234567\.[a-z0-9]{12}\.eu-central-1\.rds\.amazonaws\.com$`, made["address"])
	assert.Equal(t, Text(made, "address")+":5432", made["endpoint"])
	assert.Equal(t, "10.20.255.244", made["privateIpAddress"])
	assert.Equal(t, "16.10", made["engineVersionActual"])
	f.make(databaseSubnetsType, "others", properties{"name": "berth-7654321", "subnetIds": []any{f.ids["private-1"], f.ids["private-2"]}})
	f.make(DatabaseType, "other", f.database(properties{"identifier": "berth-7654321", "dbSubnetGroupName": "berth-7654321"}))
	assert.Equal(t, "10.20.255.245", f.get(DatabaseType, "other").Outputs["privateIpAddress"], "a free one")
}

func TestWhatRDSRefuses(t *testing.T) {
	for says, inputs := range map[string]properties{
		"DBInstanceAlreadyExists":                              {},
		"Cannot find version 9.6":                              {"identifier": "other", "engineVersion": "9.6"},
		"Invalid DB Instance class":                            {"identifier": "other", "instanceClass": "db.t9.micro"},
		"Invalid storage size":                                 {"identifier": "other", "allocatedStorage": 19.0},
		"MasterUserPassword is not a valid":                    {"identifier": "other", "password": "a@b-and-more"},
		"reserved word used by the engine":                     {"identifier": "other", "username": "admin"},
		"DBSubnetGroupNotFoundFault":                           {"identifier": "other", "dbSubnetGroupName": "none"},
		"not valid for Multi-AZ":                               {"identifier": "other", "multiAz": true},
		"has no subnet in the Availability Zone eu-central-1c": {"identifier": "other", "availabilityZone": "eu-central-1c"},
		"are in different VPCs":                                {"identifier": "other", "vpcSecurityGroupIds": []any{"sg-1"}},
		"the rehearsal knows Postgres":                         {"identifier": "other", "engine": "mysql"},
	} {
		f := newFixture(t).withDatabase()
		_, err := f.create(DatabaseType, "refused", f.database(inputs))
		require.ErrorContains(t, err, says)
		assert.NotContains(t, err.Error(), "a@b-and-more", "no password is repeated")
	}
	f := newFixture(t).withDatabase()
	for says, subnets := range map[string][]any{
		"cover at least 2 AZs":             {f.ids["subnet"]},
		"Some input subnets in :[x]":       {"x"},
		"DBSubnetGroupAlreadyExists":       {f.ids["private-1"], f.ids["private-2"]},
		"not in the same Vpc":              {f.ids["private-1"], f.another()},
		"only lowercase alphanumeric char": nil,
	} {
		name := "other"
		switch says {
		case "DBSubnetGroupAlreadyExists":
			name = "berth-1234567"
		case "only lowercase alphanumeric char":
			name = "Other"
		}
		_, err := f.create(databaseSubnetsType, "refused", properties{"name": name, "subnetIds": subnets})
		require.ErrorContains(t, err, says)
	}
}

// another is a subnet of another VPC, in another zone.
func (f *fixture) another() string {
	f.make(vpcType, "another", properties{"cidrBlock": "10.30.0.0/16"})
	return f.make(subnetType, "elsewhere", properties{"vpcId": f.ids["another"], "cidrBlock": "10.30.0.0/24", "availabilityZone": "eu-central-1b"})
}

func TestADatabaseChangesInPlace(t *testing.T) {
	f := newFixture(t).withDatabase()
	address := f.get(DatabaseType, "database").Outputs["privateIpAddress"]
	require.NoError(t, f.update(DatabaseType, "database", f.database(properties{"password": "another-secret", "instanceClass": "db.t4g.small", "allocatedStorage": 30.0})))
	changed := f.get(DatabaseType, "database").Outputs
	assert.Equal(t, []any{"another-secret", "db.t4g.small", 30.0, address}, []any{changed["password"], changed["instanceClass"], changed["allocatedStorage"], changed["privateIpAddress"]})
	for says, inputs := range map[string]properties{
		"Invalid storage size":                                {"allocatedStorage": 20.0},
		"the previous storage change is being optimized":      {"allocatedStorage": 40.0},
		"The AllowMajorVersionUpgrade flag must be present":   {"allocatedStorage": 30.0, "engineVersion": "17"},
		"Cannot upgrade postgres from 16 to 15":               {"allocatedStorage": 30.0, "engineVersion": "15", "allowMajorVersionUpgrade": true},
		"MasterUserPassword is not a valid":                   {"allocatedStorage": 30.0, "password": "short"},
		"DB instance and EC2 security group are in different": {"allocatedStorage": 30.0, "vpcSecurityGroupIds": []any{"sg-1"}},
	} {
		require.ErrorContains(t, f.update(DatabaseType, "database", f.database(inputs)), says)
	}
	require.NoError(t, f.update(DatabaseType, "database", f.database(properties{"allocatedStorage": 30.0, "engineVersion": "17", "allowMajorVersionUpgrade": true})))
	assert.Equal(t, "17.6", f.get(DatabaseType, "database").Outputs["engineVersionActual"])
}

func TestADatabaseLeavesItsFinalSnapshot(t *testing.T) {
	f := newFixture(t).withDatabase()
	require.ErrorContains(t, f.remove(DatabaseType, "database"), "Cannot delete protected DB Instance")
	for name, says := range map[[2]string]string{
		{databaseSubnetsType, "subnets"}: "still using it", {subnetType, "private-2"}: "DependencyViolation", {securityGroupType, "group"}: "DependencyViolation",
	} {
		require.ErrorContains(t, f.remove(name[0], name[1]), says)
	}
	require.ErrorContains(t, f.update(databaseSubnetsType, "subnets", properties{"name": "berth-1234567", "subnetIds": []any{f.ids["private-1"], f.ids["subnet"]}}), "SubnetAlreadyInUse")
	require.NoError(t, f.update(DatabaseType, "database", f.database(properties{"deletionProtection": false})))
	require.NoError(t, f.remove(DatabaseType, "database"))
	snapshot := f.account().OfType(databaseSnapshotType)
	require.Len(t, snapshot, 1)
	assert.Equal(t, "berth-1234567-final", snapshot[0].ID)
	assert.Equal(t, "berth", Text(Object(snapshot[0].Outputs, "tagsAll"), "ManagedBy"))

	f.make(DatabaseType, "again", f.database(properties{"deletionProtection": false}))
	require.ErrorContains(t, f.remove(DatabaseType, "again"), "DBSnapshotAlreadyExists", "each name is there once")
	require.NoError(t, f.update(DatabaseType, "again", f.database(properties{"deletionProtection": false, "skipFinalSnapshot": true})))
	require.NoError(t, f.remove(DatabaseType, "again"))
	for _, name := range [][2]string{{databaseSubnetsType, "subnets"}, {subnetType, "private-1"}, {subnetType, "private-2"}, {securityGroupType, "group"}} {
		require.NoError(t, f.remove(name[0], name[1]), name[1])
	}
}
