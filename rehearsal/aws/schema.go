package aws

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// schemaFile is what the real provider asks of every input that Berth declares, and its default for some that Berth leaves
// out. It comes from the schema of hashicorp/terraform-provider-aws 5.31 as Pulumi's bridge loads it, with pulumi-aws's
// names. The nested blocks, the types of S3, Auto Scaling, Elastic Load Balancing and Certificate Manager, the launch template,
// RDS, the hosted zone, a record's aliases, Route.networkInterfaceId, the rules' referencedSecurityGroupId, Instance.ipv6AddressCount
// and Volume.snapshotId come from the source of the same provider, up to the version 5.100 that pulumi-aws 6.83 wraps; their names
// and Go types from pulumi-aws's SDK. Two things are pulumi-aws's own: the defaults "Managed by Pulumi", and which names it makes
// up ("autonamed"). Other inputs than these do not pass Check.
//
//go:embed schema.json
var schemaFile []byte

// attribute is one input as the real provider's schema has it. Names of other inputs are the provider's: snake_case.
type attribute struct {
	// Type is the provider's: "TypeString", "TypeSet of TypeString", "basetypes.Int64Type". A list of at most one block is
	// an object in Pulumi.
	Type string
	// Computed inputs are filled in by AWS where they are absent: leaving one out later is no change. A change of one that
	// Replaces makes a new resource.
	Required, Optional, Computed, Replaces bool
	// Default is what Check puts in, and Autonamed that it makes up a name.
	Default   any
	Autonamed bool
	// Validated inputs have a rule in validated, and those with StateFunc or DiffSuppressed one in equivalent.
	Validated, StateFunc, DiffSuppressed      bool
	MaxItems                                  int
	ConflictsWith, ExactlyOneOf, AtLeastOneOf []string
	// Block are the inputs inside.
	Block schema
}

// schema is a type's or a block's inputs, by Pulumi's names.
type schema map[string]*attribute

// schemas are those of all types.
var schemas = func() map[string]schema {
	var all map[string]schema
	if err := json.Unmarshal(schemaFile, &all); err != nil {
		panic(fmt.Sprintf("read schema.json: %v", err)) // It is part of the binary.
	}
	return all
}()

// The shapes that values of an attribute have in Pulumi.
const (
	aText, aBool, aWhole, aNumber = "a string", "a boolean", "a whole number", "a number"
	aMap, aList, anObject         = "a map", "a list", "an object"
)

// shape is an attribute's, and that of its items where it has some.
func (a *attribute) shape() (shape, items string) {
	outer, inner, _ := strings.Cut(a.Type, " of ")
	switch strings.ReplaceAll(strings.TrimPrefix(outer, "basetypes."), "Type", "") {
	case "String":
		return aText, ""
	case "Bool":
		return aBool, ""
	case "Int", "Int64":
		return aWhole, ""
	case "Float":
		return aNumber, ""
	case "Map":
		shape, items = aMap, aText
	case "List", "Set":
		shape, items = aList, anObject
	}
	switch {
	case inner != "":
		items, _ = (&attribute{Type: inner}).shape()
	case shape == aList && a.MaxItems == 1:
		return anObject, ""
	}
	return shape, items
}

// unordered says whether the order of items means nothing.
func (a *attribute) unordered() bool { return strings.HasPrefix(a.Type, "TypeSet") }

// names are the inputs', sorted.
func (s schema) names() []string { return slices.Sorted(maps.Keys(s)) }

// taggable says whether the provider's default tags reach a resource.
func (s schema) taggable() bool { return s["tagsAll"] != nil }

// camel is a name of the provider as Pulumi writes it, but for what it puts into the plural.
func camel(name string) string {
	words := strings.Split(name, "_")
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	return strings.Join(words, "")
}

// snake is the reverse of camel.
func snake(name string) string {
	var text strings.Builder
	for _, letter := range name {
		if 'A' <= letter && letter <= 'Z' {
			text.WriteByte('_')
			letter += 'a' - 'A'
		}
		text.WriteRune(letter)
	}
	return text.String()
}
