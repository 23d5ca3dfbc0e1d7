package infra

import (
	"encoding/json"
	"fmt"
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

// trust lets a service of AWS, and nobody else, take on a role.
func trust(service string) policy {
	return policy{{Effect: "Allow", Principal: map[string]string{"Service": service}, Action: []string{"sts:AssumeRole"}}}
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
