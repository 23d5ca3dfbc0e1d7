// Package awsapi stands in for the AWS API of the rehearsal's account: what `make doctor` and the runbook's commands ask,
// over AWS's own protocols, answered from the account's books as strictly as AWS does. What Pulumi asks goes to the
// provider's stand-in instead.
package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

// The operator's credentials, which open nothing but this.
const (
	AccessKey = "AKIAREHEARSAL2345677"
	SecretKey = "rehearsal-rehearsal-rehearsal-rehearsal-"
	// Operator is whose they are.
	Operator = "operator"
)

// PolicyFile in the account's folder is the operator's policy; without one everything is allowed.
const PolicyFile = "operator.json"

// Machines are the hosts behind the account's instances.
type Machines interface {
	// Running says whether an instance's host runs.
	Running(ctx context.Context, instance string) bool
	// StartHost and RebootHost press its button, and return when it is through.
	StartHost(ctx context.Context, instance string) error
	RebootHost(ctx context.Context, instance string) error
}

// Service serves one account. It implements http.Handler.
type Service struct {
	dir      string
	machines Machines
}

// New makes the service of the account that is kept in dir. Without machines every instance runs.
func New(dir string, machines Machines) *Service { return &Service{dir: dir, machines: machines} }

// call is one request.
type call struct {
	context.Context
	*Service
	account *aws.Account
	// region is the one that the request is signed for.
	region string
	// form are the parameters: of the Query protocol, or of a URL.
	form url.Values
	// body are those in JSON.
	body map[string]any
	// id is what the URL names.
	id string
}

// operation is one that the service knows.
type operation struct {
	answer func(*call) (any, *query.Failure)
	// resource is what IAM is asked about; nil for those that AWS allows on everything or not at all.
	resource func(*call) string
}

// operations by their names in IAM.
var operations map[string]operation

func init() {
	operations = map[string]operation{}
	for _, group := range []map[string]operation{identityOperations(), regionOperations(), instanceOperations(), inventoryOperations(), nameOperations(), listOperations()} {
		for name, one := range group {
			operations[name] = one
		}
	}
}

// maxBody is the most that is read of a request, in bytes.
const maxBody = 1 << 20

// signed is Signature Version 4's header, as far as it is checked: the key, the region, the service.
var signed = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z2-7]{16,128})/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}$`)

// ServeHTTP answers one request.
func (s *Service) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	parts := signed.FindStringSubmatch(request.Header.Get("Authorization"))
	if parts == nil {
		write(response, "sts", "", nil, query.Refuse(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"))
		return
	}
	c := &call{Context: request.Context(), Service: s, region: parts[2]}
	service, name, refused := c.read(request, parts[3])
	var answer any
	if refused == nil {
		refused = s.authorize(c, parts[1], service, name)
	}
	if refused == nil {
		answer, refused = operations[service+":"+name].answer(c)
	}
	write(response, service, name, answer, refused)
}

// read finds out what is asked.
func (c *call) read(request *http.Request, service string) (of, name string, refused *query.Failure) {
	text, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if err != nil {
		return service, "", query.Refuse(http.StatusBadRequest, "RequestTimeout", err.Error())
	}
	c.form = request.URL.Query()
	switch target := request.Header.Get("X-Amz-Target"); {
	case service == "route53":
		name, c.id = route(request)
	case target != "":
		_, name, _ = strings.Cut(target, ".")
		if err := json.Unmarshal(text, &c.body); err != nil {
			return service, name, query.Refuse(http.StatusBadRequest, "SerializationException", err.Error())
		}
	default:
		form, err := url.ParseQuery(string(text))
		if err != nil {
			return service, "", query.Refuse(http.StatusBadRequest, "MalformedQueryString", err.Error())
		}
		c.form, name = form, form.Get("Action")
	}
	if _, known := operations[service+":"+name]; !known {
		return service, name, query.Refuse(http.StatusBadRequest, "InvalidAction", "The rehearsal's AWS does not know "+service+":"+name)
	}
	return service, name, nil
}

// authorize reads the account and checks whether the operator may ask.
func (s *Service) authorize(c *call, key, service, name string) *query.Failure {
	if key != AccessKey {
		return query.Refuse(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	var err error
	if c.account, err = aws.Read(s.dir); err != nil {
		return query.Internal(err)
	}
	// Whose credentials they are AWS tells everyone.
	if service == "sts" {
		return nil
	}
	resource := "*"
	if of := operations[service+":"+name].resource; of != nil {
		resource = of(c)
	}
	decision, err := s.decide(service+":"+name, resource, nil)
	if err != nil {
		return query.Internal(err)
	}
	if decision != aws.Allowed {
		message := "User: " + c.operator() + " is not authorized to perform: " + service + ":" + name + " on resource: " + resource + " because no identity-based policy allows the " + service + ":" + name + " action"
		if service == "ec2" {
			return query.Refuse(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation. "+message)
		}
		return query.Refuse(http.StatusForbidden, "AccessDenied", message)
	}
	return nil
}

// decide asks the operator's policy.
func (s *Service) decide(action, resource string, context map[string][]string) (aws.Decision, error) {
	policy, err := os.ReadFile(filepath.Join(s.dir, PolicyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return aws.Allowed, nil
	}
	if err != nil {
		return "", err
	}
	return aws.Decide(string(policy), action, resource, context)
}

func (c *call) operator() string { return "arn:aws:iam::" + c.account.Number + ":user/" + Operator }
