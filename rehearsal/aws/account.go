// Package aws stands in for AWS behind the pulumi-aws provider: an account kept in a file, as strict about what it
// takes and what depends on what as AWS is, for the kinds of resources that Berth declares.
package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"berth/docs/iam"
)

// Resource is one resource of the account.
type Resource struct {
	// Type is its Pulumi type token, ID its AWS-shaped id.
	Type, ID string
	// Inputs are what was asked for, Outputs what AWS tells of it, inputs included.
	Inputs, Outputs map[string]any
	// Versions are a launch template's, the first one first: the inputs of each.
	Versions []map[string]any `json:",omitempty"`
	// Created is when it was made.
	Created time.Time
}

// Account is everything that exists in it.
type Account struct {
	// Number is the account's, of 12 digits.
	Number string
	// Resources are keyed by type and id: "aws:ec2/vpc:Vpc::vpc-…".
	Resources map[string]*Resource
	// Internet is the network of the account's public addresses.
	Internet Internet `json:"-"`
}

// World is the ground under the account: hosts, networks, disks. Converge makes it match the account; it is called
// after every change that concerns it, one call at a time, before the engine gets its answer. Its error fails that
// change, which is then taken back where it made something.
type World interface {
	Converge(ctx context.Context, account *Account) error
}

const number = "123456789012"

func stateFile(dir string) string { return filepath.Join(dir, "aws.json") }

// Read gives the account as it is now; without a file it is empty.
func Read(dir string) (*Account, error) {
	internet, err := ReadInternet(dir)
	if err != nil {
		return nil, err
	}
	account := &Account{Number: number, Resources: map[string]*Resource{}, Internet: internet}
	text, err := os.ReadFile(stateFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return account, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, account); err != nil {
		return nil, fmt.Errorf("read the account in %s: %w", stateFile(dir), err)
	}
	return account, nil
}

// Change runs a change on the account under its lock and keeps what it leaves, unless it fails.
func Change(dir string, run func(*Account) error) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(dir, "aws.lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("lock the account: %w", err)
	}
	defer func() { _ = lock.Unlock() }() // Closing the file unlocks it in any case.
	account, err := Read(dir)
	if err != nil {
		return err
	}
	if err := run(account); err != nil {
		return err
	}
	return account.save(dir)
}

// save writes the account at once: a reader sees the old or the new one.
func (a *Account) save(dir string) error {
	text, err := json.MarshalIndent(a, "", " ")
	if err != nil {
		return fmt.Errorf("write the account: %w", err)
	}
	if err := os.WriteFile(stateFile(dir)+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(stateFile(dir)+".new", stateFile(dir))
}

// OfType lists the resources of a type in the order in which they were made.
func (a *Account) OfType(typ string) []*Resource {
	var found []*Resource
	for _, resource := range a.Resources {
		if resource.Type == typ {
			found = append(found, resource)
		}
	}
	slices.SortFunc(found, func(x, y *Resource) int {
		return cmp.Or(x.Created.Compare(y.Created), cmp.Compare(x.ID, y.ID))
	})
	return found
}

// Inventory says what exists, one per line: type, id and Name tag.
func (a *Account) Inventory() []string {
	lines := make([]string, 0, len(a.Resources))
	for _, resource := range a.Resources {
		name, _ := Object(resource.Outputs, "tagsAll")["Name"].(string)
		if name == "" {
			name = Text(resource.Outputs, "name")
		}
		lines = append(lines, resource.Type+" "+resource.ID+" "+name)
	}
	slices.Sort(lines)
	return lines
}

func (a *Account) get(typ, id string) *Resource { return a.Resources[typ+"::"+id] }

func (a *Account) put(resource *Resource) { a.Resources[resource.Type+"::"+resource.ID] = resource }

func (a *Account) remove(resource *Resource) { delete(a.Resources, resource.Type+"::"+resource.ID) }

// users lists the resources of a type that name an id in a property.
func (a *Account) users(typ, property, id string) []*Resource {
	return slices.DeleteFunc(a.OfType(typ), func(r *Resource) bool { return Text(r.Outputs, property) != id })
}

// EnsureBoundary makes the permissions boundary that an account's administrator makes before any deployer's update (docs/iam),
// unless it is there.
func EnsureBoundary(dir string) error {
	return Change(dir, func(account *Account) error {
		inputs := map[string]any{"name": iam.BoundaryName, "policy": iam.Boundary}
		c := &call{account: account, kind: kinds[policyType], typ: policyType, inputs: inputs, outputs: maps.Clone(inputs)}
		if account.get(policyType, iam.BoundaryARN(account.Number)) != nil {
			return nil
		}
		if err := createPolicy(c); err != nil {
			return err
		}
		account.put(c.resource())
		return nil
	})
}

// EnsureZone makes a hosted zone that is there before any stack, unless it is, and gives its id.
func EnsureZone(dir, name string) (string, error) {
	var id string
	err := Change(dir, func(account *Account) error {
		for _, zone := range account.OfType(zoneType) {
			if Text(zone.Outputs, "name") == name {
				id = zone.ID
				return nil
			}
		}
		c := &call{account: account, kind: kinds[zoneType], typ: zoneType, inputs: map[string]any{"name": name}, outputs: map[string]any{"name": name}}
		if err := createZone(c); err != nil {
			return err
		}
		id = c.id
		account.put(c.resource())
		return nil
	})
	return id, err
}
