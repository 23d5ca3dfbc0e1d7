package cloudwatch

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"berth/rehearsal/query"
)

// Limits of a request. Source: CloudWatch API Reference, "PutMetricData", and User Guide, "CloudWatch service quotas".
const (
	bodyLimit               = 1 << 20
	metricLimit             = 1000
	dimensionLimit          = 30
	pastLimit, futureLimit  = 14 * 24 * time.Hour, 2 * time.Hour
	version                 = "2010-08-01"
	nameLimit, dimensionMax = 255, 1024
)

// namespaceText is what a namespace is made of.
var namespaceText = regexp.MustCompile(`^[0-9A-Za-z.\-_/#]{1,255}$`)

// Datapoint is one value of a metric.
type Datapoint struct {
	Region, Namespace, Metric string
	Dimensions                map[string]string
	Time                      time.Time
	Value                     float64
	Unit                      string
}

// readForm reads the body, which the AWS CLI compresses where it is long.
func readForm(request *http.Request) (url.Values, *query.Failure) {
	var body io.Reader = http.MaxBytesReader(nil, request.Body, bodyLimit)
	if request.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, malformed(err)
		}
		body = io.LimitReader(unpacked, bodyLimit+1)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, malformed(err)
	}
	if len(text) > bodyLimit {
		return nil, query.Refuse(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is larger than 1 MB")
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, malformed(err)
	}
	return form, nil
}

func malformed(err error) *query.Failure {
	return query.Refuse(http.StatusBadRequest, "MalformedQueryString", err.Error())
}

func invalid(code, format string, args ...any) *query.Failure {
	return query.Refuse(http.StatusBadRequest, code, fmt.Sprintf(format, args...))
}

// parse reads the datapoints of a call of PutMetricData.
func parse(form url.Values, region string, now time.Time) ([]Datapoint, *query.Failure) {
	space := form.Get("Namespace")
	switch {
	case form.Get("Action") != "PutMetricData":
		return nil, invalid("InvalidAction", "The rehearsal knows the action PutMetricData, not %q", form.Get("Action"))
	case form.Get("Version") != version:
		return nil, invalid("InvalidAction", "Could not find operation PutMetricData for version %s", form.Get("Version"))
	case space == "":
		return nil, invalid("MissingParameter", "The parameter Namespace is required.")
	case !namespaceText.MatchString(space) || len(space) > 4 && space[:4] == "AWS/":
		return nil, invalid("InvalidParameterValue", "The value %s for parameter Namespace is invalid.", space)
	}
	var points []Datapoint
	for i := 1; ; i++ {
		at := fmt.Sprintf("MetricData.member.%d.", i)
		if form.Get(at+"MetricName") == "" {
			break
		}
		if i > metricLimit {
			return nil, invalid("InvalidParameterValue", "The collection MetricData must not have a size greater than %d.", metricLimit)
		}
		point, refused := parsePoint(form, at, now)
		if refused != nil {
			return nil, refused
		}
		point.Region, point.Namespace = region, space
		points = append(points, point)
	}
	if len(points) == 0 {
		return nil, invalid("MissingParameter", "The parameter MetricData.member.1.MetricName is required.")
	}
	return points, nil
}

func parsePoint(form url.Values, at string, now time.Time) (Datapoint, *query.Failure) {
	point := Datapoint{Metric: form.Get(at + "MetricName"), Unit: form.Get(at + "Unit"), Time: now, Dimensions: map[string]string{}}
	if len(point.Metric) > nameLimit {
		return point, invalid("InvalidParameterValue", "The value for parameter %sMetricName is too long.", at)
	}
	text := form.Get(at + "Value")
	if text == "" {
		return point, invalid("MissingParameter", "The parameter %sValue is required; the rehearsal knows no other form.", at)
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return point, invalid("InvalidParameterValue", "The value %s for parameter %sValue is invalid.", text, at)
	}
	point.Value = value
	if text := form.Get(at + "Timestamp"); text != "" {
		if point.Time, err = time.Parse(time.RFC3339, text); err != nil {
			return point, invalid("InvalidParameterValue", "The value %s for parameter %sTimestamp is invalid.", text, at)
		}
		if point.Time.Before(now.Add(-pastLimit)) || point.Time.After(now.Add(futureLimit)) {
			return point, invalid("InvalidParameterValue", "The parameter %sTimestamp must specify a time within the past two weeks and two hours from now.", at)
		}
	}
	for i := 1; ; i++ {
		dimension := fmt.Sprintf("%sDimensions.member.%d.", at, i)
		name, value := form.Get(dimension+"Name"), form.Get(dimension+"Value")
		if name == "" && value == "" {
			return point, nil
		}
		switch {
		case i > dimensionLimit:
			return point, invalid("InvalidParameterValue", "The collection %sDimensions must not have a size greater than %d.", at, dimensionLimit)
		case name == "" || value == "" || len(name) > nameLimit || len(value) > dimensionMax:
			return point, invalid("InvalidParameterValue", "The parameters %sName and %[1]sValue are required, of at most %d and %d characters.", dimension, nameLimit, dimensionMax)
		}
		point.Dimensions[name] = value
	}
}
