package imds

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Header names of the protocol. Source: EC2 User Guide, "Use IMDSv2".
const (
	tokenHeader = "X-aws-ec2-metadata-token"
	ttlHeader   = "X-aws-ec2-metadata-token-ttl-seconds"
)

// versions are those that the service lists at its root, oldest first. They differ in what they know; here all of
// them know everything, which a client that asks for a newer one expects and an older one does not notice.
var versions = []string{
	"1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
	"2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19",
	"2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03",
	"2021-03-23", "2021-07-15", "2022-09-24", "2024-04-11", "latest",
}

// Service answers for the instance that a file describes. It implements http.Handler.
type Service struct {
	file        string
	tokens      *tokens
	credentials *credentials
}

// New makes the service for a description that Write keeps. The file is read for each request, so a change is
// seen by the next one.
func New(file string) *Service { return newService(file, time.Now) }

func newService(file string, now func() time.Time) *Service {
	return &Service{
		file:        file,
		tokens:      &tokens{now: now, ends: map[string]time.Time{}},
		credentials: &credentials{now: now},
	}
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "EC2ws")
	if r.URL.Path == "/latest/api/token" {
		s.serveToken(w, r)
		return
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuse(w, http.StatusMethodNotAllowed)
	case !s.tokens.valid(r.Header.Get(tokenHeader)):
		refuse(w, http.StatusUnauthorized)
	default:
		s.serveMetadata(w, r.URL.Path)
	}
}

// serveToken gives out a session token. A request that came through a proxy is refused: that is what keeps an open
// proxy on the host from handing out the instance's credentials.
func (s *Service) serveToken(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.Header.Get(ttlHeader))
	_, forwarded := r.Header["X-Forwarded-For"]
	switch {
	case r.Method != http.MethodPut:
		w.Header().Set("Allow", "OPTIONS, PUT")
		refuse(w, http.StatusMethodNotAllowed)
	case forwarded:
		refuse(w, http.StatusForbidden)
	case err != nil || seconds < 1 || seconds > maxTokenSeconds:
		refuse(w, http.StatusBadRequest)
	default:
		w.Header().Set(ttlHeader, strconv.Itoa(seconds))
		answer(w, s.tokens.issue(seconds))
	}
}

func (s *Service) serveMetadata(w http.ResponseWriter, path string) {
	version, rest, _ := strings.Cut(strings.Trim(path, "/"), "/")
	if version == "" {
		answer(w, strings.Join(versions, "\n"))
		return
	}
	if !slices.Contains(versions, version) {
		refuse(w, http.StatusNotFound)
		return
	}
	instance, err := Read(s.file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	t := newTree(instance, s.credentials)
	if value, ok := t[rest]; ok {
		answer(w, value)
		return
	}
	if listing, ok := t.list(rest, instance.PublicKeys); ok {
		answer(w, listing)
		return
	}
	refuse(w, http.StatusNotFound)
}

// answer writes a found value. A reader that went away is no concern of the service's.
func answer(w http.ResponseWriter, value string) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, value)
}

func refuse(w http.ResponseWriter, status int) {
	http.Error(w, strconv.Itoa(status)+" - "+http.StatusText(status), status)
}
