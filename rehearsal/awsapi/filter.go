package awsapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

// listed are the values of a list in the Query protocol: NAME.1, NAME.2, …
func (c *call) listed(name string) []string {
	var values []string
	for i := 1; c.form.Has(fmt.Sprintf("%s.%d", name, i)); i++ {
		values = append(values, c.form.Get(fmt.Sprintf("%s.%d", name, i)))
	}
	return values
}

// filter is one of a request: any of its values matches.
type filter struct {
	name   string
	values []string
}

func (c *call) filters() []filter {
	var all []filter
	for i := 1; c.form.Has(fmt.Sprintf("Filter.%d.Name", i)); i++ {
		all = append(all, filter{c.form.Get(fmt.Sprintf("Filter.%d.Name", i)), c.listed(fmt.Sprintf("Filter.%d.Value", i))})
	}
	return all
}

// thing is something that can be filtered: by properties of these names, and by tags where it has any.
type thing struct {
	properties map[string]string
	tags       map[string]string
}

// chosen are the things that every filter lets through. A filter that AWS does not have is refused.
func chosen[T any](c *call, all []T, describe func(T) thing) ([]T, *query.Failure) {
	filters := c.filters()
	known := describe(*new(T))
	for _, f := range filters {
		tag := strings.HasPrefix(f.name, "tag:") && known.tags != nil
		if _, property := known.properties[f.name]; !tag && !property {
			return nil, query.Refuse(http.StatusBadRequest, "InvalidParameterValue", "The filter '"+f.name+"' is invalid")
		}
	}
	return slices.DeleteFunc(all, func(one T) bool {
		described := describe(one)
		return slices.ContainsFunc(filters, func(f filter) bool {
			value, has := described.properties[f.name]
			if tag, ok := strings.CutPrefix(f.name, "tag:"); ok {
				value, has = described.tags[tag]
			}
			return !has || !slices.Contains(f.values, value)
		})
	}), nil
}

// here are the resources of a type in the region of the request.
func (c *call) here(typ string) []*aws.Resource {
	return slices.DeleteFunc(c.account.OfType(typ), func(r *aws.Resource) bool {
		parts := strings.Split(text(r, "arn"), ":")
		return len(parts) > 3 && parts[3] != c.region
	})
}

// named are those of the resources that a request names by id, all where it names none.
func (c *call) named(all []*aws.Resource, list, code, what string) ([]*aws.Resource, *query.Failure) {
	ids := c.listed(list)
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(r *aws.Resource) bool { return r.ID == id }) {
			return nil, query.Refuse(http.StatusBadRequest, code, fmt.Sprintf("The %s '%s' does not exist", what, id))
		}
	}
	if len(ids) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(r *aws.Resource) bool { return !slices.Contains(ids, r.ID) }), nil
}

// tags of a resource; none, but not nil, for nothing.
func tags(r *aws.Resource) map[string]string {
	all := map[string]string{}
	if r == nil {
		return all
	}
	given, _ := r.Outputs["tagsAll"].(map[string]any)
	for key, value := range given {
		all[key] = fmt.Sprint(value)
	}
	return all
}

func tagSet(r *aws.Resource) query.Element {
	all := tags(r)
	set := query.El("tagSet")
	for _, key := range slices.Sorted(maps.Keys(all)) {
		set.Add(query.El("item", query.El("key", key), query.El("value", all[key])))
	}
	return set
}

// text is a property of a resource; "" where it, or the resource, is missing.
func text(r *aws.Resource, key string) string {
	if r == nil {
		return ""
	}
	value, _ := r.Outputs[key].(string)
	return value
}

func integer(r *aws.Resource, key string) int {
	value, _ := r.Outputs[key].(float64)
	return int(value)
}

// texts is a property that is a list.
func texts(r *aws.Resource, key string) []string {
	items, _ := r.Outputs[key].([]any)
	var all []string
	for _, item := range items {
		if value, ok := item.(string); ok {
			all = append(all, value)
		}
	}
	return all
}

// stamp is a time as EC2 writes it.
func stamp(r *aws.Resource) string { return r.Created.UTC().Format("2006-01-02T15:04:05.000Z") }
