package stack

import (
	"slices"
	"strings"

	"berth/docs/iam"
	"berth/internal/config"
	"berth/rehearsal/aws"
)

// Roles of docs/iam, as the workflows take them on. Operator is the deployer who may change the stack's settings meanwhile.
const (
	Deployer  = "deployer"
	Previewer = "previewer"
	Operator  = "operator"
)

// roleOf is one of the roles, with the account's own in the documents as docs/iam/README.md says to edit them.
func roleOf(name, dir string, settings map[string]string) (*aws.Role, error) {
	account, err := aws.Read(dir)
	if err != nil {
		return nil, err
	}
	// What is wrong with the settings the program says.
	cfg, _ := config.Parse("berth", settings, func(string) bool { return true })
	own := iam.Account{Number: account.Number, Region: cfg.Region, Names: namesOf(account, cfg, name == Operator), Zone: zoneOf(account, cfg)}
	if name == Operator {
		name, own.Zone = Deployer, ""
	}
	policy, err := own.Document(name)
	if err != nil {
		return nil, err
	}
	return &aws.Role{Name: name, Policies: []string{policy}}, nil
}

// Route 53's types in the account.
const zoneType, recordType = "aws:route53/zone:Zone", "aws:route53/record:Record"

// namesOf are the names that the stack has and is to have: both have to be in the policy while one becomes the other. all is
// every name of the account's zones, and every one below them.
func namesOf(account *aws.Account, cfg *config.Config, all bool) []string {
	names := slices.DeleteFunc(cfg.Records(), func(name string) bool { return name == "" })
	typ := recordType
	if all {
		typ, names = zoneType, append(names, cfg.Zone)
	}
	for _, found := range account.OfType(typ) {
		names = append(names, text(found, "name"))
	}
	if all {
		for _, name := range slices.Clone(names) {
			names = append(names, "*."+name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// zoneOf is the id of the one zone that exists beside the stack; "" where the stack has or gets one of its own, or leaves
// one for another.
func zoneOf(account *aws.Account, cfg *config.Config) string {
	if cfg.CreateZone {
		return ""
	}
	var ids []string
	for _, zone := range account.OfType(zoneType) {
		tags, _ := zone.Outputs["tagsAll"].(map[string]any)
		if tags["ManagedBy"] == "berth" {
			return ""
		}
		if text(zone, "name") == strings.TrimSuffix(cfg.Zone, ".") {
			ids = append(ids, zone.ID)
		}
	}
	for _, record := range account.OfType(recordType) {
		ids = append(ids, text(record, "zoneId"))
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 1 {
		return ids[0]
	}
	return ""
}

func text(resource *aws.Resource, key string) string {
	value, _ := resource.Outputs[key].(string)
	return value
}
