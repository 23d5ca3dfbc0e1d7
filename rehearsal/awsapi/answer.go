package awsapi

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

// failure is what AWS answers to a request that it refuses.
type failure struct {
	status        int
	code, message string
}

func internal(err error) *failure {
	return &failure{http.StatusInternalServerError, "InternalFailure", err.Error()}
}

// element is one of an answer in XML.
type element struct {
	name     string
	text     string
	children []element
}

// el makes an element of texts, numbers and truths, or of other elements.
func el(name string, content ...any) element {
	made := element{name: name}
	for _, item := range content {
		switch item := item.(type) {
		case element:
			made.children = append(made.children, item)
		case []element:
			made.children = append(made.children, item...)
		default:
			made.text += fmt.Sprint(item)
		}
	}
	return made
}

func (e element) write(out *strings.Builder, attributes string) {
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
}

// write sends an answer as its service does: elements in XML, everything else in JSON. Whoever asked may have gone, which
// is no matter of the service.
func write(response http.ResponseWriter, service, name string, answer any, refused *failure) {
	request := requestID()
	response.Header().Set("X-Amzn-RequestId", request)
	space, inXML := namespaces[service]
	if !inXML {
		writeJSON(response, answer, refused)
		return
	}
	var root element
	status := http.StatusOK
	switch {
	case refused != nil && service == "ec2":
		status, space = refused.status, ""
		root = el("Response", el("Errors", el("Error", el("Code", refused.code), el("Message", refused.message))), el("RequestID", request))
	case refused != nil:
		status = refused.status
		root = el("ErrorResponse", el("Error", el("Type", "Sender"), el("Code", refused.code), el("Message", refused.message)), el("RequestId", request))
	case service == "ec2":
		root = el(name+"Response", el("requestId", request), answer.([]element))
	case service == "route53":
		root = el(name+"Response", answer.([]element))
	default:
		root = el(name+"Response", el(name+"Result", answer.([]element)), el("ResponseMetadata", el("RequestId", request)))
	}
	attributes := ""
	if space != "" {
		attributes = ` xmlns="` + space + `"`
	}
	out := &strings.Builder{}
	out.WriteString(xml.Header)
	root.write(out, attributes)
	response.Header().Set("Content-Type", "text/xml")
	response.WriteHeader(status)
	_, _ = response.Write([]byte(out.String()))
}

func writeJSON(response http.ResponseWriter, answer any, refused *failure) {
	status := http.StatusOK
	if refused != nil {
		status, answer = refused.status, map[string]string{"__type": refused.code, "message": refused.message}
	}
	response.Header().Set("Content-Type", "application/x-amz-json-1.1")
	response.WriteHeader(status)
	_ = json.NewEncoder(response).Encode(answer)
}

func requestID() string {
	bytes := make([]byte, 16)
	_, _ = rand.Read(bytes) // It never fails; it would end the program.
	digits := hex.EncodeToString(bytes)
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
