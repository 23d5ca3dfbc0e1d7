package awsapi

import (
	"fmt"
	"net/http"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

func identityOperations() map[string]operation {
	operator := func(c *call) string { return c.operator() }
	return map[string]operation{
		"sts:GetCallerIdentity":       {answer: callerIdentity},
		"iam:SimulatePrincipalPolicy": {answer: simulate, resource: operator},
	}
}

func callerIdentity(c *call) (any, *query.Failure) {
	return []query.Element{query.El("Arn", c.operator()), query.El("UserId", "AIDAREHEARSAL23456777"), query.El("Account", c.account.Number)}, nil
}

// simulate answers for each action on each resource what the operator's policy makes of it.
func simulate(c *call) (any, *query.Failure) {
	if source := c.form.Get("PolicySourceArn"); source != c.operator() {
		return nil, query.Refuse(http.StatusNotFound, "NoSuchEntity", source+" cannot be found.")
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
	results := query.El("EvaluationResults")
	for _, action := range c.listed("ActionNames.member") {
		// AWS answers once for each action, with what it makes of each resource inside.
		worst, specific := aws.Allowed, query.El("ResourceSpecificResults")
		for _, resource := range resources {
			decision, err := c.decide(action, resource, context)
			if err != nil {
				return nil, query.Internal(err)
			}
			if decision != aws.Allowed {
				worst = decision
			}
			specific.Add(query.El("member", query.El("EvalResourceName", resource), query.El("EvalResourceDecision", string(decision)), query.El("MissingContextValues")))
		}
		results.Add(query.El("member", query.El("EvalActionName", action), query.El("EvalResourceName", resources[0]), query.El("EvalDecision", string(worst)),
			query.El("MatchedStatements"), query.El("MissingContextValues"), specific))
	}
	return []query.Element{results, query.El("IsTruncated", false)}, nil
}
