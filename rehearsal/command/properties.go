package command

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"google.golang.org/protobuf/types/known/structpb"

	"berth/rehearsal/provider"
)

// plain reads properties without their secret markers, which make no difference to a command.
func plain(label string, properties *structpb.Struct) (resource.PropertyMap, error) {
	values, err := provider.Unmarshal(label, properties)
	if err != nil {
		return nil, err
	}
	return reveal(resource.NewObjectProperty(values)).ObjectValue(), nil
}

// reveal takes the secret markers off a value, at any depth.
func reveal(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return reveal(value.SecretValue().Element)
	case value.IsArray():
		items := slices.Clone(value.ArrayValue())
		for i := range items {
			items[i] = reveal(items[i])
		}
		return resource.NewArrayProperty(items)
	case value.IsObject():
		object := resource.PropertyMap{}
		for key, item := range value.ObjectValue() {
			object[key] = reveal(item)
		}
		return resource.NewObjectProperty(object)
	default:
		return value
	}
}

// given reads a string property and says whether it is there; an empty one is.
func given(properties resource.PropertyMap, name resource.PropertyKey) (string, bool) {
	if value := reveal(properties[name]); value.IsString() {
		return value.StringValue(), true
	}
	return "", false
}

// text reads a string property; "" where it is absent.
func text(properties resource.PropertyMap, name resource.PropertyKey) string {
	value, _ := given(properties, name)
	return value
}

// integer reads a number property, or gives the fallback where it is absent.
func integer(properties resource.PropertyMap, name resource.PropertyKey, fallback int) int {
	if value := reveal(properties[name]); value.IsNumber() {
		return int(value.NumberValue())
	}
	return fallback
}

// texts reads a list of strings.
func texts(properties resource.PropertyMap, name resource.PropertyKey) []string {
	var items []string
	if value := reveal(properties[name]); value.IsArray() {
		for _, item := range value.ArrayValue() {
			items = append(items, item.StringValue())
		}
	}
	return items
}

// object reads a map of properties; nil where it is absent.
func object(properties resource.PropertyMap, name resource.PropertyKey) resource.PropertyMap {
	if value := reveal(properties[name]); value.IsObject() {
		return value.ObjectValue()
	}
	return nil
}

// previousOutput gives the variables that show a command what its resource printed last. addPreviousOutputInEnv is on
// unless it is switched off, and what is empty is not passed.
func previousOutput(state resource.PropertyMap) map[string]string {
	variables := map[string]string{}
	if on := reveal(state["addPreviousOutputInEnv"]); on.IsBool() && !on.BoolValue() {
		return variables
	}
	for name, key := range map[string]resource.PropertyKey{"PULUMI_COMMAND_STDOUT": "stdout", "PULUMI_COMMAND_STDERR": "stderr"} {
		if value := text(state, key); value != "" {
			variables[name] = value
		}
	}
	return variables
}
