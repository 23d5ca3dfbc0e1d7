package tests

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// manyNames gives the site a second host, a name that redirects and a route without its prefix, and takes all of it away again.
func manyNames(t *testing.T, s scene) {
	r, site, address := s.r, s.site, s.address
	api, www := "api."+harness.Domain, "www."+harness.Domain
	given := [][2]string{
		{"routes[2].host", api}, {"routes[2].path", "/"}, {"routes[2].service", "api"}, {"routes[2].port", "8000"},
		{"routes[3].path", "/stripped/"}, {"routes[3].service", "web"}, {"routes[3].port", "80"}, {"routes[3].stripPrefix", "true"},
		{`redirects["` + www + `"]`, harness.Domain},
	}
	up := []string{"up"}
	for _, setting := range given {
		up = append(up, "--set", setting[0]+"="+setting[1])
	}
	output := r.Run(up...)
	assert.Subset(t, harness.Changed(output), []string{"edge", "release", "certificate"})
	site.Client.CloseIdleConnections()
	certificate := served(address, api)
	require.NotNil(t, certificate)
	assert.ElementsMatch(t, []string{harness.Domain, www, api}, certificate.DNSNames)

	assert.Contains(t, site.Page("https://"+api+"/api/notes"), kept, "a second host")
	assert.Equal(t, http.StatusNotFound, site.Do(http.MethodGet, "https://"+api+"/style.css", "").StatusCode, "and only with its own routes")
	assert.Equal(t, site.Page("https://"+harness.Domain+"/style.css"), site.Page("https://"+harness.Domain+"/stripped/style.css"))
	for _, scheme := range []string{"http", "https"} {
		response := site.Do(http.MethodPost, scheme+"://"+www+"/api/notes?a=%2F", `{"text":"redirected"}`)
		assert.Equal(t, http.StatusPermanentRedirect, response.StatusCode)
		assert.Equal(t, "https://"+harness.Domain+"/api/notes?a=%2F", response.Header.Get("Location"))
	}
	// A client that follows it posts there.
	following := *site.Client
	following.CheckRedirect = nil
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+www+"/api/notes", strings.NewReader(`{"text":"posted by way of www"}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := following.Do(request)
	require.NoError(t, err)
	said, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equalf(t, http.StatusCreated, response.StatusCode, "%s", said)
	assert.Contains(t, site.Notes(), "posted by way of www")
	look(t, address, r.File("root.pem"), "https://"+www+"/", kept, "artefacts/redirected.png")
	// The machine that the tests run on may be busy, which is another line.
	assert.Contains(t, r.SSH("sudo /opt/berth/health-check.sh || true"), "every route answer")

	for i := len(given) - 1; i >= 0; i-- {
		unset(r, given[i][0])
	}
	r.Run("up")
	site.Client.CloseIdleConnections()
	assert.True(t, served(address, api) == nil, "the name is no longer the site's")
	assert.Equal(t, http.StatusOK, site.Do(http.MethodGet, "https://"+www+"/", "").StatusCode)
}
