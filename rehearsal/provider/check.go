package provider

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// argument is what the SDK's Args types implement: they name their plain struct.
type argument interface{ ElementType() reflect.Type }

// CheckArgs checks inputs against the SDK's own type of a resource's arguments: a property it does not have, one of
// another type, and a required one that is missing are failures. So the schema is the SDK's, and is copied nowhere.
func CheckArgs(args argument, inputs resource.PropertyMap) []*pulumirpc.CheckFailure {
	return checkStruct(plain(args.ElementType()), "", inputs)
}

// Fields names the properties of a resource's arguments or state, sorted.
func Fields(args argument) []string {
	fields := fieldsOf(plain(args.ElementType()))
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func plain(kind reflect.Type) reflect.Type {
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return kind
}

func fieldsOf(kind reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range kind.NumField() {
		if name, _, _ := strings.Cut(kind.Field(i).Tag.Get("pulumi"), ","); name != "" {
			fields[name] = kind.Field(i).Type
		}
	}
	return fields
}

func checkStruct(kind reflect.Type, path string, values resource.PropertyMap) []*pulumirpc.CheckFailure {
	var failures []*pulumirpc.CheckFailure
	fields := fieldsOf(kind)
	for key, value := range values {
		name := string(key)
		if strings.HasPrefix(name, "__") {
			continue
		}
		field, ok := fields[name]
		if !ok {
			failures = append(failures, Unknown(path, name, slices.Collect(maps.Keys(fields))))
			continue
		}
		failures = append(failures, checkValue(field, path+name, value)...)
	}
	for name, field := range fields {
		if _, ok := values[resource.PropertyKey(name)]; !ok && required(field) {
			failures = append(failures, failure(path+name, "missing required property"))
		}
	}
	slices.SortFunc(failures, func(a, b *pulumirpc.CheckFailure) int { return cmp.Compare(a.Property, b.Property) })
	return failures
}

// required follows the SDK: what may be absent is a pointer, a list or a map.
func required(kind reflect.Type) bool {
	switch kind.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return false
	default:
		return true
	}
}

func checkValue(kind reflect.Type, path string, value resource.PropertyValue) []*pulumirpc.CheckFailure {
	for value.IsSecret() {
		value = value.SecretValue().Element
	}
	if value.IsComputed() || value.IsOutput() || value.IsNull() {
		return nil
	}
	kind = plain(kind)
	mismatch := func(want string) []*pulumirpc.CheckFailure {
		return []*pulumirpc.CheckFailure{failure(path, "expected %s, got %s", want, value.TypeString())}
	}
	switch kind.Kind() {
	case reflect.String:
		if !value.IsString() {
			return mismatch("a string")
		}
	case reflect.Bool:
		if !value.IsBool() {
			return mismatch("a boolean")
		}
	case reflect.Int:
		if !value.IsNumber() || value.NumberValue() != math.Trunc(value.NumberValue()) {
			return mismatch("a whole number")
		}
	case reflect.Float64:
		if !value.IsNumber() {
			return mismatch("a number")
		}
	case reflect.Slice:
		if !value.IsArray() {
			return mismatch("a list")
		}
		var failures []*pulumirpc.CheckFailure
		for i, item := range value.ArrayValue() {
			failures = append(failures, checkValue(kind.Elem(), fmt.Sprintf("%s[%d]", path, i), item)...)
		}
		return failures
	case reflect.Map:
		if !value.IsObject() {
			return mismatch("a map")
		}
		var failures []*pulumirpc.CheckFailure
		for key, item := range value.ObjectValue() {
			failures = append(failures, checkValue(kind.Elem(), path+"."+string(key), item)...)
		}
		return failures
	case reflect.Struct:
		if !value.IsObject() {
			return mismatch("an object")
		}
		return checkStruct(kind, path+".", value.ObjectValue())
	}
	return nil
}

func failure(path, format string, args ...any) *pulumirpc.CheckFailure {
	return &pulumirpc.CheckFailure{Property: path, Reason: path + ": " + fmt.Sprintf(format, args...)}
}

// Unknown is the failure of a property that is none of the known ones, with the one that it looks like.
func Unknown(path, name string, known []string) *pulumirpc.CheckFailure {
	best, score := "", 0.5
	for _, candidate := range known {
		if similarity := levenshtein.Similarity(strings.ToLower(name), strings.ToLower(candidate), nil); similarity > score {
			best, score = candidate, similarity
		}
	}
	advice := ""
	if best != "" {
		advice = "; did you mean " + best + "?"
	}
	return failure(path+name, "unknown property%s", advice)
}
