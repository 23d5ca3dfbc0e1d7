// rehearsal-cloudwatch serves the account's CloudWatch over TLS, and evaluates its alarms every minute: a server that
// has stopped pushes nothing, and that is an alarm too.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"berth/rehearsal/cloudwatch"
)

func main() {
	account := flag.String("account", ".", "folder of the AWS stand-in's state")
	state := flag.String("state", ".", "folder of the metrics, the alarms and what was sent")
	listen := flag.String("listen", ":443", "address to serve on")
	certificate := flag.String("certificate", "cloudwatch.pem", "file of the certificate, for monitoring.REGION.amazonaws.com")
	key := flag.String("key", "cloudwatch.key", "file of its private key")
	every := flag.Duration("every", time.Minute, "how often to evaluate the alarms")
	period := flag.Duration("period", time.Minute, "how long each of an alarm's periods lasts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := func() error {
		pair, err := tls.LoadX509KeyPair(*certificate, *key)
		if err != nil {
			return fmt.Errorf("read -certificate %s and -key %s: %w", *certificate, *key, err)
		}
		listener, err := tls.Listen("tcp", *listen, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
		if err != nil {
			return err
		}
		return serve(ctx, listener, cloudwatch.New(*account, *state, *period), *every)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rehearsal-cloudwatch:", err)
		os.Exit(1)
	}
}

// serve answers until the context ends.
func serve(ctx context.Context, listener net.Listener, service *cloudwatch.Service, every time.Duration) error {
	server := &http.Server{Handler: service, ReadTimeout: 30 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := service.Evaluate(); err != nil {
				fmt.Fprintln(os.Stderr, "rehearsal-cloudwatch:", err)
			}
		case err := <-ended:
			return fmt.Errorf("serve CloudWatch: %w", err)
		case <-ctx.Done():
			if err := server.Close(); err != nil {
				return fmt.Errorf("stop serving CloudWatch: %w", err)
			}
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		}
	}
}
