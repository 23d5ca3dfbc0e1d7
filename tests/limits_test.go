package tests

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// ownLimits has the site and a route take bodies of their own sizes, and the 413 name them.
func ownLimits(t *testing.T, s scene) {
	r, site := s.r, s.site
	defer func() {
		unset(r, "maxBody")
		unset(r, "routes[1].maxBody")
		r.Run("up")
	}()
	r.Run("up", "--set", "maxBody=2", "--set", "routes[1].maxBody=1")
	for path, limit := range map[string]int{"/": 2, "/api/notes": 1} {
		// The app may have a limit of its own, and its own words for it.
		said := fmt.Sprintf("A request may send at most %d MiB here.", limit)
		for size, refused := range map[int]bool{limit<<20 + 1: true, limit << 20: false} {
			response := site.Do(http.MethodPost, "https://"+harness.Domain+path, strings.Repeat("x", size))
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			assert.Equal(t, refused, strings.Contains(string(text), said), "%s, %d bytes: %d %s", path, size, response.StatusCode, text)
		}
	}
	assert.Contains(t, site.Notes(), kept)
}

// passwordsAsked protects a route, finds the password nowhere but where it belongs, and releases and checks as before.
func passwordsAsked(t *testing.T, s scene) {
	r, site := s.r, s.site
	const password = "canary-7d40"
	defer func() {
		unset(r, "auth.alice")
		unset(r, "routes[0].auth")
		r.SSH("sudo rm -f /run/canary")
		r.Run("up")
	}()
	output := r.Run("up", "--set", "!auth.alice="+password, "--set", "routes[0].auth=false")
	assert.NotContains(t, output, password)
	assert.NotContains(t, r.Backend(), password)
	assert.Equal(t, http.StatusOK, site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").StatusCode)
	assert.Equal(t, http.StatusUnauthorized, site.Do(http.MethodGet, "https://"+harness.Domain+"/api/notes", "").StatusCode)
	for given, want := range map[string]int{password: http.StatusOK, "wrong": http.StatusUnauthorized} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+harness.Domain+"/api/notes", nil)
		require.NoError(t, err)
		request.SetBasicAuth("alice", given)
		response, err := site.Client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, want, response.StatusCode)
	}
	assert.Equal(t, "640 root www-data", r.SSH("sudo stat --format '%a %U %G' /etc/nginx/berth/users"))
	r.SSHInput("sudo install -m 600 /dev/stdin /run/canary", password)
	assert.Empty(t, r.SSH("sudo grep -rlF -f /run/canary /etc /var/log /opt/berth || test $? -eq 1"))
	assert.Empty(t, r.SSH("sudo journalctl --no-pager | sudo grep -F -f /run/canary || test $? -eq 1"))
	assert.NotEqual(t, "critical", r.Health()["site"])
	r.SSH("sudo /opt/berth/deploy.sh rollback")
	assert.Equal(t, http.StatusUnauthorized, site.Do(http.MethodGet, "https://"+harness.Domain+"/api/notes", "").StatusCode, "a release of before does not open the site")
	r.SSH("sudo /opt/berth/deploy.sh")
}

// trustedProxies has a timer refresh a list that cannot be fetched here, and the one that Berth brought stays.
func trustedProxies(t *testing.T, s scene) {
	r := s.r
	defer func() {
		unset(r, "trustedProxies[0]")
		r.Run("up")
		assert.Equal(t, "gone", r.SSH("test -e /etc/systemd/system/berth-proxies.timer || echo gone"))
	}()
	r.Run("up", "--set", "trustedProxies[0]=cloudflare")
	count := func() string { return r.SSH("grep -c set_real_ip_from /etc/nginx/berth/proxies/cloudflare.conf") }
	before := count()
	assert.Equal(t, "enabled", r.SSH("systemctl is-enabled berth-proxies.timer"))
	r.SSH("sudo systemctl start berth-proxies.service")
	assert.Equal(t, before, count())
	assert.Contains(t, r.SSH("sudo journalctl --no-pager -u berth-proxies.service"), "those that are known stay")
	assert.Contains(t, s.site.Notes(), kept)
}

// ownDirectives are checked by nginx before they are taken.
func ownDirectives(t *testing.T, s scene) {
	r, site := s.r, s.site
	defer func() {
		unset(r, "nginx")
		r.Run("up")
		assert.Empty(t, site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").Header.Get("X-Own"))
	}()
	r.Run("up", "--set", "nginx=add_header X-Own yes always;")
	assert.Equal(t, "yes", site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").Header.Get("X-Own"))
	output, err := r.Try("up", "--set", "nginx=no_such_directive on;")
	require.Error(t, err)
	assert.Contains(t, output, `unknown directive "no_such_directive" in /etc/nginx/berth/own.conf:1`)
	assert.Equal(t, "yes", site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").Header.Get("X-Own"), "what was before stays")
}
