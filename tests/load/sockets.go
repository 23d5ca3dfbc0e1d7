package load

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

const (
	// socketLife is how long a WebSocket stays open, socketPause what lies between two texts, socketPatience how long
	// an echo may take.
	socketLife     = 3 * time.Second
	socketPause    = 200 * time.Millisecond
	socketPatience = 5 * time.Second
)

// sockets keeps one WebSocket open, or a new one.
func (r *Run) sockets(ctx context.Context) {
	defer r.inFlight.Done()
	for ctx.Err() == nil {
		socket, err := r.open()
		if err != nil {
			r.note(&r.report.Sockets.Failed, err)
			time.Sleep(pause)
			continue
		}
		r.count(&r.report.Sockets.Opened)
		if err := r.talk(ctx, socket); err != nil {
			r.note(&r.report.Sockets.Cut, fmt.Errorf("WebSocket cut: %w", err))
		}
	}
}

func (r *Run) open() (*websocket.Conn, error) {
	// An upgrade never gets a kept connection, so it is not sent again either.
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	//nolint:bodyclose // The library closes it.
	socket, _, err := websocket.Dial(ctx, r.url(r.plan.SocketPath), &websocket.DialOptions{HTTPClient: &http.Client{Transport: r.transport}})
	if err != nil {
		return nil, fmt.Errorf("open a WebSocket: %w", err)
	}
	return socket, nil
}

// talk has texts echoed until the socket's time is over, and closes it. Any other end is a cut.
func (r *Run) talk(run context.Context, socket *websocket.Conn) error {
	defer func() { _ = socket.CloseNow() }()
	end := time.After(socketLife)
	ticker := time.NewTicker(socketPause)
	defer ticker.Stop()
	for n := 0; ; n++ {
		if err := echo(socket, fmt.Sprint(n)); err != nil {
			return err
		}
		r.count(&r.report.Sockets.Messages)
		select {
		case <-ticker.C:
			continue
		case <-end:
		case <-run.Done():
		}
		return socket.Close(websocket.StatusNormalClosure, "")
	}
}

func echo(socket *websocket.Conn, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), socketPatience)
	defer cancel()
	if err := socket.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		return err
	}
	_, answer, err := socket.Read(ctx)
	if err == nil && string(answer) != text {
		err = fmt.Errorf("it echoed %q, not %q", answer, text)
	}
	return err
}
