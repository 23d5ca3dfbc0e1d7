package awsapi

import (
	"fmt"
	"net/http"

	"berth/rehearsal/aws"
)

func identityOperations() map[string]operation {
	operator := func(c *call) string { return c.operator() }
	return map[string]operation{
		"sts:GetCallerIdentity":       {answer: callerIdentity},
		"iam:SimulatePrincipalPolicy": {answer: simulate, resource: operator},
	}
}

func callerIdentity(c *call) (any, *failure) {
	return []element{el("Arn", c.operator()), el("UserId", "AIDAREHEARSAL23456777"), el("Account", c.account.Number)}, nil
}

// simulate answers for each action on each resource what the operator's policy makes of it.
func simulate(c *call) (any, *failure) {
	if source := c.form.Get("PolicySourceArn"); source != c.operator() {
		return nil, &failure{http.StatusNotFound, "NoSuchEntity", source + " cannot be found."}
	}
	context := map[string][]string{}
	for i := 1; c.form.Has(fmt.Sprintf("ContextEntries.member.%d.ContextKeyName", i)); i++ {
		at := fmt.Sprintf("ContextEntries.member.%d.", i)
		context[c.form.Get(at+"ContextKeyName")] = c.listed(at + "ContextKeyValues.member")
	}
	resources := c.listed("ResourceArns.member")
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	results := el("EvaluationResults")
	for _, action := range c.listed("ActionNames.member") {
		// AWS answers once for each action, with what it makes of each resource inside.
		worst, specific := aws.Allowed, el("ResourceSpecificResults")
		for _, resource := range resources {
			decision, err := c.decide(action, resource, context)
			if err != nil {
				return nil, internal(err)
			}
			if decision != aws.Allowed {
				worst = decision
			}
			specific.children = append(specific.children, el("member", el("EvalResourceName", resource), el("EvalResourceDecision", string(decision)), el("MissingContextValues")))
		}
		results.children = append(results.children, el("member", el("EvalActionName", action), el("EvalResourceName", resources[0]), el("EvalDecision", string(worst)),
			el("MatchedStatements"), el("MissingContextValues"), specific))
	}
	return []element{results, el("IsTruncated", false)}, nil
}
