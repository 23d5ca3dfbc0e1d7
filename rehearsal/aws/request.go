package aws

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Request is one thing that AWS decides on: an action on a resource, with the values of the conditions' keys.
type Request struct {
	Action, Resource string
	Context          map[string][]string
}

// requests are those that the provider makes for a type of resource. Source: the provider's code, and what it was seen to
// call (testdata/api-calls.json); the resource of each action is the Service Authorization Reference's.
type requests struct {
	// diff are those of a change, in a preview too. read are those of a refresh, which follow every change as well.
	diff, read, create, update, remove func(*asking)
}

// asked are the requests for each type, a noun a file.
var asked map[string]requests

func init() {
	asked = map[string]requests{}
	for _, group := range []map[string]requests{networkRequests(), firewallRequests(), computeRequests(), storageRequests(), identityRequests(), dnsRequests(), monitoringRequests(), backupRequests(), bucketRequests(), scalingRequests(), balancerRequests(), certificateRequests(), databaseRequests()} {
		maps.Copy(asked, group)
	}
}

// asking gathers the requests of one operation. Its call is filled in: what is made has its id, what is changed is old,
// inputs and outputs, what is removed is old.
type asking struct {
	*call
	list []need
}

// need is a request of an operation. Where the provider goes on without it, refused is what becomes of a refusal.
type need struct {
	Request
	refused func()
}

// requestsOf are those of an operation: read, create, update or delete.
func requestsOf(operation string, c *call) []need {
	a, of := &asking{call: c}, asked[c.typ]
	run := map[string]func(*asking){"diff": of.diff, "create": of.create, "update": of.update, "delete": of.remove}[operation]
	if run != nil {
		run(a)
	}
	if of.read != nil && operation != "delete" && operation != "diff" {
		of.read(a)
	}
	return a.list
}

// everywhere asks for actions that take no resource.
func (a *asking) everywhere(actions ...string) { a.ask("*", nil, actions...) }

// on asks for actions on what exists, by its tags.
func (a *asking) on(resource string, actions ...string) {
	a.ask(resource, prefixed("aws:ResourceTag/", a.tagsOn(resource)), actions...)
}

func (a *asking) ask(resource string, context map[string][]string, actions ...string) {
	for _, action := range actions {
		a.list = append(a.list, need{Request: Request{action, resource, context}})
	}
}

// tagged are the values of a request that carries tags.
func tagged(tags map[string]any) map[string][]string {
	context := prefixed("aws:RequestTag/", tags)
	if len(tags) > 0 {
		context["aws:TagKeys"] = slices.Sorted(maps.Keys(tags))
	}
	return context
}

func prefixed(prefix string, tags map[string]any) map[string][]string {
	context := map[string][]string{}
	for key, value := range tags {
		context[prefix+key] = []string{fmt.Sprint(value)}
	}
	return context
}

// with is a context that holds another's values as well.
func with(context map[string][]string, more map[string][]string) map[string][]string {
	all := maps.Clone(context)
	maps.Copy(all, more)
	return all
}

// makes asks for a new EC2 resource and, with the same call, for its tags.
func (a *asking) makes(operation, kind string, tags map[string]any, more map[string][]string) {
	resource := a.ec2(kind, "*")
	a.ask(resource, with(tagged(tags), more), "ec2:"+operation)
	if len(tags) > 0 {
		a.ask(resource, with(tagged(tags), map[string][]string{"ec2:CreateAction": {operation}}), "ec2:CreateTags")
	}
}

// retags asks for what brings tags from old to new: put and take are the actions.
func (a *asking) retags(resource, put, take string, old, new map[string]any) {
	changed, gone := map[string]any{}, map[string]any{}
	for key, value := range new {
		if before, had := old[key]; !had || before != value {
			changed[key] = value
		}
	}
	for key, value := range old {
		if _, has := new[key]; !has {
			gone[key] = value
		}
	}
	existing := prefixed("aws:ResourceTag/", a.tagsOn(resource))
	if len(changed) > 0 {
		a.ask(resource, with(tagged(changed), existing), put)
	}
	if len(gone) > 0 && take != "" {
		a.ask(resource, with(map[string][]string{"aws:TagKeys": slices.Sorted(maps.Keys(gone))}, existing), take)
	}
}

// retagsItself asks for the change of the resource's own tags.
func (a *asking) retagsItself(resource, put, take string) {
	a.retags(resource, put, take, Object(a.old.Outputs, "tagsAll"), Object(a.outputs, "tagsAll"))
}

// untagged are the inputs that are not tags.
func (a *asking) untagged() []string {
	return slices.DeleteFunc(a.kind.schema.names(), func(input string) bool { return input == "tags" || input == "tagsAll" })
}

// changed says whether one of these inputs is another.
func (a *asking) changed(inputs ...string) bool {
	return slices.ContainsFunc(inputs, func(input string) bool {
		return !reflect.DeepEqual(a.old.Inputs[input], a.inputs[input])
	})
}

// ec2 is the ARN of a resource of EC2's. Snapshots and images have no account in theirs.
func (a *asking) ec2(kind, id string) string {
	if kind == "snapshot" || kind == "image" {
		return "arn:aws:ec2:" + a.region + "::" + kind + "/" + id
	}
	return a.arn("ec2", a.region, kind+"/"+id)
}

// itself is the EC2 resource of the call.
func (a *asking) itself(kind string) string { return a.ec2(kind, a.id) }

// tagsOn are the tags of what exists; of a new resource they are those it was made with.
func (a *asking) tagsOn(arn string) map[string]any {
	if a.old == nil && Text(a.outputs, "arn") == arn {
		if a.typ == GroupType {
			return groupTags(a.outputs)
		}
		return Object(a.outputs, "tagsAll")
	}
	if _, id, is := strings.Cut(arn, ":network-interface/"); is {
		tags := map[string]any{}
		for _, tag := range a.account.users(tagType, "resourceId", id) {
			tags[Text(tag.Outputs, "key")] = tag.Outputs["value"]
		}
		return tags
	}
	for _, resource := range a.account.Resources {
		if Text(resource.Outputs, "arn") == arn {
			if resource.Type == GroupType {
				return groupTags(resource.Outputs)
			}
			return Object(resource.Outputs, "tagsAll")
		}
		if root := Object(resource.Outputs, "rootBlockDevice"); Text(root, "volumeId") != "" && strings.HasSuffix(arn, ":volume/"+Text(root, "volumeId")) {
			return Object(root, "tags")
		}
	}
	return nil
}

// services are AWS's names for what the prefix of an action means.
var services = map[string]string{"ec2": "EC2", "iam": "IAM", "route53": "Route 53", "cloudwatch": "CloudWatch", "sns": "SNS", "dlm": "DLM", "s3": "S3", "ssm": "SSM",
	"autoscaling": "Auto Scaling", "elasticloadbalancing": "Elastic Load Balancing v2", "acm": "ACM", "rds": "RDS"}

// split is a request's service and operation, as AWS's errors name them.
func (r Request) split() (service, operation string) {
	prefix, operation, _ := strings.Cut(r.Action, ":")
	return services[prefix], operation
}
