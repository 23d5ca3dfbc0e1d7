// Command hello is what make bench puts edges in front of: pages, downloads, uploads and WebSockets that cost next to nothing.
package main

import (
	"crypto/sha1" //nolint:gosec // a WebSocket's handshake
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"

	"github.com/coder/websocket"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") })
	// A download of as many MiB as are asked for.
	http.HandleFunc("/download", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.FormValue("mib"))
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(size<<20))
		block := make([]byte, 1<<20)
		for range size {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	http.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		size, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, strconv.FormatInt(size, 10))
	})
	// A WebSocket on which nothing is said.
	http.HandleFunc("/idle", func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		// HAProxy checks this one. Source: RFC 6455, section 4.2.2.
		accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // the protocol's own
		_, _ = fmt.Fprintf(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(accept[:]))
		_, _ = io.Copy(io.Discard, connection)
		_ = connection.Close()
	})
	// A WebSocket that says what it hears.
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		socket, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = socket.CloseNow() }()
		for {
			kind, text, err := socket.Read(r.Context())
			if err != nil || socket.Write(r.Context(), kind, text) != nil {
				return
			}
		}
	})
	log.Fatal(http.ListenAndServe(":8080", nil)) //nolint:gosec // nobody but the bench asks it
}
