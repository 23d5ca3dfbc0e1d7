package aws

import (
	"encoding/json"
	"errors"
	"slices"
)

// policyStatement is one statement of an IAM policy document. A text is a list of one.
type policyStatement struct {
	Sid, Effect            string
	Action, Resource       oneOrMore
	NotAction, NotResource oneOrMore
	Principal              json.RawMessage
	Condition              map[string]map[string]oneOrMore
}

// oneOrMore is a list of texts that may be written as a single one.
type oneOrMore []string

// UnmarshalJSON reads either form.
func (o *oneOrMore) UnmarshalJSON(document []byte) error {
	var one string
	if json.Unmarshal(document, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(document, (*[]string)(o))
}

func parsePolicy(document string) ([]policyStatement, error) {
	var policy struct {
		Version   string
		Statement []policyStatement
	}
	if err := json.Unmarshal([]byte(document), &policy); err != nil {
		return nil, err
	}
	if len(policy.Statement) == 0 {
		return nil, errors.New("the policy has no statement")
	}
	return policy.Statement, nil
}

// RoleMay decides on what one of the account's roles asks: a policy inside it allows, and so does its permissions boundary,
// where it has one. Source: IAM User Guide, "Permissions boundaries for IAM entities".
func (a *Account) RoleMay(role string, request Request) (bool, error) {
	found := a.get(roleType, role)
	if found == nil {
		return false, nil
	}
	var inside Role
	for _, permission := range a.users(permissionType, "role", role) {
		inside.Policies = append(inside.Policies, Text(permission.Outputs, "policy"))
	}
	decision, err := inside.decide(request)
	if err != nil || decision != Allowed {
		return false, err
	}
	boundary := Text(found.Outputs, "permissionsBoundary")
	if boundary == "" {
		return true, nil
	}
	for _, policy := range a.users(policyType, "arn", boundary) {
		decision, err := Decide(Text(policy.Outputs, "policy"), request.Action, request.Resource, request.Context)
		return decision == Allowed, err
	}
	return false, nil
}

// SomeRoleMay says whether one of the account's roles may do it: it does not distinguish the servers' credentials.
func (a *Account) SomeRoleMay(request Request) bool {
	return slices.ContainsFunc(a.OfType(roleType), func(role *Resource) bool {
		may, err := a.RoleMay(role.ID, request)
		return err == nil && may
	})
}
