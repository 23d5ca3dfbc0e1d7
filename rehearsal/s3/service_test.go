package s3

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

func TestTheServerMayAddDumpsAndNothingElse(t *testing.T) {
	account, dir := t.TempDir(), t.TempDir()
	text, err := json.Marshal(aws.Account{Number: "123456789012", Resources: map[string]*aws.Resource{
		"b": {Type: aws.BucketType, ID: "dumps-1", Outputs: map[string]any{"bucket": "dumps-1"}},
		"p": {Type: "aws:iam/rolePolicy:RolePolicy", ID: "p", Outputs: map[string]any{"policy": `{"Statement":[{"Action":"s3:PutObject","Resource":"arn:aws:s3:::dumps-1/dumps/*"}]}`}},
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(account, "aws.json"), []byte(strings.ReplaceAll(string(text), `"s3:PutObject"`, `"s3:PutObject"`)), 0o600))
	service := New(account, dir)
	ask := func(method, host, path string, headers map[string]string) int {
		request := httptest.NewRequestWithContext(t.Context(), method, "https://"+host+path, strings.NewReader("a dump"))
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		response := httptest.NewRecorder()
		service.ServeHTTP(response, request)
		return response.Code
	}
	sound := map[string]string{
		"Authorization":        "AWS4-HMAC-SHA256 Credential=ASIA" + strings.Repeat("A", 16) + "/20261124/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64),
		"X-Amz-Security-Token": "x", "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
	}
	const host = "dumps-1.s3.eu-central-1.amazonaws.com"
	assert.Equal(t, http.StatusOK, ask(http.MethodPut, host, "/dumps/x.postgres", sound))
	content, err := os.ReadFile(filepath.Join(dir, "dumps-1", "dumps", "x.postgres"))
	require.NoError(t, err)
	assert.Equal(t, "a dump", string(content))
	assert.Equal(t, http.StatusForbidden, ask(http.MethodGet, host, "/dumps/x.postgres", sound))
	for _, refused := range []struct{ method, path string }{
		{http.MethodPut, "/elsewhere"}, {http.MethodPost, "/elsewhere?uploads="}, {http.MethodDelete, "/dumps/x.postgres"},
		{http.MethodDelete, "/dumps/x.postgres?uploadId=x"}, {http.MethodGet, "/dumps/x.postgres?uploadId=x"}, {http.MethodPost, "/dumps/x.postgres"},
	} {
		assert.Equal(t, http.StatusForbidden, ask(refused.method, host, refused.path, sound), refused)
	}
	assert.Equal(t, http.StatusNotFound, ask(http.MethodPut, host, "/dumps/x?partNumber=1&uploadId=..", sound))
	service.Most = 5
	assert.Equal(t, http.StatusBadRequest, ask(http.MethodPut, host, "/dumps/x.postgres", sound), "more than one request takes")
	assert.Equal(t, http.StatusForbidden, ask(http.MethodPut, host, "/dumps/../elsewhere", sound))
	assert.Equal(t, http.StatusForbidden, ask(http.MethodPut, host, "/dumps/y", nil))
	assert.Equal(t, http.StatusNotFound, ask(http.MethodPut, "other.s3.eu-central-1.amazonaws.com", "/dumps/y", sound))
}
