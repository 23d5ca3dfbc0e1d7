package aws

import "slices"

func databaseRequests() map[string]requests {
	return map[string]requests{
		databaseSubnetsType: {
			read: func(a *asking) {
				a.everywhere("rds:DescribeDBSubnetGroups")
				a.on(a.rds("subgrp", a.databaseName()), "rds:ListTagsForResource")
			},
			create: func(a *asking) { a.makesForDatabase("rds:CreateDBSubnetGroup", a.rds("subgrp", a.databaseName())) },
			update: func(a *asking) {
				if a.changed("description", "subnetIds") {
					a.on(a.rds("subgrp", a.databaseName()), "rds:ModifyDBSubnetGroup")
				}
				a.retagsItself(a.rds("subgrp", a.databaseName()), "rds:AddTagsToResource", "rds:RemoveTagsFromResource")
			},
			remove: func(a *asking) {
				a.on(a.rds("subgrp", a.databaseName()), "rds:DeleteDBSubnetGroup")
				a.everywhere("rds:DescribeDBSubnetGroups")
			},
		},
		DatabaseType: {
			read: func(a *asking) {
				a.everywhere("rds:DescribeDBInstances")
				a.on(a.rds("db", a.databaseName()), "rds:ListTagsForResource")
			},
			create: func(a *asking) {
				a.usesServiceRole("rds.amazonaws.com", "AWSServiceRoleForRDS")
				a.makesForDatabase("rds:CreateDBInstance", a.rds("db", a.databaseName()))
				// AWS asks for the groups of the new database as well: those of parameters and of options are RDS's own.
				for _, with := range []string{a.rds("subgrp", Text(a.inputs, "dbSubnetGroupName")), a.rds("pg", "default.postgres17"), a.rds("og", "default:postgres-17")} {
					a.ask(with, tagged(Object(a.outputs, "tagsAll")), "rds:CreateDBInstance")
				}
			},
			update: func(a *asking) {
				only := []string{"allowMajorVersionUpgrade", "applyImmediately", "deleteAutomatedBackups", "finalSnapshotIdentifier", "skipFinalSnapshot"}
				if slices.ContainsFunc(a.untagged(), func(input string) bool { return !slices.Contains(only, input) && a.changed(input) }) {
					a.on(a.rds("db", a.databaseName()), "rds:ModifyDBInstance")
				}
				a.retagsItself(a.rds("db", a.databaseName()), "rds:AddTagsToResource", "rds:RemoveTagsFromResource")
			},
			remove: func(a *asking) {
				database := a.rds("db", a.databaseName())
				a.on(database, "rds:DeleteDBInstance", "rds:DeleteDBInstanceAutomatedBackup")
				if !Truth(a.old.Outputs, "skipFinalSnapshot") {
					snapshot := a.rds("snapshot", Text(a.old.Outputs, "finalSnapshotIdentifier"))
					a.on(database, "rds:CreateDBSnapshot")
					a.ask(snapshot, tagged(Object(a.old.Outputs, "tagsAll")), "rds:CreateDBSnapshot", "rds:AddTagsToResource")
				}
				a.everywhere("rds:DescribeDBInstances")
			},
		},
	}
}

// rds is the ARN of a resource of RDS's.
func (a *asking) rds(kind, name string) string { return a.arn("rds", a.region, kind+":"+name) }

// databaseName is the name of the call's database or subnet group.
func (a *asking) databaseName() string {
	of := a.outputs
	if a.old != nil {
		of = a.old.Outputs
	}
	if name := Text(of, "identifier"); name != "" {
		return name
	}
	return Text(of, "name")
}

// makesForDatabase asks for a new resource of RDS and, with the same call, for its tags.
func (a *asking) makesForDatabase(action, resource string) {
	tags := Object(a.outputs, "tagsAll")
	a.ask(resource, tagged(tags), action)
	if len(tags) > 0 {
		a.ask(resource, tagged(tags), "rds:AddTagsToResource")
	}
}
