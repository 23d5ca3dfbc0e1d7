package infra

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// policy is an IAM policy document.
type policy []statement

// statement is one permission or, with Effect "Deny", one refusal.
type statement struct {
	Effect    string                       `json:"Effect"`
	Principal any                          `json:"Principal,omitempty"`
	Action    []string                     `json:"Action"`
	Resource  []string                     `json:"Resource,omitempty"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

// trust lets only a service of AWS assume a role.
func trust(service string) policy {
	return policy{{Effect: "Allow", Principal: map[string]string{"Service": service}, Action: []string{"sts:AssumeRole"}}}
}

// roleArgs are what a role needs: the domain of the site, for the name in AWS's console, and who may take it on.
type roleArgs struct {
	domain, description, trust string
	boundary                   pulumi.StringInput
}

// newRole declares a role of the program's, within the boundary. Another trust takes another role: the deployer may update
// none, since whoever updates a role's trust becomes the role.
func newRole(ctx *pulumi.Context, name string, args *roleArgs, parent pulumi.Resource) (*iam.Role, error) {
	return iam.NewRole(ctx, name, &iam.RoleArgs{
		Description:         pulumi.String(args.description),
		AssumeRolePolicy:    pulumi.String(args.trust),
		PermissionsBoundary: args.boundary.ToStringOutput().ToStringPtrOutput(),
		Tags:                nameTag(args.domain),
	}, pulumi.Parent(parent), pulumi.ReplaceOnChanges([]string{"assumeRolePolicy"}))
}

// String is the document. It is made of texts, which JSON can always write.
func (p policy) String() string {
	text, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", p})
	if err != nil {
		panic(fmt.Sprintf("write an IAM policy: %v", err))
	}
	return string(text)
}
