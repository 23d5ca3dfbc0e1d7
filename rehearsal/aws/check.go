package aws

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"berth/rehearsal/provider"
)

// Check fills in what the provider fills in (names, defaults, and the tags that its own go into), and refuses what it
// refuses, in its words.
func (p *Provider) Check(ctx context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	id, kind, err := kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := provider.Unmarshal("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	olds, err := provider.Unmarshal("olds", request.GetOlds())
	if err != nil {
		return nil, err
	}
	if err := kind.schema.autoname(id.Name(), olds, inputs); err != nil {
		return nil, err
	}
	c := checker{typ: string(id.Type()), name: id.Name()}
	c.block(kind.schema, "", "", inputs)
	if kind.schema.taggable() {
		inputs["tagsAll"] = allTags(p.settingsOf(ctx).defaultTags, inputs["tags"])
	}
	checked, err := provider.Marshal("inputs", inputs)
	return &pulumirpc.CheckResponse{Inputs: checked, Failures: c.failures}, err
}

// autoname makes up the name that was not given, and keeps to it.
func (s schema) autoname(logical string, olds, inputs resource.PropertyMap) error {
	for name, attribute := range s {
		key := resource.PropertyKey(name)
		if _, given := inputs[key]; given || !attribute.Autonamed {
			continue
		}
		if old := olds[key]; old.IsString() {
			inputs[key] = old
			continue
		}
		unique, err := resource.NewUniqueHex(logical+"-", 7, 64)
		if err != nil {
			return err
		}
		inputs[key] = resource.NewProperty(unique)
	}
	return nil
}

// allTags are the provider's default tags under a resource's own: pulumi-aws hands them over as tagsAll, so that a changed
// default is a change of every resource.
func allTags(defaults map[string]any, own resource.PropertyValue) resource.PropertyValue {
	bare := plain(own)
	if unknown(bare) {
		return bare
	}
	all := resource.NewPropertyMapFromMap(defaults)
	if bare.IsObject() {
		maps.Copy(all, bare.ObjectValue())
	}
	if own.IsSecret() {
		return resource.MakeSecret(resource.NewProperty(all))
	}
	return resource.NewProperty(all)
}

// plain is a value behind its secrecy.
func plain(value resource.PropertyValue) resource.PropertyValue {
	for value.IsSecret() {
		value = value.SecretValue().Element
	}
	return value
}

func unknown(value resource.PropertyValue) bool { return value.IsComputed() || value.IsOutput() }

// checker collects what is wrong with one resource's inputs.
type checker struct {
	typ, name string
	failures  []*pulumirpc.CheckFailure
}

func (c *checker) fail(path, format string, args ...any) {
	c.failures = append(c.failures, &pulumirpc.CheckFailure{
		Property: path,
		Reason:   fmt.Sprintf(format, args...) + fmt.Sprintf(". Examine values at '%s.%s'.", c.name, path),
	})
}

// block checks a block's inputs and fills in the defaults. The path has the indices of lists in it, rule has not.
func (c *checker) block(s schema, path, rule string, values resource.PropertyMap) {
	c.groups(s, path, values)
	for _, name := range s.names() {
		attribute, key := s[name], resource.PropertyKey(name)
		if _, given := values[key]; given {
			continue
		}
		switch {
		case attribute.Required:
			c.fail(path+name, "Missing required argument. The argument %q is required, but no definition was found", snake(name))
		case attribute.Default != nil:
			values[key] = resource.NewPropertyValue(attribute.Default)
		}
	}
	for _, key := range values.StableKeys() {
		name := string(key)
		if attribute, ok := s[name]; ok {
			c.value(attribute, path+name, rule+name, values[key])
		} else if !strings.HasPrefix(name, "__") {
			c.failures = append(c.failures, provider.Unknown(path, name, s.names()))
		}
	}
}

// groups checks which inputs go together.
func (c *checker) groups(s schema, path string, values resource.PropertyMap) {
	given := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			// Pulumi puts the names of lists into the plural.
			return !slices.ContainsFunc([]string{"", "s", "es"}, func(plural string) bool {
				_, given := values[resource.PropertyKey(camel(name)+plural)]
				return given
			})
		})
	}
	said := map[string]bool{}
	for _, name := range s.names() {
		attribute, own := s[name], snake(name)
		exactly, least := strings.Join(attribute.ExactlyOneOf, ","), strings.Join(attribute.AtLeastOneOf, ",")
		if others := given(attribute.ConflictsWith); len(others) > 0 && len(given([]string{own})) > 0 {
			c.fail(path+name, "Conflicting configuration arguments. %q: conflicts with %s", own, strings.Join(others, ","))
		}
		if found := given(attribute.ExactlyOneOf); exactly != "" && !said[exactly] && len(found) != 1 {
			said[exactly] = true
			if len(found) == 0 {
				c.fail(path+name, "Invalid combination of arguments. %q: one of `%s` must be specified", own, exactly)
			} else {
				c.fail(path+name, "Invalid combination of arguments. %q: only one of `%s` can be specified, but `%s` were specified", own, exactly, strings.Join(found, ","))
			}
		}
		if least != "" && !said[least] && len(given(attribute.AtLeastOneOf)) == 0 {
			said[least] = true
			c.fail(path+name, "Missing required argument. %q: one of `%s` must be specified", own, least)
		}
	}
}

// value checks the type of one input, what is inside, and its rule. What is not known yet is right.
func (c *checker) value(a *attribute, path, rule string, value resource.PropertyValue) {
	value = plain(value)
	shape, items := a.shape()
	if !c.shaped(shape, path, value) {
		return
	}
	switch shape {
	case anObject:
		c.block(a.Block, path+".", rule+".", value.ObjectValue())
	case aMap:
		for _, key := range value.ObjectValue().StableKeys() {
			c.shaped(items, path+"."+string(key), plain(value.ObjectValue()[key]))
		}
	case aList:
		if count := len(value.ArrayValue()); a.MaxItems > 0 && count > a.MaxItems {
			c.fail(path, "Too many list items. Attribute %s supports %d item maximum, but config has %d declared", snake(path), a.MaxItems, count)
		}
		for i, item := range value.ArrayValue() {
			at, item := fmt.Sprintf("%s[%d]", path, i), plain(item)
			if c.shaped(items, at, item) && items == anObject {
				c.block(a.Block, at+".", rule+".", item.ObjectValue())
			}
		}
	}
	if !a.Validated || value.ContainsUnknowns() {
		return
	}
	if wrong := validated[c.typ][rule](value.Mappable()); wrong != "" {
		c.fail(path, "%s", wrong)
	}
}

// shaped says whether a known value has a shape, and that it has not.
func (c *checker) shaped(shape, path string, value resource.PropertyValue) bool {
	if unknown(value) || value.IsNull() {
		return false
	}
	right := map[string]bool{
		aText: value.IsString(), aBool: value.IsBool(), aNumber: value.IsNumber(), aList: value.IsArray(),
		aWhole: value.IsNumber() && value.NumberValue() == math.Trunc(value.NumberValue()),
		aMap:   value.IsObject(), anObject: value.IsObject(),
	}[shape]
	if !right {
		c.fail(path, "expected %s, got %s", shape, value.TypeString())
	}
	return right
}
