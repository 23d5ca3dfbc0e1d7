package cloudwatch

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

const topic = "arn:aws:sns:eu-central-1:123456789012:alarms"

// fixture is a service on an account with one alarm, at a time of its own.
type fixture struct {
	t       *testing.T
	service *Service
	account *aws.Account
	now     time.Time
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, now: time.Date(2026, 11, 24, 3, 0, 30, 0, time.UTC)}
	f.account = &aws.Account{Number: "123456789012", Resources: map[string]*aws.Resource{}}
	f.put(aws.TopicType, topic, map[string]any{})
	f.put(aws.SubscriptionType, topic+":1", map[string]any{"topic": topic, "protocol": "email", "endpoint": "you@example.test"})
	f.put("aws:iam/role:Role", "host", map[string]any{})
	f.put("aws:iam/rolePolicy:RolePolicy", "host:metrics", map[string]any{"role": "host", "policy": `{"Statement":[{"Effect":"Allow",
		"Action":["cloudwatch:PutMetricData"],"Resource":["*"],"Condition":{"StringEquals":{"cloudwatch:namespace":"Berth"}}}]}`})
	f.service = New(t.TempDir(), filepath.Join(t.TempDir(), "new"), time.Minute)
	f.service.now = func() time.Time { return f.now }
	f.alarm("memory", nil)
	return f
}

func (f *fixture) put(typ, id string, outputs map[string]any) {
	f.account.Resources[typ+"::"+id] = &aws.Resource{Type: typ, ID: id, Outputs: outputs, Created: f.now}
}

func (f *fixture) alarm(name string, changes map[string]any) {
	outputs := map[string]any{
		"arn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:" + name, "alarmDescription": "Look with free.",
		"namespace": "Berth", "metricName": "MemoryUsed", "dimensions": map[string]any{"Stack": "production"},
		"statistic": "Average", "comparisonOperator": "GreaterThanThreshold", "threshold": 80, "period": 60, "evaluationPeriods": 3,
		"treatMissingData": "breaching", "actionsEnabled": true, "alarmActions": []any{topic, "arn:aws:automate:eu-central-1:ec2:reboot"},
		"okActions": []any{topic},
	}
	for key, value := range changes {
		outputs[key] = value
	}
	f.put(aws.AlarmType, name, outputs)
	f.save()
}

func (f *fixture) save() {
	text, err := json.Marshal(f.account)
	require.NoError(f.t, err)
	require.NoError(f.t, os.WriteFile(filepath.Join(f.service.account, "aws.json"), text, 0o600))
}

// request is a sound one, as the AWS CLI makes it.
func (f *fixture) request(changes ...string) *http.Request {
	form := url.Values{
		"Action": {"PutMetricData"}, "Version": {"2010-08-01"}, "Namespace": {"Berth"},
		"MetricData.member.1.MetricName": {"MemoryUsed"}, "MetricData.member.1.Value": {"42.5"}, "MetricData.member.1.Unit": {"Percent"},
		"MetricData.member.1.Dimensions.member.1.Name": {"Stack"}, "MetricData.member.1.Dimensions.member.1.Value": {"production"},
	}
	for i := 0; i < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	request := httptest.NewRequest(http.MethodPost, "https://monitoring.eu-central-1.amazonaws.com/", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	request.Header.Set("X-Amz-Date", f.now.Format("20060102T150405Z"))
	request.Header.Set("X-Amz-Security-Token", "token")
	f.sign(request, "ASIAABCDEFGHIJKLMN27", "monitoring", "content-type;host;x-amz-date;x-amz-security-token")
	return request
}

func (f *fixture) sign(request *http.Request, key, service, headers string) {
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/eu-central-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
		key, f.now.Format("20060102"), service, headers, strings.Repeat("0a", 32)))
}

func (f *fixture) serve(request *http.Request) (int, string) {
	response := httptest.NewRecorder()
	f.service.ServeHTTP(response, request)
	return response.Code, response.Body.String()
}

// says pushes a value, now.
func (f *fixture) says(value float64, changes ...string) {
	f.t.Helper()
	code, body := f.serve(f.request(append([]string{"MetricData.member.1.Value", fmt.Sprint(value)}, changes...)...))
	require.Equal(f.t, http.StatusOK, code, body)
}

func (f *fixture) state(name string) State {
	f.t.Helper()
	states, err := f.service.States()
	require.NoError(f.t, err)
	return states[name]
}

func (f *fixture) sent() (all []Notification) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.service.dir, notificationsFile))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(f.t, err)
	for line := range strings.Lines(string(text)) {
		var one Notification
		require.NoError(f.t, json.Unmarshal([]byte(line), &one))
		all = append(all, one)
	}
	return all
}

func TestPutMetricDataIsTaken(t *testing.T) {
	f := newFixture(t)
	code, body := f.serve(f.request("MetricData.member.2.MetricName", "SwapUsed", "MetricData.member.2.Value", "0",
		"MetricData.member.2.Timestamp", "2026-11-24T02:59:00Z"))
	assert.Equal(t, http.StatusOK, code)
	assert.Regexp(t, `^<PutMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><ResponseMetadata><RequestId>[0-9a-f-]{36}</RequestId></ResponseMetadata></PutMetricDataResponse>$`, body)
	var points []Datapoint
	require.NoError(t, read(filepath.Join(f.service.dir, metricsFile), &points))
	assert.Equal(t, []Datapoint{
		{Region: "eu-central-1", Namespace: "Berth", Metric: "MemoryUsed", Dimensions: map[string]string{"Stack": "production"}, Time: f.now, Value: 42.5, Unit: "Percent"},
		{Region: "eu-central-1", Namespace: "Berth", Metric: "SwapUsed", Dimensions: map[string]string{}, Time: time.Date(2026, 11, 24, 2, 59, 0, 0, time.UTC)},
	}, points)

	f.now = f.now.Add(kept + time.Minute)
	f.says(1)
	points = nil
	require.NoError(t, read(filepath.Join(f.service.dir, metricsFile), &points))
	assert.Len(t, points, 1, "what no alarm uses goes")
}

