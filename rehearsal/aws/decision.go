package aws

import (
	"slices"
	"strings"
)

// Decision is what IAM makes of a policy: one of its words.
type Decision string

// IAM's words.
const (
	Allowed      Decision = "allowed"
	ExplicitDeny Decision = "explicitDeny"
	ImplicitDeny Decision = "implicitDeny"
)

// Decide tells whether a policy document lets an action through on a resource, with these values of conditions' keys. Names
// and resources may have wildcards, and of conditions it knows equal and like texts.
func Decide(document, action, resource string, context map[string][]string) (Decision, error) {
	statements, err := parsePolicy(document)
	if err != nil {
		return "", err
	}
	decision := ImplicitDeny
	for _, statement := range statements {
		if !covers(statement.Action, strings.ToLower(action), strings.ToLower) || !covers(statement.Resource, resource, same) || !fulfilled(statement.Condition, context) {
			continue
		}
		if statement.Effect == "Deny" {
			return ExplicitDeny, nil
		}
		decision = Allowed
	}
	return decision, nil
}

func same(text string) string { return text }

func covers(patterns []string, text string, spelled func(string) string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return like(spelled(pattern), text) })
}

// fulfilled says whether every condition holds. A key without a value fails it, but for those that speak of all values.
func fulfilled(conditions map[string]map[string]oneOrMore, context map[string][]string) bool {
	for operator, keys := range conditions {
		operator, all := strings.CutPrefix(operator, "ForAllValues:")
		for key, wanted := range keys {
			values := context[key]
			if len(values) == 0 && !all {
				return false
			}
			for _, value := range values {
				switch operator {
				case "StringEquals":
					if !slices.Contains(wanted, value) {
						return false
					}
				case "StringLike":
					if !covers(wanted, value, same) {
						return false
					}
				default:
					return false
				}
			}
		}
	}
	return true
}

// like matches a pattern with * for any text and ? for any character.
func like(pattern, text string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if len(text) < len(before) {
		return false
	}
	for i := range len(before) {
		if before[i] != '?' && before[i] != text[i] {
			return false
		}
	}
	rest := text[len(before):]
	if !star {
		return rest == ""
	}
	for i := 0; i <= len(rest); i++ {
		if like(after, rest[i:]) {
			return true
		}
	}
	return false
}
