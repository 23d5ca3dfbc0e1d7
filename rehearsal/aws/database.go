package aws

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// DatabaseType is an instance of Amazon RDS, which rehearsal/ec2host runs.
	DatabaseType = "aws:rds/instance:Instance"

	databaseSubnetsType  = "aws:rds/subnetGroup:SubnetGroup"
	databaseSnapshotType = "aws:rds/snapshot:Snapshot"

	// endpointHash is the part of a database's name that an account has in a region.
	endpointHash = "c0b1e2r3t4h5"

	// The limits of gp3's storage, in GiB, and how long it stays as it is after a change. Source: RDS User Guide, "gp3 storage" and
	// "Increasing DB instance storage capacity".
	leastStorage, mostStorage = 20, 65536
	storageWindow             = 6 * time.Hour
	storageChanged            = "storageChanged"
)

// minorVersions are the newest of the major versions that RDS has, in the order in which one is upgraded to the next.
var minorVersions = []string{"13.22", "14.19", "15.14", "16.10", "17.6"}

func databaseKinds() map[string]*kind {
	return map[string]*kind{
		databaseSubnetsType: {operation: "RDS:CreateDBSubnetGroup", invalid: "InvalidParameterValue", create: createDatabaseSubnets, update: updateDatabaseSubnets, remove: removeDatabaseSubnets},
		DatabaseType:        {operation: "RDS:CreateDBInstance", invalid: "InvalidParameterValue", world: true, create: createDatabase, update: updateDatabase, remove: removeDatabase},
		// They come from a database's end.
		databaseSnapshotType: {},
	}
}

func createDatabaseSubnets(c *call) error {
	c.id = Text(c.inputs, "name")
	if c.account.get(databaseSubnetsType, c.id) != nil {
		return c.fails("DBSubnetGroupAlreadyExists", "The DB subnet group '%s' already exists.", c.id)
	}
	c.outputs["arn"] = c.arn("rds", c.region, "subgrp:"+c.id)
	defaulted(c.outputs, "description", "Managed by Pulumi")
	return c.checkDatabaseSubnets()
}

// checkDatabaseSubnets keeps the rules that hold for a new and for a changed group. Source: RDS User Guide, "Working with DB subnet groups".
func (c *call) checkDatabaseSubnets() error {
	zones := map[string]bool{}
	for _, id := range Texts(c.inputs, "subnetIds") {
		subnet := c.account.get(subnetType, id)
		if subnet == nil {
			return c.fails("InvalidSubnet", "Some input subnets in :[%s] are invalid.", id)
		}
		vpc := Text(subnet.Outputs, "vpcId")
		if known := Text(c.outputs, "vpcId"); known != "" && known != vpc {
			return c.fails("InvalidParameterValue", "The new Subnets are not in the same Vpc as the existing subnet group")
		}
		c.outputs["vpcId"], zones[Text(subnet.Outputs, "availabilityZone")] = vpc, true
	}
	if len(zones) < 2 {
		return c.fails("DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Add subnets to cover at least 2 AZs.")
	}
	return nil
}

func updateDatabaseSubnets(c *call) error {
	for _, database := range c.account.users(DatabaseType, "dbSubnetGroupName", c.id) {
		if used := Text(database.Outputs, "privateSubnetId"); !slices.Contains(Texts(c.inputs, "subnetIds"), used) {
			return apiError("RDS:ModifyDBSubnetGroup", "SubnetAlreadyInUse", "The subnet %s is in use by %s", used, Text(database.Outputs, "identifier"))
		}
	}
	return c.checkDatabaseSubnets()
}

func removeDatabaseSubnets(c *call) error {
	if len(c.account.users(DatabaseType, "dbSubnetGroupName", c.id)) > 0 {
		return apiError("RDS:DeleteDBSubnetGroup", "InvalidDBSubnetGroupStateFault", "Cannot delete the subnet group '%s' because at least one database instance is still using it.", c.id)
	}
	return nil
}

func createDatabase(c *call) error {
	name := Text(c.inputs, "identifier")
	if len(c.account.users(DatabaseType, "identifier", name)) > 0 {
		return c.fails("DBInstanceAlreadyExists", "DB instance already exists")
	}
	if Text(c.inputs, "engine") != "postgres" {
		return fmt.Errorf("database %s: the rehearsal knows Postgres", name)
	}
	for _, needed := range []string{"username", "password", "allocatedStorage"} {
		if c.inputs[needed] == nil {
			return c.fails("InvalidParameterValue", "The parameter %s must be provided and must not be blank.", needed)
		}
	}
	defaulted(c.outputs, "engineVersion", minorVersions[len(minorVersions)-1])
	if err := c.checkDatabase(); err != nil {
		return err
	}
	if err := c.placeDatabase(); err != nil {
		return err
	}
	c.id = "db-" + strings.ToUpper(newHex(26))
	address := fmt.Sprintf("%s.%s.%s.rds.amazonaws.com", name, endpointHash, c.region)
	c.outputs["arn"], c.outputs["resourceId"], c.outputs["status"] = c.arn("rds", c.region, "db:"+name), c.id, "available"
	c.outputs["address"], c.outputs["port"], c.outputs["endpoint"] = address, 5432.0, address+":5432"
	defaulted(c.outputs, "storageType", "gp2")
	defaulted(c.outputs, "multiAz", false)
	defaulted(c.outputs, "backupRetentionPeriod", 1.0)
	return nil
}

