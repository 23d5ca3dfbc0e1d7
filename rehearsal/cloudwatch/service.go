// Package cloudwatch stands in for CloudWatch behind a server's own metrics and a load balancer's: it takes PutMetricData as AWS does,
// holds the account's alarms against what it was given, and writes down what SNS would have sent.
package cloudwatch

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strings"
	"sync"
	"time"

	"berth/rehearsal/aws"
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

// namespace is that of the answers' XML.
const namespace = "http://monitoring.amazonaws.com/doc/2010-08-01/"

// failure is what AWS answers to a request that it refuses.
type failure struct {
	status        int
	code, message string
}

// ServeHTTP answers one call of the Query protocol: a form, posted to /.
func (s *Service) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	if refused := s.serve(request); refused != nil {
		type detail struct {
			Type    string
			Code    string
			Message string
		}
		write(response, refused.status, struct {
			XMLName   xml.Name `xml:"ErrorResponse"`
			Namespace string   `xml:"xmlns,attr"`
			Error     detail
			RequestID string `xml:"RequestId"`
		}{Namespace: namespace, Error: detail{sender(refused.status), refused.code, refused.message}, RequestID: requestID()})
		return
	}
	write(response, http.StatusOK, struct {
		XMLName   xml.Name `xml:"PutMetricDataResponse"`
		Namespace string   `xml:"xmlns,attr"`
		RequestID string   `xml:"ResponseMetadata>RequestId"`
	}{Namespace: namespace, RequestID: requestID()})
}

func (s *Service) serve(request *http.Request) *failure {
	if request.Method != http.MethodPost || request.URL.Path != "/" {
		return &failure{http.StatusNotFound, "UnknownOperationException", "The rehearsal knows the Query protocol: a form, posted to /."}
	}
	if kind, _, _ := strings.Cut(request.Header.Get("Content-Type"), ";"); kind != "application/x-www-form-urlencoded" {
		return &failure{http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The rehearsal knows the Query protocol, as curl --aws-sigv4 sends it; newer AWS clients send JSON."}
	}
	now := s.now().UTC()
	region, refused := authenticate(request.Header, now)
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
		return internal(err)
	}
	if name := form.Get("Namespace"); !account.SomeRoleMay(aws.Request{Action: "cloudwatch:PutMetricData", Resource: "*", Context: map[string][]string{"cloudwatch:namespace": {name}}}) {
		return &failure{http.StatusForbidden, "AccessDenied", "User is not authorized to perform: cloudwatch:PutMetricData because no identity-based policy allows the cloudwatch:PutMetricData action with cloudwatch:namespace " + name}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if err := s.store(points, now); err != nil {
		return internal(err)
	}
	if err := s.evaluate(account, now); err != nil {
		return internal(err)
	}
	return nil
}

func internal(err error) *failure {
	return &failure{http.StatusInternalServerError, "InternalFailure", err.Error()}
}

func sender(status int) string {
	if status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// write sends an answer. Whoever asked may have gone, which is no matter of the service.
func write(response http.ResponseWriter, status int, answer any) {
	response.Header().Set("Content-Type", "text/xml")
	response.WriteHeader(status)
	text, err := xml.Marshal(answer)
	if err == nil {
		_, _ = response.Write(text)
	}
}

func requestID() string {
	bytes := make([]byte, 16)
	_, _ = rand.Read(bytes) // It never fails; it would end the program.
	digits := hex.EncodeToString(bytes)
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
