package aws

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stateBucket is the bucket of a state, as Pulumi's engine uses it: each request is decided by the policies of whoever asks.
type stateBucket struct {
	t       *testing.T
	lock    sync.Mutex
	objects map[string][]byte
	// role is nil for an administrator.
	role *Role
	// asked are the actions of the requests, with what was made of them.
	asked map[string]Decision
}

const stateARN = "arn:aws:s3:::example-berth-state"

// as takes on a role of docs/iam, with the documents of the state that README.md gives it.
func (b *stateBucket) as(name string, documents ...string) {
	b.t.Helper()
	b.lock.Lock()
	defer b.lock.Unlock()
	b.role, b.asked = &Role{Name: name}, map[string]Decision{}
	for _, document := range documents {
		text, err := os.ReadFile(filepath.Join("../../docs/iam", document))
		require.NoError(b.t, err)
		b.role.Policies = append(b.role.Policies, string(text))
	}
}

// may decides on an action, and keeps the decision.
func (b *stateBucket) may(action, resource string) bool {
	if b.role == nil {
		return true
	}
	decision, err := b.role.decide(Request{action, resource, nil})
	require.NoError(b.t, err)
	b.asked[action+" "+strings.TrimPrefix(resource, stateARN)] = decision
	return decision == Allowed
}

func (b *stateBucket) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	b.lock.Lock()
	defer b.lock.Unlock()
	key, whole := strings.TrimPrefix(strings.TrimPrefix(request.URL.Path, "/example-berth-state"), "/"), false
	action := map[string]string{http.MethodGet: "s3:GetObject", http.MethodHead: "s3:GetObject", http.MethodPut: "s3:PutObject", http.MethodDelete: "s3:DeleteObject"}[request.Method]
	resource := stateARN + "/" + key
	if key == "" {
		action, resource, whole = "s3:ListBucket", stateARN, true
	}
	source, err := url.PathUnescape(request.Header.Get("X-Amz-Copy-Source"))
	require.NoError(b.t, err)
	source = strings.TrimPrefix(strings.TrimPrefix(source, "/"), "example-berth-state/")
	fail := func(status int, code string) {
		response.WriteHeader(status)
		fmt.Fprintf(response, "<Error><Code>%s</Code></Error>", code)
	}
	object, there := b.objects[key]
	switch {
	case !b.may(action, resource) || source != "" && !b.may("s3:GetObject", stateARN+"/"+source):
		fail(http.StatusForbidden, "AccessDenied")
	case whole:
		b.list(response, request.URL.Query().Get("prefix"), request.URL.Query().Get("delimiter"))
	case source != "":
		b.objects[key] = b.objects[source]
		fmt.Fprint(response, `<CopyObjectResult><ETag>"x"</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></CopyObjectResult>`)
	case request.Method == http.MethodPut:
		b.objects[key] = bodyOf(b.t, request)
	case request.Method == http.MethodDelete:
		delete(b.objects, key)
		response.WriteHeader(http.StatusNoContent)
	case !there:
		fail(http.StatusNotFound, "NoSuchKey")
	default:
		response.Header().Set("Content-Length", strconv.Itoa(len(object)))
		response.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
		_, _ = response.Write(object)
	}
}

// list answers ListObjectsV2.
func (b *stateBucket) list(response io.Writer, prefix, delimiter string) {
	var text strings.Builder
	groups := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		rest, within := strings.CutPrefix(key, prefix)
		if before, _, deeper := strings.Cut(rest, delimiter); within && delimiter != "" && deeper {
			groups[prefix+before+delimiter] = true
		} else if within {
			fmt.Fprintf(&text, "<Contents><Key>%s</Key><Size>%d</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>", key, len(b.objects[key]))
		}
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&text, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", group)
	}
	fmt.Fprint(response, xml.Header+"<ListBucketResult><IsTruncated>false</IsTruncated>"+text.String()+"</ListBucketResult>")
}

