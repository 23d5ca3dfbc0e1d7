package s3

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// server is a server that puts files into the account's bucket by release/bucket.sh, with requests that are disturbed.
type server struct {
	t             *testing.T
	home, objects string
	service       *Service
	// disturb answers a request in the service's place, and says so.
	disturb  func(http.ResponseWriter, *http.Request) bool
	mutex    sync.Mutex
	requests []string
}

func newServer(t *testing.T) *server {
	s := &server{t: t, home: t.TempDir(), objects: t.TempDir()}
	account := t.TempDir()
	require.NoError(t, books(account, "*"))
	s.service = New(account, s.objects)
	// The script's parts are of 1000 bytes here.
	s.service.Most, s.service.LeastPart = 1000, 1000
	store := httptest.NewTLSServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.requests = append(s.requests, request.Method+" "+request.URL.Query().Get("partNumber"))
		if s.disturb == nil || !s.disturb(response, request) {
			s.service.ServeHTTP(response, request)
		}
	}))
	t.Cleanup(store.Close)
	metadata := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		switch {
		case strings.HasSuffix(request.URL.Path, "/token"):
			fmt.Fprint(response, "token")
		case strings.HasSuffix(request.URL.Path, "/security-credentials/"):
			fmt.Fprint(response, "role")
		default:
			fmt.Fprintf(response, `{"AccessKeyId":"ASIA%s","SecretAccessKey":"secret","Token":"token"}`, strings.Repeat("A", 16))
		}
	}))
	t.Cleanup(metadata.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: store.Certificate().Raw})
	require.NoError(t, os.WriteFile(filepath.Join(s.home, "ca.pem"), certificate, 0o600))
	// The certificate is for example.com.
	require.NoError(t, os.WriteFile(filepath.Join(s.home, ".curlrc"), []byte(fmt.Sprintf("insecure\nconnect-to = \"169.254.169.254:80:%s\"\nconnect-to = \":443:%s\"\n",
		strings.TrimPrefix(metadata.URL, "http://"), strings.TrimPrefix(store.URL, "https://"))), 0o600))
	return s
}

// upload has the script put a file of so many bytes into the bucket.
func (s *server) upload(size int) (content []byte, said string, err error) {
	s.t.Helper()
	content = make([]byte, size)
	_, _ = rand.Read(content)
	file := filepath.Join(s.home, "20261128T000000Z_abc_db.postgres")
	require.NoError(s.t, os.WriteFile(file, content, 0o600))
	scripts, err := filepath.Abs("../../provision/scripts")
	require.NoError(s.t, err)
	bash := exec.CommandContext(s.t.Context(), "bash", "-euo", "pipefail", "-c", `source "$1/lib.sh"; source "$1/aws.sh"; source "$1/release/bucket.sh"
sleep() { :; }
upload "$2" dumps/x.postgres`, "bash", scripts, file)
	bash.Env = append(os.Environ(), "HOME="+s.home, "PART_BYTES=1000", "BUCKET=dumps-1", "REGION=eu-central-1", "http_proxy=", "https_proxy=")
	output, err := bash.CombinedOutput()
	left, _ := filepath.Glob("/var/tmp/berth-upload.*")
	assert.Empty(s.t, left, "nothing is left on the server")
	return content, string(output), err
}

func (s *server) object() []byte {
	content, err := os.ReadFile(filepath.Join(s.objects, "dumps-1", "dumps", "x.postgres"))
	if err != nil {
		return nil
	}
	return content
}

// TestUploadInParts: what is larger than one request takes goes in parts, and is one object in the end.
func TestUploadInParts(t *testing.T) {
	for size, requests := range map[int][]string{
		0:    {"PUT "},
		1000: {"PUT "},
		1001: {"POST ", "PUT 1", "PUT 2", "POST "},
		3000: {"POST ", "PUT 1", "PUT 2", "PUT 3", "POST "},
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := newServer(t)
			content, said, err := s.upload(size)
			require.NoError(t, err, said)
			assert.True(t, bytes.Equal(content, s.object()))
			assert.Equal(t, requests, s.requests)
		})
	}
}

// TestUploadIsTriedAgain, each part on its own; what does not go through in the end fails, and leaves no object.
func TestUploadIsTriedAgain(t *testing.T) {
	refuse := func(code string) func(http.ResponseWriter) {
		return func(response http.ResponseWriter) {
			response.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(response, "<Error><Code>%s</Code></Error>", code)
		}
	}
	cut := func(response http.ResponseWriter) {
		if connection, _, err := response.(http.Hijacker).Hijack(); err == nil {
			_ = connection.Close()
		}
	}
	whole := func(response http.ResponseWriter) {
		fmt.Fprint(response, "<Error><Code>InternalError</Code></Error>")
	}
	for _, test := range []struct {
		name, method, part string
		times              int
		answer             func(http.ResponseWriter)
		fails              string
	}{
		{"a part is refused once", http.MethodPut, "2", 1, refuse("SlowDown"), ""},
		{"a part is cut twice", http.MethodPut, "2", 2, cut, ""},
		{"a part never goes through", http.MethodPut, "2", 99, refuse("SlowDown"), "SlowDown"},
		{"it never begins", http.MethodPost, "", 99, refuse("InternalError"), "InternalError"},
		{"the end answers an error in a success, once", "end", "", 1, whole, ""},
		{"the end answers an error in a success, always", "end", "", 99, whole, "S3 made no object of the parts"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t)
			left := test.times
			s.disturb = func(response http.ResponseWriter, request *http.Request) bool {
				query := request.URL.Query()
				method := request.Method
				if method == http.MethodPost && query.Get("uploadId") != "" {
					method = "end"
				}
				if method != test.method || query.Get("partNumber") != test.part || left == 0 {
					return false
				}
				left--
				test.answer(response)
				return true
			}
			content, said, err := s.upload(2500)
			if test.fails == "" {
				require.NoError(t, err, said)
				assert.True(t, bytes.Equal(content, s.object()))
				return
			}
			require.Error(t, err)
			assert.Contains(t, said, test.fails)
			assert.Empty(t, s.object())
		})
	}
}

// TestWhatArrivesChangedIsRefused: the store compares each part with its sum.
func TestWhatArrivesChangedIsRefused(t *testing.T) {
	s := newServer(t)
	s.disturb = func(_ http.ResponseWriter, request *http.Request) bool {
		if request.URL.Query().Get("partNumber") == "2" {
			request.Body = http.NoBody
		}
		return false
	}
	_, said, err := s.upload(2500)
	require.Error(t, err)
	assert.Contains(t, said, "BadDigest")
	assert.Empty(t, s.object())
}
