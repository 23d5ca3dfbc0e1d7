package awsapi

import (
	"encoding/json"
	"net/http"

	"berth/rehearsal/query"
)

// write sends an answer as its service does: elements in XML, everything else in JSON.
func write(response http.ResponseWriter, service, name string, answer any, refused *query.Failure) {
	if query.InXML(service) {
		elements, _ := answer.([]query.Element) // A refusal has none.
		query.Write(response, service, name, elements, refused)
		return
	}
	status := http.StatusOK
	if refused != nil {
		status, answer = refused.Status, map[string]string{"__type": refused.Code, "message": refused.Message}
	}
	response.Header().Set("Content-Type", "application/x-amz-json-1.1")
	response.Header().Set("X-Amzn-RequestId", query.RequestID())
	response.WriteHeader(status)
	_ = json.NewEncoder(response).Encode(answer)
}
