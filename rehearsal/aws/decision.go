package aws

import (
	"fmt"
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
// and resources may have wildcards. What it does not know of a policy is an error: taken for fulfilled or not, it would be
// a wrong answer in one of two statements.
func Decide(document, action, resource string, context map[string][]string) (Decision, error) {
	statements, err := parsePolicy(document)
	if err != nil {
		return "", err
	}
	known := map[string][]string{}
	for key, values := range context {
		// IAM does not tell capital letters in the names of keys.
		known[strings.ToLower(key)] = values
	}
	decision := ImplicitDeny
	for _, statement := range statements {
		fulfilled, err := statement.fulfilled(known)
		if err != nil {
			return "", err
		}
		if !fulfilled || !covers(statement.Action, strings.ToLower(action), strings.ToLower) || !covers(statement.Resource, resource, same) {
			continue
		}
		switch statement.Effect {
		case "Deny":
			return ExplicitDeny, nil
		case "Allow":
			decision = Allowed
		default:
			return "", fmt.Errorf("the policy has the effect %q; it is Allow or Deny", statement.Effect)
		}
	}
	return decision, nil
}

func same(text string) string { return text }

func covers(patterns []string, text string, spelled func(string) string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return like(spelled(pattern), text) })
}

// operators say whether a value of a request is one of those that a condition names. Source: IAM User Guide, "IAM JSON
// policy elements: Condition operators".
var operators = map[string]func(wanted []string, value string) bool{
	"StringEquals": func(wanted []string, value string) bool { return slices.Contains(wanted, value) },
	"StringEqualsIgnoreCase": func(wanted []string, value string) bool {
		return slices.ContainsFunc(wanted, func(one string) bool { return strings.EqualFold(one, value) })
	},
	"StringLike": func(wanted []string, value string) bool { return covers(wanted, value, same) },
	"ArnLike":    func(wanted []string, value string) bool { return covers(wanted, value, same) },
	"ArnEquals":  func(wanted []string, value string) bool { return covers(wanted, value, same) },
	"Bool": func(wanted []string, value string) bool {
		return slices.ContainsFunc(wanted, func(one string) bool { return strings.EqualFold(one, value) })
	},
}

// condition is one of a statement: an operator with what its name says beside it, a key, and the values.
type condition struct {
	matches func(wanted []string, value string) bool
	// negated turns each comparison round; ifExists passes where the key has no value.
	negated, ifExists bool
	// set is ForAllValues or ForAnyValue, "" for a key of one value.
	set string
}

// parseCondition reads an operator's name, such as ForAllValues:StringNotLikeIfExists.
func parseCondition(name string) (condition, error) {
	c := condition{}
	rest := name
	if set, after, found := strings.Cut(name, ":"); found {
		if set != "ForAllValues" && set != "ForAnyValue" {
			return c, fmt.Errorf("the policy has the operator %s, which the rehearsal's AWS does not know", name)
		}
		c.set, rest = set, after
	}
	rest, c.ifExists = strings.CutSuffix(rest, "IfExists")
	for _, kind := range []string{"String", "Arn"} {
		if after, found := strings.CutPrefix(rest, kind+"Not"); found {
			rest, c.negated = kind+after, true
		}
	}
	if c.matches = operators[rest]; c.matches == nil {
		return c, fmt.Errorf("the policy has the operator %s, which the rehearsal's AWS does not know", name)
	}
	return c, nil
}

// holds says whether a key's values fulfil the condition.
func (c condition) holds(wanted, values []string) bool {
	match := func(value string) bool { return c.matches(wanted, value) != c.negated }
	switch {
	case len(values) == 0:
		// IAM: a key that is not there fails a comparison, but for a negated one and ForAllValues.
		return c.ifExists || c.set == "ForAllValues" || c.negated && c.set == ""
	case c.set == "ForAnyValue":
		return slices.ContainsFunc(values, match)
	}
	return !slices.ContainsFunc(values, func(value string) bool { return !match(value) })
}

// fulfilled says whether every condition of a statement holds.
func (s policyStatement) fulfilled(context map[string][]string) (bool, error) {
	if len(s.NotAction) > 0 || len(s.NotResource) > 0 {
		return false, fmt.Errorf("the policy's statement %s has NotAction or NotResource, which the rehearsal's AWS does not know", s.Sid)
	}
	all := true
	for operator, keys := range s.Condition {
		for key, wanted := range keys {
			if slices.ContainsFunc(wanted, func(value string) bool { return strings.Contains(value, "${") }) {
				return false, fmt.Errorf("the policy's condition on %s has a variable, which the rehearsal's AWS does not know", key)
			}
			values := context[strings.ToLower(key)]
			if operator == "Null" {
				if len(wanted) != 1 || wanted[0] != "true" && wanted[0] != "false" {
					return false, fmt.Errorf("the policy's condition Null on %s is %v; it is true or false", key, wanted)
				}
				all = all && (len(values) == 0) == (wanted[0] == "true")
				continue
			}
			parsed, err := parseCondition(operator)
			if err != nil {
				return false, err
			}
			all = all && parsed.holds(wanted, values)
		}
	}
	return all, nil
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
