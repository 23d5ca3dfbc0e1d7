// Package iam gives the documents beside it, which hold examples, as the policies of one account.
package iam

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed *.json
var documents embed.FS

// Roles are the documents that each role has attached (README.md, step 2), beside that of the state's bucket.
var Roles = map[string][]string{
	"deployer":  {"deployer.json", "deployer-identity.json", "deployer-monitoring.json", "deployer-servers.json", "deployer-rds.json"},
	"previewer": {"previewer.json"},
}

// Boundary is the permissions boundary of every role that the program makes (boundary.json): what such a role may do at most.
//
//go:embed boundary.json
var Boundary string

// BoundaryName is the boundary's, the same in every account.
const BoundaryName = "berth-boundary"

// BoundaryARN is the boundary's in an account.
func BoundaryARN(account string) string { return "arn:aws:iam::" + account + ":policy/" + BoundaryName }

// What the documents hold where an account has its own.
const (
	exampleAccount, exampleRegion, exampleDomain = "111122223333", "eu-central-1", "app.example.com"
	// exampleBoard is the name of the domain's dashboard, which has no dots.
	exampleBoard = "app-example-com"
	anyZone      = "hostedzone/*"
	// nameLimit is how much of a domain the names of alarms and dashboards have.
	nameLimit = 200
)

// Account is what takes the examples' place.
type Account struct {
	// Number is the account's, Region the stack's.
	Number, Region string
	// Names are the site's names, the domain first.
	Names []string
	// Zone is the hosted zone's id; "" for a zone that the stack makes, whose id is not known before.
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
	var resources Texts
	for _, resource := range a.named(one.Resource, nameLimit) {
		resource = own.Replace(resource)
		if a.Zone != "" {
			resource = strings.Replace(resource, anyZone, "hostedzone/"+a.Zone, 1)
		}
		resources = append(resources, resource)
	}
	one.Resource = resources
	condition := map[string]map[string]Texts{}
	for operator, keys := range one.Condition {
		condition[operator] = map[string]Texts{}
		for key, values := range keys {
			for _, value := range a.named(values, 0) {
				condition[operator][key] = append(condition[operator][key], own.Replace(value))
			}
		}
	}
	one.Condition = condition
	return one
}

// named are texts, for all of the site's names, or so much of each as limit says, where they are about the example's. An alias
// may be below the domain, and thus among the example's already.
func (a Account) named(values Texts, limit int) Texts {
	var all Texts
	for _, value := range values {
		if !strings.Contains(value, exampleDomain) && !strings.Contains(value, exampleBoard) {
			all = append(all, value)
			continue
		}
		for _, name := range a.Names {
			if limit > 0 {
				name = name[:min(len(name), limit)]
			}
			all = append(all, strings.NewReplacer(exampleDomain, name, exampleBoard, strings.ReplaceAll(name, ".", "-")).Replace(value))
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