// placeDatabase gives a database its zone and its address there.
func (c *call) placeDatabase() error {
	group := c.account.get(databaseSubnetsType, Text(c.inputs, "dbSubnetGroupName"))
	if group == nil {
		return c.fails("DBSubnetGroupNotFoundFault", "DB subnet group '%s' does not exist.", Text(c.inputs, "dbSubnetGroupName"))
	}
	zone := Text(c.inputs, "availabilityZone")
	if zone != "" && Truth(c.inputs, "multiAz") {
		return c.fails("InvalidParameterCombination", "Requesting a specific availability zone is not valid for Multi-AZ instances.")
	}
	for _, id := range Texts(group.Outputs, "subnetIds") {
		subnet := c.account.get(subnetType, id)
		if found := Text(subnet.Outputs, "availabilityZone"); zone == "" || found == zone {
			c.outputs["availabilityZone"], c.outputs["privateSubnetId"], c.outputs["privateIpAddress"] = found, id, c.account.nextPrivate(subnet)
			return c.checkDatabaseGroups(Text(group.Outputs, "vpcId"))
		}
	}
	return c.fails("InvalidVPCNetworkStateFault", "The DB subnet group '%s' has no subnet in the Availability Zone %s", group.ID, zone)
}

func (c *call) checkDatabaseGroups(vpc string) error {
	for _, id := range Texts(c.inputs, "vpcSecurityGroupIds") {
		if group := c.account.get(securityGroupType, id); group == nil || Text(group.Outputs, "vpcId") != vpc {
			return c.fails("InvalidParameterCombination", "The DB instance and EC2 security group are in different VPCs: %s", id)
		}
	}
	return nil
}

// checkDatabase keeps the rules that hold for a new and for a changed database, and finds its version.
func (c *call) checkDatabase() error {
	if size := Number(c.outputs, "allocatedStorage"); size < leastStorage || size > mostStorage {
		return c.fails("InvalidParameterValue", "Invalid storage size for engine name postgres and storage type %s: %d", cmp.Or(Text(c.inputs, "storageType"), "gp2"), size)
	}
	wanted := Text(c.outputs, "engineVersion")
	at := slices.IndexFunc(minorVersions, func(version string) bool { return version == wanted || strings.HasPrefix(version, wanted+".") })
	if at < 0 {
		return c.fails("InvalidParameterCombination", "Cannot find version %s for postgres", wanted)
	}
	c.outputs["engineVersionActual"] = minorVersions[at]
	return nil
}

func updateDatabase(c *call) error {
	modify := *c
	modify.kind = &kind{operation: "RDS:ModifyDBInstance"}
	had, has := Number(c.old.Outputs, "allocatedStorage"), Number(c.outputs, "allocatedStorage")
	before, after := major(Text(c.old.Outputs, "engineVersionActual")), major(Text(c.outputs, "engineVersion"))
	changed, _ := time.Parse(time.RFC3339, Text(c.old.Outputs, storageChanged))
	switch {
	case has < had:
		return modify.fails("InvalidParameterCombination", "Invalid storage size: %d is less than the current %d", has, had)
	case has > had && has*10 < had*11:
		return modify.fails("InvalidParameterCombination", "The rehearsal takes no storage that grows by less than a tenth, which RDS would round up: %d to %d", had, has)
	case has > had && time.Since(changed) < storageWindow:
		return modify.fails("InvalidParameterCombination", "You can't currently modify the storage of this DB instance because the previous storage change is being optimized.")
	case after < before:
		return modify.fails("InvalidParameterCombination", "Cannot upgrade postgres from %d to %d", before, after)
	case after > before && !Truth(c.inputs, "allowMajorVersionUpgrade"):
		return modify.fails("InvalidParameterCombination", "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.")
	}
	if has > had {
		c.outputs[storageChanged] = time.Now().UTC().Format(time.RFC3339)
	}
	if err := modify.checkDatabase(); err != nil {
		return err
	}
	group := c.account.get(databaseSubnetsType, Text(c.outputs, "dbSubnetGroupName"))
	if group == nil || group.ID != Text(c.old.Outputs, "dbSubnetGroupName") {
		return fmt.Errorf("database %s: the rehearsal knows no other subnet group for one that is there", Text(c.outputs, "identifier"))
	}
	return modify.checkDatabaseGroups(Text(group.Outputs, "vpcId"))
}

// major is the first part of a version.
func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	value, _ := strconv.Atoi(first)
	return value
}

// removeDatabase leaves the final snapshot.
func removeDatabase(c *call) error {
	if Truth(c.old.Outputs, "deletionProtection") {
		return apiError("RDS:DeleteDBInstance", "InvalidParameterCombination", "Cannot delete protected DB Instance, please disable deletion protection and try again.")
	}
	if Truth(c.old.Outputs, "skipFinalSnapshot") {
		return nil
	}
	id := Text(c.old.Outputs, "finalSnapshotIdentifier")
	if id == "" {
		return fmt.Errorf("deleting RDS DB Instance (%s): final_snapshot_identifier is required when skip_final_snapshot is false", c.id)
	}
	if c.account.get(databaseSnapshotType, id) != nil {
		return apiError("RDS:DeleteDBInstance", "DBSnapshotAlreadyExists", "Cannot create the snapshot because a snapshot with the identifier %s already exists.", id)
	}
	outputs := map[string]any{"arn": c.arn("rds", c.region, "snapshot:"+id), "dbInstanceIdentifier": c.old.Outputs["identifier"], "engineVersion": c.old.Outputs["engineVersionActual"]}
	if Truth(c.old.Outputs, "copyTagsToSnapshot") {
		outputs["tagsAll"] = c.old.Outputs["tagsAll"]
	}
	c.account.put(&Resource{Type: databaseSnapshotType, ID: id, Created: time.Now().UTC(), Inputs: map[string]any{}, Outputs: outputs})
	return nil
}
