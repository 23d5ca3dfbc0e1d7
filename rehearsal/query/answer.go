// Package query is AWS's Query protocol, as far as the rehearsal's services speak it: who asks, and answers in XML.
package query

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

// Failure is what AWS answers to a request that it refuses.
type Failure struct {
	Status        int
	Code, Message string
}

func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// Refuse makes a failure.
func Refuse(status int, code, message string) *Failure {
	return &Failure{Status: status, Code: code, Message: message}
}

// Internal is what AWS answers where it fails itself.
func Internal(err error) *Failure {
	return Refuse(http.StatusInternalServerError, "InternalFailure", err.Error())
}

// Element is one of an answer.
type Element struct {
	name     string
	text     string
	children []Element
}

// El makes an element of texts, numbers and truths, or of other elements.
func El(name string, content ...any) Element {
	made := Element{name: name}
	for _, item := range content {
		switch item := item.(type) {
		case Element:
			made.children = append(made.children, item)
		case []Element:
			made.children = append(made.children, item...)
		default:
			made.text += fmt.Sprint(item)
		}
	}
	return made
}

// Add puts further elements into one.
func (e *Element) Add(children ...Element) { e.children = append(e.children, children...) }

func (e Element) write(out *strings.Builder, attributes string) {
	fmt.Fprintf(out, "<%s%s>", e.name, attributes)
	_ = xml.EscapeText(out, []byte(e.text)) // A Builder takes everything.
	for _, child := range e.children {
		child.write(out, "")
	}
	fmt.Fprintf(out, "</%s>", e.name)
}

// namespaces are those of the services that answer in XML.
var namespaces = map[string]string{
	"ec2": "http://ec2.amazonaws.com/doc/2016-11-15/", "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
	"sts": "https://sts.amazonaws.com/doc/2011-06-15/", "route53": "https://route53.amazonaws.com/doc/2013-04-01/",
	"autoscaling": "http://autoscaling.amazonaws.com/doc/2011-01-01/", "elasticloadbalancing": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
	"monitoring": "http://monitoring.amazonaws.com/doc/2010-08-01/",
}

// InXML says whether a service answers so.
func InXML(service string) bool { return namespaces[service] != "" }

// Write sends the answer of an operation as its service does; one of nil is of an operation without a result. Whoever asked may have gone,
// which is no matter of the service.
func Write(response http.ResponseWriter, service, name string, answer []Element, refused *Failure) {
	status, space, root := http.StatusOK, namespaces[service], Element{}
	switch request := RequestID(); {
	case refused != nil && service == "ec2":
		status, space = refused.Status, ""
		root = El("Response", El("Errors", El("Error", El("Code", refused.Code), El("Message", refused.Message))), El("RequestID", request))
	case refused != nil:
		kind := "Sender"
		if refused.Status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		status = refused.Status
		root = El("ErrorResponse", El("Error", El("Type", kind), El("Code", refused.Code), El("Message", refused.Message)), El("RequestId", request))
	case service == "ec2":
		root = El(name+"Response", El("requestId", request), answer)
	case service == "route53":
		root = El(name+"Response", answer)
	case answer == nil:
		root = El(name+"Response", El("ResponseMetadata", El("RequestId", request)))
	default:
		root = El(name+"Response", El(name+"Result", answer), El("ResponseMetadata", El("RequestId", request)))
	}
	attributes := ""
	if space != "" {
		attributes = ` xmlns="` + space + `"`
	}
	out := &strings.Builder{}
	if service == "ec2" || service == "route53" {
		out.WriteString(xml.Header)
	}
	root.write(out, attributes)
	response.Header().Set("Content-Type", "text/xml")
	response.WriteHeader(status)
	_, _ = response.Write([]byte(out.String()))
}

// RequestID is a request's, of the shape that AWS gives.
func RequestID() string {
	bytes := make([]byte, 16)
	_, _ = rand.Read(bytes) // It never fails; it would end the program.
	digits := hex.EncodeToString(bytes)
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
