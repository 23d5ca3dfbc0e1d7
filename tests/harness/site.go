package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Domain is the rehearsal's site.
const Domain = "app.example.test"

// Site is a visitor that trusts nothing but the rehearsal's authority.
type Site struct {
	t       *testing.T
	address string
	Client  *http.Client
}

// NewSite is the site at an address, whose authority's certificate is roots, as PEM.
func NewSite(t *testing.T, address, roots string) *Site {
	t.Helper()
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(roots)))
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &Site{t: t, address: address, Client: &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool},
			ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, network, target string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(target)
				if err != nil {
					return nil, err
				}
				return dialer.DialContext(ctx, network, net.JoinHostPort(address, port))
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do asks once and follows no redirection.
func (s *Site) Do(method, url, body string) *http.Response {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	require.NoError(s.t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := s.Client.Do(request)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// T is the test that the site is used in.
func (s *Site) T() *testing.T { return s.t }

// Page is what a page answers with 200 OK.
func (s *Site) Page(url string) string {
	s.t.Helper()
	response := s.Do(http.MethodGet, url, "")
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.Equalf(s.t, http.StatusOK, response.StatusCode, "%s", text)
	return string(text)
}

// Notes are the texts of the app's notes, as the API gives them.
func (s *Site) Notes() []string {
	s.t.Helper()
	response := s.Do(http.MethodGet, "https://"+Domain+"/api/notes", "")
	require.Equal(s.t, http.StatusOK, response.StatusCode)
	var notes []struct{ Text string }
	require.NoError(s.t, json.NewDecoder(response.Body).Decode(&notes))
	var texts []string
	for _, note := range notes {
		texts = append(texts, note.Text)
	}
	return texts
}

// Write adds a note.
func (s *Site) Write(text string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]string{"text": text})
	require.NoError(s.t, err)
	response := s.Do(http.MethodPost, "https://"+Domain+"/api/notes", string(body))
	answer, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.Equalf(s.t, http.StatusCreated, response.StatusCode, "%s", answer)
}

// Closed says that nothing answers on a port: the connection is dropped, not refused.
func (s *Site) Closed(port string) {
	s.t.Helper()
	connection, err := net.DialTimeout("tcp", net.JoinHostPort(s.address, port), time.Second)
	if err == nil {
		_ = connection.Close()
	}
	require.Errorf(s.t, err, "port %s answers", port)
	var timeout net.Error
	require.ErrorAs(s.t, err, &timeout)
	require.Truef(s.t, timeout.Timeout(), "port %s refuses, so something lets the packets through: %v", port, err)
}

// Rows are the ids of the rows that the load app holds.
func (s *Site) Rows() map[int]bool {
	s.t.Helper()
	var ids []int
	require.NoError(s.t, json.Unmarshal([]byte(s.Page("https://"+Domain+"/ids")), &ids))
	rows := map[int]bool{}
	for _, id := range ids {
		rows[id] = true
	}
	return rows
}

// Count is the number of rows that the load app holds.
func (s *Site) Count() int {
	s.t.Helper()
	response := s.Do(http.MethodGet, "https://"+Domain+"/count", "")
	require.Equal(s.t, http.StatusOK, response.StatusCode)
	var answer struct{ Count int }
	require.NoError(s.t, json.NewDecoder(response.Body).Decode(&answer))
	return answer.Count
}