// bodyOf reads a body, which may come in chunks with a sum behind them.
func bodyOf(t *testing.T, request *http.Request) []byte {
	t.Helper()
	body, err := io.ReadAll(request.Body)
	require.NoError(t, err)
	if !strings.Contains(request.Header.Get("Content-Encoding"), "aws-chunked") {
		return body
	}
	var whole []byte
	reader := bufio.NewReader(strings.NewReader(string(body)))
	for {
		line, err := reader.ReadString('\n')
		require.NoError(t, err)
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		length, err := strconv.ParseInt(size, 16, 64)
		require.NoError(t, err)
		if length == 0 {
			return whole
		}
		chunk := make([]byte, length+2)
		_, err = io.ReadFull(reader, chunk)
		require.NoError(t, err)
		whole = append(whole, chunk[:length]...)
	}
}

// TestPreviewsReadTheStateAndWriteNone: the real engine, with a state in a bucket and the policies of docs/iam. A preview writes
// nothing, not even a lock; an update needs no other stack's keys; and whoever may only preview changes nothing.
func TestPreviewsReadTheStateAndWriteNone(t *testing.T) {
	command := pulumiCommand(t)
	bucket := &stateBucket{t: t, objects: map[string][]byte{}}
	store := httptest.NewServer(bucket)
	t.Cleanup(store.Close)
	said := "first"
	program := func(ctx *pulumi.Context) error {
		ctx.Export("said", pulumi.String(said))
		return nil
	}
	stack, err := auto.UpsertStackInlineSource(t.Context(), "production", "berth", program, auto.Pulumi(command), auto.PulumiHome(t.TempDir()), auto.WorkDir(t.TempDir()),
		auto.SecretsProvider("passphrase"), auto.EnvVars(map[string]string{
			"PULUMI_BACKEND_URL":       "s3://example-berth-state?region=eu-central-1&use_path_style=true&disable_https=true&endpoint=" + url.QueryEscape(store.URL),
			"PULUMI_CONFIG_PASSPHRASE": "x", "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
			"AWS_ACCESS_KEY_ID": "AKIAREHEARSAL2345677", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true",
		}))
	require.NoError(t, err)
	bucket.objects[".pulumi/stacks/berth/other.json"] = []byte("{}")

	bucket.as("deployer", "state-read.json", "state-write.json")
	_, err = stack.Up(t.Context())
	require.NoError(t, err, "%v", bucket.asked)
	said = "second"
	bucket.as("previewer", "state-read.json")
	before := maps.Clone(bucket.objects)
	preview, err := stack.Preview(t.Context())
	require.NoError(t, err, "%v", bucket.asked)
	assert.Contains(t, preview.StdOut, `"second"`)
	assert.NotEmpty(t, bucket.asked)
	for request, decision := range bucket.asked {
		assert.Equal(t, Allowed, decision, request)
		assert.Regexp(t, `^s3:(GetObject|ListBucket)`, request, "a preview writes nothing")
	}
	_, err = stack.Up(t.Context())
	require.Error(t, err)
	assert.Contains(t, slices.Collect(maps.Values(bucket.asked)), ImplicitDeny)
	assert.Equal(t, before, bucket.objects, "nothing was planted")

	bucket.as("deployer", "state-read.json", "state-write.json")
	_, err = stack.Up(t.Context())
	require.NoError(t, err, "%v", bucket.asked)
	for request, decision := range bucket.asked {
		assert.Equal(t, Allowed, decision, request)
	}
	for _, elsewhere := range []string{".pulumi/stacks/berth/other.json", ".pulumi/meta.yaml", ".pulumi/stacks/berth/production.x.json", ".pulumi/locks/organization/berth/other/x.json", "x"} {
		assert.False(t, bucket.may("s3:PutObject", stateARN+"/"+elsewhere), elsewhere)
		assert.False(t, bucket.may("s3:DeleteObject", stateARN+"/"+elsewhere), elsewhere)
	}
}
