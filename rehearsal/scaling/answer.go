package scaling

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// failure is what AWS answers to a request that it refuses.
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func invalid(code, format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// element is one of an answer.
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

// each makes a list of texts, one per element of the name.
func each(list, name string, texts []string) element {
	made := el(list)
	for _, text := range texts {
		made.children = append(made.children, el(name, text))
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

var namespaces = map[string]string{
	"autoscaling": "http://autoscaling.amazonaws.com/doc/2011-01-01/", "elasticloadbalancing": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
	"ec2": "http://ec2.amazonaws.com/doc/2016-11-15/",
}

// write sends an answer as its service does. Whoever asked may have gone, which is no matter of the service.
func write(response http.ResponseWriter, service, name string, answer []element, refused *failure) {
	request, status, space := requestID(), http.StatusOK, namespaces[service]
	var root element
	switch {
	case refused != nil && service == "ec2":
		status, space = refused.status, ""
		root = el("Response", el("Errors", el("Error", el("Code", refused.code), el("Message", refused.message))), el("RequestID", request))
	case refused != nil:
		kind := "Sender"
		if refused.status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		status = refused.status
		root = el("ErrorResponse", el("Error", el("Type", kind), el("Code", refused.code), el("Message", refused.message)), el("RequestId", request))
	case service == "ec2":
		root = el(name+"Response", el("requestId", request), answer)
	case service == "autoscaling" && name == "SetInstanceHealth":
		// It has no result.
		root = el(name+"Response", el("ResponseMetadata", el("RequestId", request)))
	default:
		root = el(name+"Response", el(name+"Result", answer), el("ResponseMetadata", el("RequestId", request)))
	}
	attributes := ""
	if space != "" {
		attributes = ` xmlns="` + space + `"`
	}
	out := &strings.Builder{}
	if service == "ec2" {
		out.WriteString(xml.Header)
	}
	root.write(out, attributes)
	response.Header().Set("Content-Type", "text/xml")
	response.WriteHeader(status)
	_, _ = response.Write([]byte(out.String()))
}

func requestID() string {
	bytes := make([]byte, 16)
	_, _ = rand.Read(bytes) // It never fails; it would end the program.
	digits := hex.EncodeToString(bytes)
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

// stamp is a time as AWS writes it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
