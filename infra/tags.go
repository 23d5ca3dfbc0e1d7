package infra

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// managedBy is the value of the tag ManagedBy, by which docs/iam tells what is Berth's.
const managedBy = "berth"

// defaultTags are the tags that the provider puts on every resource. Those that say who manages a resource win over
// the operator's own: clean-up and billing rely on them.
func defaultTags(project, stack string, own map[string]string) map[string]string {
	tags := maps.Clone(own)
	if tags == nil {
		tags = map[string]string{}
	}
	tags["ManagedBy"] = managedBy
	tags["Project"] = project
	tags["Stack"] = stack
	return tags
}

// allTags are those of a resource to which the provider's default tags do not come: they and the name.
func allTags(domain string, defaults map[string]string) pulumi.StringMap {
	tags := pulumi.ToStringMap(defaults)
	maps.Copy(tags, nameTag(domain))
	return tags
}

// nameTag is what the AWS console shows as a resource's name: the site's domain.
func nameTag(domain string) pulumi.StringMap {
	return pulumi.StringMap{"Name": pulumi.String(domain)}
}
