package aws

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// kind is what AWS does with one type of resource.
type kind struct {
	// schema are its inputs as the real provider has them; none for what no program declares.
	schema schema
	// operation is what AWS calls its making, and invalid its error for a value that breaks a rule; none where the kind
	// says so itself.
	operation, invalid string
	// world is set where a change concerns hosts, disks, networks or services that hosts ask.
	world bool
	// create checks what is asked for, chooses the id and fills in the outputs.
	create func(*call) error
	// update checks a change and fills in the outputs; nil takes it as it is.
	update func(*call) error
	// remove checks that nothing depends on the resource and takes with it what goes with it; nil lets it go.
	remove func(*call) error
}

// kinds are the types of resources the account knows.
var kinds map[string]*kind

func init() {
	kinds = map[string]*kind{}
	for _, group := range []map[string]*kind{networkKinds(), firewallKinds(), computeKinds(), storageKinds(), identityKinds(), dnsKinds(), monitoringKinds(), backupKinds(), bucketKinds(), scalingKinds(), balancerKinds(), certificateKinds(), databaseKinds()} {
		maps.Copy(kinds, group)
	}
	for typ, kind := range kinds {
		kind.schema = schemas[typ]
	}
}

// call is one change of one resource.
type call struct {
	account *Account
	kind    *kind
	typ, id string
	region  string
	// byHand is set where a person asks, and not the provider, which does more than it is asked for.
	byHand bool
	// defaultTags are those of the provider.
	defaultTags map[string]any
	// inputs are the new ones, old the resource as it was (nil when it is made), outputs what becomes of it.
	inputs, outputs map[string]any
	old             *Resource
	// versions are those of a launch template.
	versions []map[string]any
}

func (c *call) resource() *Resource {
	created := time.Now().UTC()
	if c.old != nil {
		created = c.old.Created
	}
	return &Resource{Type: c.typ, ID: c.id, Inputs: c.inputs, Outputs: c.outputs, Versions: c.versions, Created: created}
}

// find is a resource that an input names; the error is AWS's for one that does not exist.
func (c *call) find(operation, typ, id, notFound string) (*Resource, error) {
	if resource := c.account.get(typ, id); resource != nil {
		return resource, nil
	}
	return nil, apiError(operation, notFound, "The ID '%s' does not exist", id)
}

// apiError is an error in AWS's own words and shape.
func apiError(operation, code, format string, args ...any) error {
	service := "EC2"
	if before, after, found := strings.Cut(operation, ":"); found {
		service, operation = before, after
	}
	return fmt.Errorf("operation error %s: %s, https response error StatusCode: 400, RequestID: %s, api error %s: %s",
		service, operation, newHex(32), code, fmt.Sprintf(format, args...))
}

// newID is an id of the shape that EC2 gives: a prefix and 17 hexadecimal digits.
func newID(prefix string) string { return prefix + "-0" + newHex(16) }

func newHex(digits int) string {
	bytes := make([]byte, (digits+1)/2)
	_, _ = rand.Read(bytes) // It never fails; it would end the program.
	return hex.EncodeToString(bytes)[:digits]
}

func (c *call) arn(service, region, rest string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, region, number, rest)
}

// anys is a list as it is kept.
func anys(texts ...string) []any {
	items := make([]any, 0, len(texts))
	for _, value := range texts {
		items = append(items, value)
	}
	return items
}

func defaulted(properties map[string]any, key string, value any) {
	if _, ok := properties[key]; !ok {
		properties[key] = value
	}
}

// tagText is what every service takes in tags' keys and values; EC2 takes more. Source: "Tag restrictions" in the EC2 User
// Guide.
var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// checkTags keeps AWS's rules for tags. Sources: the same, and "Tags for IAM resources" in the IAM User Guide.
func checkTags(c *call, tags map[string]any) error {
	service := strings.Split(c.typ, ":")[1]
	wide := strings.HasPrefix(service, "ec2/") || strings.HasPrefix(service, "ebs/") || strings.HasPrefix(service, "vpc/")
	operation := "CreateTags"
	if !wide {
		operation = c.kind.operation
	}
	if len(tags) > 50 {
		return apiError(operation, "TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	seen := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		value, _ := tags[key].(string)
		switch lower := strings.ToLower(key); {
		case strings.HasPrefix(lower, "aws:"):
			return apiError(operation, "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		case key == "" || utf8.RuneCountInString(key) > 128 || utf8.RuneCountInString(value) > 256:
			return apiError(operation, "InvalidParameterValue", "Tag key or value is empty or exceeds the maximum length: %s", key)
		case !wide && (!tagText.MatchString(key) || !tagText.MatchString(value)):
			return apiError(operation, "InvalidParameterValue", "Tag %s=%s has characters other than letters, digits, spaces and _.:/=+-@", key, value)
		case strings.HasPrefix(service, "iam/") && seen[lower] != "":
			return apiError(operation, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive: %s and %s", seen[lower], key)
		default:
			seen[lower] = key
		}
	}
	return nil
}
