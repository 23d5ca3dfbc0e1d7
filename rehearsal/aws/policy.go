package aws

import (
	"encoding/json"
	"errors"
	"slices"
)

// policyStatement is one statement of an IAM policy document. A text stands for a list of one.
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

// Allows tells whether a policy inside one of the account's roles allows an action with a value of a condition's key.
// It knows what Berth's policies are made of: whole names of actions, and the operator StringEquals.
func (a *Account) Allows(action, key, value string) bool {
	return slices.ContainsFunc(a.OfType(permissionType), func(permission *Resource) bool {
		statements, err := parsePolicy(text(permission.Outputs, "policy"))
		return err == nil && slices.ContainsFunc(statements, func(s policyStatement) bool {
			return s.Effect == "Allow" && slices.Contains(s.Action, action) && slices.Contains(s.Condition["StringEquals"][key], value)
		})
	})
}
