// Package s3 stands in for the part of S3 that a server sees: it takes objects for the account's buckets, and gives none
// back.
package s3

import (
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"berth/rehearsal/aws"
)

// Service takes the objects of one account. It implements http.Handler.
type Service struct {
	// account is the folder of the account, dir that of the objects: BUCKET/KEY.
	account, dir string
}

// New makes the service of the account that is kept in account, with the objects in dir.
func New(account, dir string) *Service { return &Service{account: account, dir: dir} }

// signed is what Signature Version 4 puts into a request for S3 of a role's temporary credentials.
var signed = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=ASIA[A-Z2-7]{16}/\d{8}/[a-z0-9-]+/s3/aws4_request, ?SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}$`)

// ServeHTTP answers PUT of an object in a bucket that the host's name begins with.
func (s *Service) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	status, code, message := s.put(request)
	response.WriteHeader(status)
	if code != "" {
		text, err := xml.Marshal(struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
			Message string
		}{Code: code, Message: message})
		if err == nil {
			_, _ = response.Write(text)
		}
	}
}

func (s *Service) put(request *http.Request) (status int, code, message string) {
	name := request.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	bucket, _, virtual := strings.Cut(name, ".s3.")
	key := strings.TrimPrefix(path.Clean(request.URL.Path), "/")
	switch account, err := aws.Read(s.account); {
	case err != nil:
		return http.StatusInternalServerError, "InternalError", err.Error()
	case !virtual || !holds(account, bucket):
		return http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"
	case !signed.MatchString(request.Header.Get("Authorization")) || request.Header.Get("X-Amz-Security-Token") == "" || request.Header.Get("X-Amz-Content-Sha256") == "":
		return http.StatusForbidden, "AccessDenied", "Access Denied"
	case request.Method != http.MethodPut || !allowed(account, bucket, key):
		return http.StatusForbidden, "AccessDenied", "The role's policies allow neither this action nor this key."
	}
	file := filepath.Join(s.dir, bucket, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return http.StatusInternalServerError, "InternalError", err.Error()
	}
	object, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = io.Copy(object, request.Body)
		if closed := object.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return http.StatusInternalServerError, "InternalError", fmt.Sprint(err)
	}
	return http.StatusOK, "", ""
}

func holds(account *aws.Account, bucket string) bool {
	for _, resource := range account.OfType(aws.BucketType) {
		if name, _ := resource.Outputs["bucket"].(string); name == bucket {
			return true
		}
	}
	return false
}

// allowed says whether a policy of some role allows s3:PutObject on the key.
func allowed(account *aws.Account, bucket, key string) bool {
	for _, resource := range account.OfType("aws:iam/rolePolicy:RolePolicy") {
		policy, _ := resource.Outputs["policy"].(string)
		for _, match := range regexp.MustCompile(`arn:aws:s3:::([^/"]+)/([^"]*)\*`).FindAllStringSubmatch(policy, -1) {
			if strings.Contains(policy, `"s3:PutObject"`) && match[1] == bucket && strings.HasPrefix(key, match[2]) {
				return true
			}
		}
	}
	return false
}