func TestCompressedRequestsAreRead(t *testing.T) {
	f := newFixture(t)
	request := f.request()
	plain, err := io.ReadAll(request.Body)
	require.NoError(t, err)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err = writer.Write(plain)
	require.NoError(t, errors.Join(err, writer.Close()))
	request.Body, request.ContentLength = io.NopCloser(&packed), int64(packed.Len())
	request.Header.Set("Content-Encoding", "gzip")
	status, body := f.serve(request)
	assert.Equal(t, http.StatusOK, status, body)

	request = f.request()
	request.Header.Set("Content-Encoding", "gzip")
	status, body = f.serve(request)
	assert.Equal(t, http.StatusBadRequest, status, body)
}

func TestWhatIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, code string
		status     int
		request    func(f *fixture) *http.Request
	}{
		{"a GET", "UnknownOperationException", 404, func(*fixture) *http.Request { return httptest.NewRequest(http.MethodGet, "/", nil) }},
		{"JSON", "UnsupportedMediaType", 415, func(f *fixture) *http.Request {
			r := f.request()
			r.Header.Set("Content-Type", "application/x-amz-json-1.0")
			return r
		}},
		{"no signature", "MissingAuthenticationToken", 403, func(f *fixture) *http.Request { r := f.request(); r.Header.Del("Authorization"); return r }},
		{"another signature", "IncompleteSignature", 400, func(f *fixture) *http.Request {
			r := f.request()
			r.Header.Set("Authorization", "Bearer x")
			return r
		}},
		{"no access key", "IncompleteSignature", 400, func(f *fixture) *http.Request {
			r := f.request()
			f.sign(r, "me", "monitoring", "host")
			return r
		}},
		{"another service", "SignatureDoesNotMatch", 403, func(f *fixture) *http.Request {
			r := f.request()
			f.sign(r, "ASIAABCDEFGHIJKLMN27", "s3", "host")
			return r
		}},
		{"host not signed", "SignatureDoesNotMatch", 403, func(f *fixture) *http.Request {
			r := f.request()
			f.sign(r, "ASIAABCDEFGHIJKLMN27", "monitoring", "x-amz-date")
			return r
		}},
		{"no date", "IncompleteSignature", 400, func(f *fixture) *http.Request { r := f.request(); r.Header.Del("X-Amz-Date"); return r }},
		{"an old signature", "SignatureDoesNotMatch", 403, func(f *fixture) *http.Request {
			r := f.request()
			r.Header.Set("X-Amz-Date", "20261124T020000Z")
			return r
		}},
		{"no session token", "InvalidClientTokenId", 403, func(f *fixture) *http.Request {
			r := f.request()
			r.Header.Del("X-Amz-Security-Token")
			return r
		}},
		{"another action", "InvalidAction", 400, func(f *fixture) *http.Request { return f.request("Action", "DeleteAlarms") }},
		{"another version", "InvalidAction", 400, func(f *fixture) *http.Request { return f.request("Version", "2009-05-15") }},
		{"no namespace", "MissingParameter", 400, func(f *fixture) *http.Request { return f.request("Namespace", "") }},
		{"AWS's namespace", "InvalidParameterValue", 400, func(f *fixture) *http.Request { return f.request("Namespace", "AWS/EC2") }},
		{"a namespace that no policy allows", "AccessDenied", 403, func(f *fixture) *http.Request { return f.request("Namespace", "Other") }},
		{"no metric", "MissingParameter", 400, func(f *fixture) *http.Request { return f.request("MetricData.member.1.MetricName", "") }},
		{"no value", "MissingParameter", 400, func(f *fixture) *http.Request { return f.request("MetricData.member.1.Value", "") }},
		{"no number", "InvalidParameterValue", 400, func(f *fixture) *http.Request { return f.request("MetricData.member.1.Value", "NaN") }},
		{"a wrong time", "InvalidParameterValue", 400, func(f *fixture) *http.Request {
			return f.request("MetricData.member.1.Timestamp", "yesterday")
		}},
		{"an early time", "InvalidParameterValue", 400, func(f *fixture) *http.Request {
			return f.request("MetricData.member.1.Timestamp", "2026-11-01T00:00:00Z")
		}},
		{"half a dimension", "InvalidParameterValue", 400, func(f *fixture) *http.Request {
			return f.request("MetricData.member.1.Dimensions.member.1.Value", "")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			status, body := f.serve(test.request(f))
			assert.Equal(t, test.status, status)
			assert.Contains(t, body, "<ErrorResponse xmlns=")
			assert.Contains(t, body, "<Error><Type>Sender</Type><Code>"+test.code+"</Code><Message>")
			assert.NoFileExists(t, filepath.Join(f.service.dir, metricsFile))
		})
	}
}

func TestABrokenFileIsNamed(t *testing.T) {
	f := newFixture(t)
	f.says(1)
	require.NoError(t, os.WriteFile(filepath.Join(f.service.dir, metricsFile), []byte("{"), 0o600))
	status, body := f.serve(f.request())
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Contains(t, body, "<Type>Receiver</Type>")
	assert.Contains(t, body, "remove it to start again")
}
