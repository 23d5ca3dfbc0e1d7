package infra

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	policies "berth/docs/iam"
)

// policyType is a customer managed policy; the program declares one, the boundary.
const policyType = "aws:iam/policy:Policy"

// absent is what the provider says of a policy that does not exist.
var absent = regexp.MustCompile(`couldn't find resource|NoSuchEntity`)

// newBoundary is the ARN of the permissions boundary, which every role of the program carries: whatever policies a role gets
// later, it may do nothing beyond docs/iam/boundary.json. The deployer can give a role any policy, so that without it the
// deployer is the account's administrator in two calls.
//
// An account has one boundary, for all of its stacks. Its administrator makes it beforehand (docs/iam/README.md), since a
// deployer that could write it would be bounded by nothing. Where it is missing, whoever runs this update makes it, which
// takes more than the deployer may. From then on it is the account's: no update changes it, and no destroy deletes it.
//
// declared says whether the stack has made it.
func newBoundary(ctx *pulumi.Context, account, region string, declared bool, use pulumi.InvokeOption) (pulumi.StringInput, error) {
	arn := policies.BoundaryARN(account)
	found, err := iam.LookupPolicy(ctx, &iam.LookupPolicyArgs{Arn: &arn}, use)
	if err != nil && !absent.MatchString(err.Error()) {
		return nil, fmt.Errorf("look up the permissions boundary %s: %w. Fix: allow iam:GetPolicy and iam:GetPolicyVersion on it, as docs/iam does", arn, err)
	}
	if err == nil && !sameDocument(found.Policy, policies.Boundary) {
		if err := ctx.Log.Warn(fmt.Sprintf("the permissions boundary %s is not this version's docs/iam/boundary.json, so that a role may do more or less than it should. Fix, as the account's administrator: "+
			"aws iam create-policy-version --policy-arn %[1]s --policy-document file://docs/iam/boundary.json --set-as-default", arn), nil); err != nil {
			return nil, err
		}
	}
	if err == nil && !declared {
		return pulumi.String(arn), nil
	}
	// With the stack's provider it would have the stack's tags, and a change of these would be one of the boundary.
	plain, err := aws.NewProvider(ctx, "aws-without-tags", &aws.ProviderArgs{Region: pulumi.String(region)})
	if err != nil {
		return nil, fmt.Errorf("declare the AWS provider for the permissions boundary: %w", err)
	}
	made, err := iam.NewPolicy(ctx, policies.BoundaryName, &iam.PolicyArgs{
		Name:        pulumi.String(policies.BoundaryName),
		Description: pulumi.String("What any role of Berth's may do at most"),
		Policy:      pulumi.String(policies.Boundary),
	}, pulumi.Provider(plain), pulumi.RetainOnDelete(true), pulumi.IgnoreChanges([]string{"description", "policy"}))
	if err != nil {
		return nil, fmt.Errorf("declare the permissions boundary: %w", err)
	}
	return made.Arn, nil
}

// sameDocument compares two policies as AWS does, which writes them in its own way.
func sameDocument(a, b string) bool {
	var first, second any
	return json.Unmarshal([]byte(a), &first) == nil && json.Unmarshal([]byte(b), &second) == nil && reflect.DeepEqual(first, second)
}
