package s3

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

// books writes an account with a bucket that keeps versions, and a server's role within a boundary that ends with within.
func books(folder, within string) error {
	policy := func(resource string) map[string]any {
		return map[string]any{"policy": `{"Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::dumps-1/` + resource + `"}]}`}
	}
	role := &aws.Resource{Type: "aws:iam/role:Role", ID: "host", Outputs: map[string]any{"permissionsBoundary": "boundary"}}
	permission := &aws.Resource{Type: "aws:iam/rolePolicy:RolePolicy", ID: "p", Outputs: policy("dumps/*")}
	permission.Outputs["role"] = "host"
	boundary := &aws.Resource{Type: "aws:iam/policy:Policy", ID: "boundary", Outputs: policy(within)}
	boundary.Outputs["arn"] = "boundary"
	account := aws.Account{Number: "123456789012", Resources: map[string]*aws.Resource{
		"b": {Type: aws.BucketType, ID: "dumps-1", Outputs: map[string]any{"bucket": "dumps-1"}},
		"v": {Type: "aws:s3/bucketVersioningV2:BucketVersioningV2", ID: "dumps-1", Outputs: map[string]any{"bucket": "dumps-1", "versioningConfiguration": map[string]any{"status": "Enabled"}}},
	}}
	for _, one := range []*aws.Resource{role, permission, boundary} {
		account.Resources[one.Type+"::"+one.ID] = one
	}
	text, err := json.Marshal(account)
	return errors.Join(err, os.WriteFile(filepath.Join(folder, "aws.json"), text, 0o600))
}

func TestTheServerMayAddDumpsAndNothingElse(t *testing.T) {
	account, dir := t.TempDir(), t.TempDir()
	require.NoError(t, books(account, "*"))
	service, body := New(account, dir), "a dump"
	ask := func(method, host, path string, headers map[string]string) int {
		request := httptest.NewRequestWithContext(t.Context(), method, "https://"+host+path, strings.NewReader(body))
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

	// What is written over it takes its place, and not it away.
	body = "not a dump"
	assert.Equal(t, http.StatusOK, ask(http.MethodPut, host, "/dumps/x.postgres", sound))
	body = "nor is this"
	assert.Equal(t, http.StatusOK, ask(http.MethodPut, host, "/dumps/x.postgres", sound))
	for version, was := range []string{"a dump", "not a dump"} {
		content, err = os.ReadFile(filepath.Join(dir, versions, "dumps-1", "dumps", "x.postgres", strconv.Itoa(version+1)))
		require.NoError(t, err)
		assert.Equal(t, was, string(content))
	}
	for _, query := range []string{"?versionId=1", "?versioning=", "?lifecycle=", "?object-lock=", "?policy="} {
		assert.Equal(t, http.StatusForbidden, ask(http.MethodDelete, host, "/dumps/x.postgres"+query, sound), query)
		assert.Equal(t, http.StatusForbidden, ask(http.MethodPut, host, "/dumps/x.postgres"+query, sound), query)
	}
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
	require.NoError(t, books(account, "elsewhere/*"))
	assert.Equal(t, http.StatusForbidden, ask(http.MethodPut, host, "/dumps/y", sound), "beyond the role's boundary")
	assert.Equal(t, http.StatusNotFound, ask(http.MethodPut, "other.s3.eu-central-1.amazonaws.com", "/dumps/y", sound))
}
