package main

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFetchTakesTheAppsOwnAnswer(t *testing.T) {
	for code, said := range map[int]string{
		http.StatusOK: "200 OK", http.StatusNotFound: "404 Not Found", http.StatusBadRequest: "400 Bad Request",
		http.StatusBadGateway: "",
	} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		defer server.Close()
		roots := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
		host, port, err := net.SplitHostPort(server.Listener.Addr().String())
		require.NoError(t, err)
		status, err := fetch(t.Context(), "https://example.com/", host, port, roots)
		assert.Equal(t, said, status)
		if said == "" {
			require.ErrorContains(t, err, "it answers 502 Bad Gateway; what the app says of it")
		}
	}
}
