package ec2host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/machineimage"
)

// databaseLabel marks the container and the volume of a database of RDS, with its name as value.
const databaseLabel = "berth.database"

// databaseVersion is the one that the image has: Debian's.
const databaseVersion = "17"

func (w *World) database(identifier string) string { return w.object("rds", identifier) }

// removeDatabases removes the databases that the account no longer holds, with their data.
func (w *World) removeDatabases(ctx context.Context, account *aws.Account) error {
	// The file is there before a database is, and for as long.
	if _, err := os.Stat(w.hadDatabases()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	wanted := map[string]bool{}
	for _, database := range account.OfType(aws.DatabaseType) {
		wanted[w.database(aws.Text(database.Outputs, "identifier"))] = true
	}
	for _, kind := range [][]string{{"container", "ls", "--all", "--format", "{{.Names}}"}, {"volume", "ls", "--format", "{{.Name}}"}} {
		output, err := docker(ctx, "", append(kind, "--filter", "label="+w.label(), "--filter", "label="+databaseLabel)...)
		if err != nil {
			return err
		}
		for _, name := range lines(output) {
			if wanted[name] {
				continue
			}
			if _, err := docker(ctx, "", kind[0], "rm", "--force", name); err != nil {
				return err
			}
		}
	}
	if len(wanted) > 0 {
		return nil
	}
	return os.Remove(w.hadDatabases())
}

func (w *World) hadDatabases() string { return w.path("databases") }

// runDatabases starts the account's databases, each at its address of the VPC and on a volume of its own, and gives each the password
// that the account holds.
func (w *World) runDatabases(ctx context.Context, account *aws.Account) error {
	for _, database := range account.OfType(aws.DatabaseType) {
		if err := w.runDatabase(ctx, account, database); err != nil {
			return fmt.Errorf("run the database %s: %w", aws.Text(database.Outputs, "identifier"), err)
		}
		// The password goes by standard input: what Docker shows of a container is its environment and its command.
		name := w.database(aws.Text(database.Outputs, "identifier"))
		if _, err := docker(ctx, aws.Text(database.Inputs, "password"), "exec", "--interactive", name, "rehearsal-set-database", aws.Text(database.Inputs, "username"), aws.Text(database.Inputs, "dbName")); err != nil {
			return fmt.Errorf("set up the database %s: %w", aws.Text(database.Outputs, "identifier"), err)
		}
	}
	return nil
}

func (w *World) runDatabase(ctx context.Context, account *aws.Account, database *aws.Resource) error {
	identifier := aws.Text(database.Outputs, "identifier")
	name := w.database(identifier)
	if running(ctx, name) {
		return nil
	}
	if version := aws.Text(database.Outputs, "engineVersionActual"); !strings.HasPrefix(version, databaseVersion+".") {
		return fmt.Errorf("the rehearsal has Debian's Postgres, which is %s, and none of version %s; set berth:rds.version to %[1]s", databaseVersion, version)
	}
	subnet := account.Resources[subnetType+"::"+aws.Text(database.Outputs, "privateSubnetId")]
	if subnet == nil {
		return errors.New("its subnet is gone")
	}
	network, err := w.networkOf(ctx, subnet)
	if err != nil {
		return err
	}
	if err := machineimage.BuildDatabase(ctx, os.Stderr); err != nil {
		return err
	}
	if err := os.WriteFile(w.hadDatabases(), nil, 0o600); err != nil {
		return err
	}
	if _, err := docker(ctx, "", "volume", "create", "--label", w.label(), "--label", databaseLabel+"="+identifier, name); err != nil {
		return err
	}
	return w.replaceContainer(ctx, name, "--label", databaseLabel+"="+identifier, "--network", network, "--ip", aws.Text(database.Outputs, "privateIpAddress"),
		"--cap-add", "NET_ADMIN", "--shm-size", "256m", "--volume", name+":/var/lib/postgresql", machineimage.Database)
}
