package s3

import (
	"crypto/md5" //nolint:gosec // S3's own.
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// mostParts is how many an upload may have. Source: S3 User Guide, "Amazon S3 multipart upload limits".
const mostParts = 10000

// uploadID is an upload's; it names the folder of its parts.
var uploadID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// parts is the folder of an upload's parts, beside the buckets: no bucket's name has a dot first.
func (s *Service) parts(upload string) string { return filepath.Join(s.dir, ".uploads", upload) }

// begin begins an upload.
func (s *Service) begin(bucket, key string) (any, *problem) {
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	upload := hex.EncodeToString(id)
	if err := os.MkdirAll(s.parts(upload), 0o700); err != nil {
		return nil, broken(err)
	}
	if err := os.WriteFile(filepath.Join(s.parts(upload), "of"), []byte(bucket+"/"+key), 0o600); err != nil {
		return nil, broken(err)
	}
	return struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string   //nolint:revive // S3's own name.
	}{Bucket: bucket, Key: key, UploadId: upload}, nil
}

func noUpload() *problem {
	return refuse(http.StatusNotFound, "NoSuchUpload", "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might have been aborted or completed.")
}

// putPart keeps a part; the same number again replaces it.
func (s *Service) putPart(response http.ResponseWriter, request *http.Request, upload, number string) *problem {
	n, err := strconv.Atoi(number)
	switch {
	case err != nil || n < 1 || n > mostParts:
		return refuse(http.StatusBadRequest, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	case !s.open(upload):
		return noUpload()
	}
	refused := s.put(response, request, filepath.Join(s.parts(upload), number))
	if refused == nil {
		if err := os.WriteFile(filepath.Join(s.parts(upload), number+".etag"), []byte(response.Header().Get("ETag")), 0o600); err != nil {
			return broken(err)
		}
	}
	return refused
}

func (s *Service) open(upload string) bool {
	if !uploadID.MatchString(upload) {
		return false
	}
	_, err := os.Stat(s.parts(upload))
	return err == nil
}

// complete makes one object of the parts that a request lists.
func (s *Service) complete(request *http.Request, bucket, key, upload string) (any, *problem) {
	var listed struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if of, err := os.ReadFile(filepath.Join(s.parts(upload), "of")); !s.open(upload) || err != nil || string(of) != bucket+"/"+key {
		return nil, noUpload()
	}
	if err := xml.NewDecoder(io.LimitReader(request.Body, 4<<20)).Decode(&listed); err != nil || len(listed.Part) == 0 {
		return nil, refuse(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	var files []string
	for i, part := range listed.Part {
		file := filepath.Join(s.parts(upload), strconv.Itoa(part.PartNumber))
		tag, err := os.ReadFile(file + ".etag")
		info, missing := os.Stat(file)
		switch {
		case i > 0 && part.PartNumber <= listed.Part[i-1].PartNumber:
			return nil, refuse(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order.")
		case err != nil || missing != nil || strings.Trim(part.ETag, `"`) != strings.Trim(string(tag), `"`):
			return nil, refuse(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.")
		case i < len(listed.Part)-1 && info.Size() < s.LeastPart:
			return nil, refuse(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		files = append(files, file)
	}
	if err := s.keep(filepath.Join(s.dir, bucket, filepath.FromSlash(key))); err != nil {
		return nil, broken(err)
	}
	tag, err := join(filepath.Join(s.dir, bucket, filepath.FromSlash(key)), files)
	if err != nil {
		return nil, broken(err)
	}
	if err := os.RemoveAll(s.parts(upload)); err != nil {
		return nil, broken(err)
	}
	return struct {
		XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket, Key, ETag string
	}{Bucket: bucket, Key: key, ETag: tag}, nil
}

// join writes files into one, and gives its ETag: the sum of their sums, and how many they are.
func join(target string, files []string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return "", err
	}
	object, err := os.OpenFile(target, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	all := md5.New() //nolint:gosec // S3's own.
	for _, file := range files {
		sum := md5.New() //nolint:gosec // S3's own.
		part, err := os.Open(file)
		if err == nil {
			_, err = io.Copy(io.MultiWriter(object, sum), part)
			err = errors.Join(err, part.Close())
		}
		if err != nil {
			return "", errors.Join(err, object.Close())
		}
		all.Write(sum.Sum(nil))
	}
	return fmt.Sprintf(`"%x-%d"`, all.Sum(nil), len(files)), object.Close()
}
