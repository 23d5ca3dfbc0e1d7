// Package iam gives the documents beside it, which hold examples, as the policies of one account.
package iam

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed *.json
var documents embed.FS

// Roles are the documents that each role has attached (README.md, step 2), beside that of the state's bucket.
var Roles = map[string][]string{
	"deployer":  {"deployer.json", "deployer-identity.json", "deployer-monitoring.json"},
	"previewer": {"previewer.json"},
}

// What the documents hold where an account has its own.
const (
	exampleAccount, exampleRegion, exampleDomain = "111122223333", "eu-central-1", "app.example.com"
	anyZone                                      = "hostedzone/*"
)

// Account is what takes the examples' place.
type Account struct {
	// Number is the account's, Region the stack's.
	Number, Region string
	// Names are the site's names, the domain first.
	Names []string
	// Zone is the hosted zone's id; "" for a zone that the stack makes, whose id nobody knows before.
	Zone string
}

// Statement is one of a policy.
type Statement struct {
	Sid, Effect string
	Action      Texts
	Resource    Texts
	Condition   map[string]map[string]Texts `json:",omitempty"`
}

// Texts is what IAM lets be written as one text or as several.
type Texts []string

// UnmarshalJSON reads either form.
func (t *Texts) UnmarshalJSON(document []byte) error {
	var one string
	if json.Unmarshal(document, &one) == nil {
		*t = Texts{one}
		return nil
	}
	return json.Unmarshal(document, (*[]string)(t))
}

// Statements are those of a role's documents, with the account's own in place of the examples.
func (a Account) Statements(role string) ([]Statement, error) {
	names, known := Roles[role]
	if !known {
		return nil, fmt.Errorf("docs/iam has no role %s", role)
	}
	var all []Statement
	for _, name := range names {
		text, err := documents.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var policy struct{ Statement []Statement }
		if err := json.Unmarshal(text, &policy); err != nil {
			return nil, fmt.Errorf("read docs/iam/%s: %w", name, err)
		}
		for _, one := range policy.Statement {
			if a.Zone == "" || one.Sid != "OwnZone" && one.Sid != "ChangeOwnZone" {
				all = append(all, a.own(one))
			}
		}
	}
	return all, nil
}

// own is a statement with the account's own.
func (a Account) own(one Statement) Statement {
	own := strings.NewReplacer(exampleAccount, a.Number, exampleRegion, a.Region)
	one.Resource = slices.Clone(one.Resource)
	for i, resource := range one.Resource {
		resource = own.Replace(resource)
		if a.Zone != "" {
			resource = strings.Replace(resource, anyZone, "hostedzone/"+a.Zone, 1)
		}
		one.Resource[i] = resource
	}
	condition := map[string]map[string]Texts{}
	for operator, keys := range one.Condition {
		condition[operator] = map[string]Texts{}
		for key, values := range keys {
			condition[operator][key] = a.named(values)
		}
	}
	one.Condition = condition
	return one
}

// named are the values of a condition, for all of the site's names where they are about the example's. An alias may be
// below the domain, and thus among the example's already.
func (a Account) named(values Texts) Texts {
	var all Texts
	for _, value := range values {
		if !strings.Contains(value, exampleDomain) {
			all = append(all, value)
			continue
		}
		for _, name := range a.Names {
			all = append(all, strings.Replace(value, exampleDomain, name, 1))
		}
	}
	return all
}

// Document is a role's statements as one policy.
func (a Account) Document(role string) (string, error) {
	statements, err := a.Statements(role)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(struct {
		Version   string
		Statement []Statement
	}{"2012-10-17", statements})
	return string(text), err
}
