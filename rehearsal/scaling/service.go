package scaling

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

// call is one request to the API.
type call struct {
	*Engine
	account *aws.Account
	form    url.Values
	region  string
	service string
}

// operation is one that the service knows.
type operation struct {
	// resources are what IAM is asked about, each with its tags; nil for operations that AWS allows on everything or not at all.
	resources func(*call) ([]*aws.Resource, *query.Failure)
	answer    func(*call) ([]query.Element, *query.Failure)
	// changes is set where the account is another one afterwards.
	changes bool
}

// operations by their names in IAM.
var operations = map[string]operation{
	"autoscaling:DescribeAutoScalingGroups":  {answer: describeGroups},
	"autoscaling:CompleteLifecycleAction":    {resources: namedGroup, answer: completeAction, changes: true},
	"autoscaling:SetInstanceHealth":          {resources: groupOfInstance, answer: setHealth, changes: true},
	"elasticloadbalancing:DeregisterTargets": {resources: namedTargetGroup, answer: deregister, changes: true},
	"ec2:DescribeInstances":                  {answer: describeInstances},
}

// versions of the services' APIs.
var versions = map[string]string{"autoscaling": "2011-01-01", "elasticloadbalancing": "2015-12-01", "ec2": "2016-11-15"}

// bodyLimit is the most that is read of a request, in bytes.
const bodyLimit = 1 << 20

// ServeHTTP answers one call of the Query protocol.
func (e *Engine) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	c := &call{Engine: e}
	c.service, _, _ = strings.Cut(request.Host, ".")
	name, answer, refused := c.serve(request)
	query.Write(response, c.service, name, answer, refused)
}

func (c *call) serve(request *http.Request) (name string, answer []query.Element, refused *query.Failure) {
	if versions[c.service] == "" || request.URL.Path != "/" {
		return "", nil, query.Refuse(http.StatusNotFound, "UnknownOperationException", "The rehearsal knows the Query protocol of autoscaling, elasticloadbalancing and ec2, at /.")
	}
	if c.region, refused = query.Authenticate(request.Header, c.service, c.Now()); refused != nil {
		return "", nil, refused
	}
	if c.form, refused = readForm(request); refused != nil {
		return "", nil, refused
	}
	name = c.form.Get("Action")
	known, is := operations[c.service+":"+name]
	if !is || c.form.Get("Version") != versions[c.service] {
		return name, nil, invalid("InvalidAction", "Could not find operation %s for version %s", name, c.form.Get("Version"))
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	run := func(account *aws.Account) error {
		c.account = account
		if refused = c.authorize(known, name); refused == nil {
			answer, refused = known.answer(c)
		}
		if refused != nil {
			return refused
		}
		return nil
	}
	var err error
	if known.changes {
		err = aws.Change(c.Dir, run)
	} else if c.account, err = aws.Read(c.Dir); err == nil {
		err = run(c.account)
	}
	if err != nil && refused == nil {
		refused = query.Refuse(http.StatusInternalServerError, "InternalFailure", err.Error())
	}
	return name, answer, refused
}

// readForm reads the parameters, of the body or of the URL.
func readForm(request *http.Request) (url.Values, *query.Failure) {
	text := request.URL.RawQuery
	if request.Method == http.MethodPost {
		body, err := io.ReadAll(io.LimitReader(request.Body, bodyLimit))
		if err != nil {
			return nil, invalid("MalformedQueryString", "%v", err)
		}
		text = string(body)
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, invalid("MalformedQueryString", "%v", err)
	}
	return form, nil
}

// authorize asks whether an instance's role may.
func (c *call) authorize(known operation, name string) *query.Failure {
	action := c.service + ":" + name
	resources := []*aws.Resource{nil}
	if known.resources != nil {
		var refused *query.Failure
		if resources, refused = known.resources(c); refused != nil {
			return refused
		}
	}
	for _, resource := range resources {
		asked := aws.Request{Action: action, Resource: "*", Context: map[string][]string{}}
		if resource != nil {
			asked.Resource = textOr(resource.Outputs, "arn", resource.ID)
			for key, value := range aws.Object(resource.Outputs, "tagsAll") {
				asked.Context["aws:ResourceTag/"+key] = []string{fmt.Sprint(value)}
			}
			for _, tag := range aws.Objects(resource.Outputs, "tags") {
				asked.Context["aws:ResourceTag/"+aws.Text(tag, "key")] = []string{aws.Text(tag, "value")}
			}
		}
		if c.account.SomeRoleMay(asked) {
			continue
		}
		message := "User is not authorized to perform: " + action + " on resource: " + asked.Resource + " because no identity-based policy allows the " + action + " action"
		if c.service == "ec2" {
			return query.Refuse(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation. "+message)
		}
		return query.Refuse(http.StatusForbidden, "AccessDenied", message)
	}
	return nil
}

func invalid(code, format string, args ...any) *query.Failure {
	return query.Refuse(http.StatusBadRequest, code, fmt.Sprintf(format, args...))
}

// each makes a list of texts, one per element of the name.
func each(list, name string, texts []string) query.Element {
	made := query.El(list)
	for _, text := range texts {
		made.Add(query.El(name, text))
	}
	return made
}

// stamp is a time as AWS writes it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// listed are the values of a list: NAME.1, NAME.2, …
func (c *call) listed(name string) []string {
	var values []string
	for i := 1; c.form.Has(fmt.Sprintf("%s.%d", name, i)); i++ {
		values = append(values, c.form.Get(fmt.Sprintf("%s.%d", name, i)))
	}
	return values
}
