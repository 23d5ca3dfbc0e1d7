// Package s3 stands in for the part of S3 that a server sees: it takes objects for the account's buckets, and gives none
// back. What an object replaces, a bucket with versions keeps.
package s3

import (
	"crypto/md5" //nolint:gosec // S3's own.
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"berth/rehearsal/aws"
)

// Service takes the objects of one account. It implements http.Handler.
type Service struct {
	// Most is how many bytes one request may bring, and LeastPart how many a part but the last has to have.
	Most, LeastPart int64
	// account is the folder of the account, dir that of the objects: BUCKET/KEY.
	account, dir string
}

// New makes the service of the account that is kept in account, with the objects in dir and S3's own limits. Source: S3 User
// Guide, "Amazon S3 multipart upload limits".
func New(account, dir string) *Service {
	return &Service{Most: 5 << 30, LeastPart: 5 << 20, account: account, dir: dir}
}

// signed is what Signature Version 4 puts into a request for S3 of a role's temporary credentials.
var signed = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=ASIA[A-Z2-7]{16}/\d{8}/[a-z0-9-]+/s3/aws4_request, ?SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}$`)

// problem is an error of S3's.
type problem struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
	status  int
}

func refuse(status int, code, message string) *problem {
	return &problem{status: status, Code: code, Message: message}
}

func broken(err error) *problem {
	return refuse(http.StatusInternalServerError, "InternalError", err.Error())
}

// ServeHTTP answers what puts an object into a bucket that the host's name begins with, whole or in parts.
func (s *Service) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	bucket, key, refused := s.admit(request)
	var answer any
	if refused == nil {
		query := request.URL.Query()
		switch upload := query.Get("uploadId"); {
		case request.Method == http.MethodPut && upload == "":
			refused = s.put(response, request, filepath.Join(s.dir, bucket, filepath.FromSlash(key)))
		case request.Method == http.MethodPut:
			refused = s.putPart(response, request, upload, query.Get("partNumber"))
		case query.Has("uploads"):
			answer, refused = s.begin(bucket, key)
		default:
			answer, refused = s.complete(request, bucket, key, upload)
		}
	}
	if refused != nil {
		answer = refused
		response.WriteHeader(refused.status)
	}
	if answer != nil {
		if text, err := xml.Marshal(answer); err == nil {
			_, _ = response.Write(text)
		}
	}
}

// admit says which object a request is for, or why it may not be.
func (s *Service) admit(request *http.Request) (bucket, key string, refused *problem) {
	name := request.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	bucket, _, virtual := strings.Cut(name, ".s3.")
	key = strings.TrimPrefix(path.Clean(request.URL.Path), "/")
	switch account, err := aws.Read(s.account); {
	case err != nil:
		return "", "", broken(err)
	case !virtual || !holds(account, bucket):
		return "", "", refuse(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case !signed.MatchString(request.Header.Get("Authorization")) || request.Header.Get("X-Amz-Security-Token") == "" || request.Header.Get("X-Amz-Content-Sha256") == "":
		return "", "", refuse(http.StatusForbidden, "AccessDenied", "Access Denied")
	case !putting(request) || !account.SomeRoleMay(aws.Request{Action: "s3:PutObject", Resource: "arn:aws:s3:::" + bucket + "/" + key}):
		return "", "", refuse(http.StatusForbidden, "AccessDenied", "The role's policies allow neither this action nor this key.")
	}
	return bucket, key, nil
}

// putting says whether s3:PutObject is what a request needs: an object, and an upload in parts but for its end without an
// object, which needs s3:AbortMultipartUpload. Source: Service Authorization Reference, "Amazon S3".
func putting(request *http.Request) bool {
	query := request.URL.Query()
	for name := range query {
		// Retention, tags, lists of who may: each is an action of its own.
		if !slices.Contains([]string{"uploads", "uploadId", "partNumber"}, name) {
			return false
		}
	}
	return request.Method == http.MethodPut || request.Method == http.MethodPost && (query.Has("uploads") || query.Get("uploadId") != "")
}

// put writes a request's body to a file, and answers with its sum.
func (s *Service) put(response http.ResponseWriter, request *http.Request, file string) *problem {
	switch {
	case request.ContentLength < 0:
		return refuse(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	case request.ContentLength > s.Most:
		return refuse(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return broken(err)
	}
	object, err := os.CreateTemp(filepath.Dir(file), ".put-")
	if err != nil {
		return broken(err)
	}
	defer func() { _ = os.Remove(object.Name()) }()
	sum := md5.New() //nolint:gosec // S3's own check of what arrived.
	_, err = io.Copy(io.MultiWriter(object, sum), request.Body)
	if err := errors.Join(err, object.Close()); err != nil {
		return broken(err)
	}
	if want := request.Header.Get("Content-Md5"); want != "" && want != base64.StdEncoding.EncodeToString(sum.Sum(nil)) {
		return refuse(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	if err := s.keep(file); err != nil {
		return broken(err)
	}
	if err := os.Rename(object.Name(), file); err != nil {
		return broken(err)
	}
	response.Header().Set("ETag", fmt.Sprintf("%q", hex.EncodeToString(sum.Sum(nil))))
	return nil
}

// versions is the folder of what objects were, beside the buckets: BUCKET/KEY/NUMBER.
const versions = ".versions"

// keep makes an earlier version of an object that is about to be replaced, where the bucket has versions.
func (s *Service) keep(file string) error {
	object, err := filepath.Rel(s.dir, file)
	if err != nil || strings.HasPrefix(object, ".") {
		return err
	}
	bucket, _, _ := strings.Cut(object, string(filepath.Separator))
	account, err := aws.Read(s.account)
	if err != nil || !account.Versioned(bucket) {
		return err
	}
	folder := filepath.Join(s.dir, versions, object)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	before, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if err := os.Rename(file, filepath.Join(folder, strconv.Itoa(len(before)+1))); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func holds(account *aws.Account, bucket string) bool {
	for _, resource := range account.OfType(aws.BucketType) {
		if name, _ := resource.Outputs["bucket"].(string); name == bucket {
			return true
		}
	}
	return false
}
