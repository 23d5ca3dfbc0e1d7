// Package cloudwatch stands in for CloudWatch behind a server's own metrics and a load balancer's: it takes PutMetricData as AWS does,
// holds the account's alarms against what it was given, and writes down what SNS would have sent.
package cloudwatch

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

// Service serves one account's CloudWatch. It implements http.Handler.
type Service struct {
	// account is the folder of the account, dir that of what the service keeps: metrics.json, alarms.json and
	// notifications.jsonl. measured.json is written by others and read by it.
	account, dir string
	now          func() time.Time
	// period is how long each of an alarm's periods lasts here, whatever the alarm says: a rehearsal does not wait for a
	// quarter of an hour.
	period time.Duration

	lock sync.Mutex
}

// New makes the service of the account that is kept in account, with its own files in dir, whose alarms evaluate periods
// of that length.
func New(account, dir string, period time.Duration) *Service {
	return &Service{account: account, dir: dir, now: time.Now, period: period}
}

// ServeHTTP answers one call of the Query protocol: a form, posted to /.
func (s *Service) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	query.Write(response, "monitoring", "PutMetricData", nil, s.serve(request))
}

func (s *Service) serve(request *http.Request) *query.Failure {
	if request.Method != http.MethodPost || request.URL.Path != "/" {
		return query.Refuse(http.StatusNotFound, "UnknownOperationException", "The rehearsal knows the Query protocol: a form, posted to /.")
	}
	if kind, _, _ := strings.Cut(request.Header.Get("Content-Type"), ";"); kind != "application/x-www-form-urlencoded" {
		return query.Refuse(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The rehearsal knows the Query protocol, as curl --aws-sigv4 sends it; newer AWS clients send JSON.")
	}
	now := s.now().UTC()
	region, refused := query.Authenticate(request.Header, "monitoring", now)
	if refused != nil {
		return refused
	}
	form, refused := readForm(request)
	if refused != nil {
		return refused
	}
	points, refused := parse(form, region, now)
	if refused != nil {
		return refused
	}
	account, err := aws.Read(s.account)
	if err != nil {
		return query.Internal(err)
	}
	if name := form.Get("Namespace"); !account.SomeRoleMay(aws.Request{Action: "cloudwatch:PutMetricData", Resource: "*", Context: map[string][]string{"cloudwatch:namespace": {name}}}) {
		return query.Refuse(http.StatusForbidden, "AccessDenied", "User is not authorized to perform: cloudwatch:PutMetricData because no identity-based policy allows the cloudwatch:PutMetricData action with cloudwatch:namespace "+name)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if err := s.store(points, now); err != nil {
		return query.Internal(err)
	}
	if err := s.evaluate(account, now); err != nil {
		return query.Internal(err)
	}
	return nil
}
