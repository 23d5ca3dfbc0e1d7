package provision

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// inARow opens ports that follow each other on loopback.
func inARow(t *testing.T, count int) (all []net.Listener) {
	t.Helper()
	for range 100 {
		all = nil
		first, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		all = append(all, first)
		for len(all) < count {
			next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port(t, first.Addr())+len(all)))
			if err != nil {
				break
			}
			all = append(all, next)
		}
		if len(all) == count {
			return all
		}
		for _, one := range all {
			require.NoError(t, one.Close())
		}
	}
	require.Fail(t, "there are no free ports in a row")
	return nil
}

// TestADeadReplicaCostsNobodyARequest: not even one that may not be repeated; one that a replica took and hung up on is not doubled.
func TestADeadReplicaCostsNobodyARequest(t *testing.T) {
	row := inARow(t, 3)
	var asked [3]atomic.Int64
	for i, listener := range row {
		app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked[i].Add(1)
			if r.URL.Path == "/hangs-up" {
				if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
					_ = conn.Close()
				}
			}
		}))
		require.NoError(t, app.Listener.Close())
		app.Listener = listener
		app.Start()
		t.Cleanup(app.Close)
		if i == 1 {
			app.Close()
		}
	}
	e := newEdge(t, &config.Config{MaxBody: 100, Timeout: 300}, route{"path": "/", "upstream": port(t, row[0].Addr()), "replicas": 3})
	client := e.client(false)
	post := func(path string) int {
		response, err := client.Post("https://app.example.com"+path, "text/plain", strings.NewReader("x"))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	for range 60 {
		require.Equal(t, http.StatusOK, post("/"))
	}
	assert.Zero(t, asked[1].Load())
	assert.Equal(t, int64(60), asked[0].Load()+asked[2].Load())
	assert.Greater(t, asked[0].Load(), int64(10), "both take their part")
	assert.Greater(t, asked[2].Load(), int64(10), "both take their part")

	before := asked[0].Load() + asked[2].Load()
	assert.Equal(t, http.StatusBadGateway, post("/hangs-up"))
	assert.Equal(t, before+1, asked[0].Load()+asked[2].Load(), "a POST that was taken is not taken twice")
	assert.Equal(t, http.StatusOK, post("/"), "and the others are asked as before")
}
