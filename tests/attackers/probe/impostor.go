package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"net"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
)

// visits is who came to the impostor.
type visits struct {
	// Connected got as far as TCP, LoggedIn believed the key and sent a user's name.
	Connected, LoggedIn int
}

// impostor keeps FILE up to date; it is there as soon as the impostor listens.
func impostor(ctx context.Context, listen, file string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return err
	}
	var lock sync.Mutex
	var count visits
	note := func(one *int) {
		lock.Lock()
		defer lock.Unlock()
		*one++
		keep(file, count)
	}
	letIn := func(ssh.ConnMetadata) (*ssh.Permissions, error) {
		note(&count.LoggedIn)
		return &ssh.Permissions{}, nil
	}
	config := &ssh.ServerConfig{NoClientAuth: true, NoClientAuthCallback: letIn}
	config.AddHostKey(key)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	keep(file, count)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		note(&count.Connected)
		go func() {
			defer func() { _ = conn.Close() }()
			if server, _, _, err := ssh.NewServerConn(conn, config); err == nil {
				_ = server.Close()
			}
		}()
	}
}

// keep writes a count for the tests; one that is not written is one that they miss.
func keep(file string, count visits) {
	if text, err := json.Marshal(count); err == nil {
		_ = os.WriteFile(file, text, 0o600)
	}
}
