// rehearsal-servers is EC2 Auto Scaling and Elastic Load Balancing of a rehearsal: it keeps the account's groups of instances,
// configures the load balancer, and serves what servers ask of the AWS API.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"berth/rehearsal/aws"
	"berth/rehearsal/ec2host"
	"berth/rehearsal/scaling"
)

func main() {
	name := flag.String("name", "", "name of the rehearsal")
	dir := flag.String("dir", "", "folder of the rehearsal's state, the same path as outside of the container")
	bin := flag.String("bin", "", "folder of the rehearsal's programs, as a path outside of the container")
	period := flag.Duration("period", time.Minute, "how long each of an alarm's periods lasts")
	warm := flag.Bool("warm", false, "have servers start with Debian's packages installed")
	listen := flag.String("listen", ":443", "address to serve on")
	certificate := flag.String("certificate", "api.pem", "file of the certificate, for autoscaling.REGION.amazonaws.com and the others")
	key := flag.String("key", "api.key", "file of its private key")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := func() error {
		internet, err := aws.ReadInternet(filepath.Join(*dir, "aws"))
		if err != nil {
			return err
		}
		world := &ec2host.World{Name: *name, Dir: *dir, Bin: *bin, AlarmPeriod: *period, Warm: *warm, Internet: internet}
		engine := &scaling.Engine{
			Dir: filepath.Join(*dir, "aws"), World: world, Balancer: scaling.HAProxy{Folder: world.BalancerFiles()},
			Period: *period, Metrics: filepath.Join(*dir, "cloudwatch"), Say: os.Stdout, Now: time.Now,
		}
		pair, err := tls.LoadX509KeyPair(*certificate, *key)
		if err != nil {
			return fmt.Errorf("read -certificate %s and -key %s: %w", *certificate, *key, err)
		}
		return serve(ctx, *listen, pair, engine)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rehearsal-servers:", err)
		os.Exit(1)
	}
}

// serve runs the engine and answers until the context ends.
func serve(ctx context.Context, listen string, pair tls.Certificate, engine *scaling.Engine) error {
	listener, err := tls.Listen("tcp", listen, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: engine, ReadTimeout: 30 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	go every(ctx, max(2*time.Second, min(engine.Period/6, 10*time.Second)), engine.Measure)
	go every(ctx, time.Second, func(context.Context) error { return engine.Track() })
	go every(ctx, time.Second, engine.Step)
	select {
	case err := <-ended:
		return fmt.Errorf("serve the AWS API: %w", err)
	case <-ctx.Done():
		return errors.Join(server.Close())
	}
}

// every runs something again and again, and says what went wrong unless it is what went wrong before.
func every(ctx context.Context, pause time.Duration, run func(context.Context) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := run(ctx)
		if err != nil && err.Error() != said && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "rehearsal-servers:", err)
		}
		said = ""
		if err != nil {
			said = err.Error()
		}
	}
}
