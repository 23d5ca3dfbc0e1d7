package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// showSite fetches the page over HTTPS, trusting the rehearsal's authority alone, and says what to do next.
func (r *rehearsal) showSite(ctx context.Context, outputs map[string]string, connections int64, took time.Duration) error {
	roots, err := r.world.SiteRoots(ctx)
	if err != nil {
		return err
	}
	rootFile := filepath.Join(r.Dir, "root.pem")
	if err := os.WriteFile(rootFile, []byte(roots), 0o644); err != nil {
		return err
	}
	status, err := fetchPatiently(ctx, outputs["url"], outputs["address"], roots)
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%s still has its placeholder certificate; why: make rehearse-ssh, then: sudo tail -n 30 /var/log/berth/certificate.log; to try again there: sudo /opt/berth/ssl-manager.sh generate", outputs["url"])
	}
	if err != nil {
		return fmt.Errorf("fetch %s: %w", outputs["url"], err)
	}
	own := ""
	if !strings.HasPrefix(status, "200 ") {
		own = " That is the app's own answer at /; one that knows its names wants " + domain + " among them."
	}
	fmt.Print(withName(r.Name, fmt.Sprintf(`
%s answers %s, with a certificate the rehearsal's authority signed.%s
%s; SSH connections opened: %d.

Open it:
  curl --cacert %s --resolve %s:443:%s %s
  chromium --host-resolver-rules="MAP *.%s %s" --ignore-certificate-errors %s
Try next:
  make rehearse                              release again, after a change of the app or of Berth
  make rehearse-preview                      see what a change would do
  make rehearse SET=instanceType=t3.small    change a setting
  make rehearse-ssh                          log in to the host; there, for example:
    sudo /opt/berth/status.sh                what runs, and how it is
    sudo /opt/berth/deploy.sh rollback       back to the release before; 'make rehearse' goes forward with the next commit
Take it down:
  make rehearse-destroy && make rehearse-clean
`, outputs["url"], status, own, r.times(took), connections,
		rootFile, domain, outputs["address"], outputs["url"], zone, outputs["address"], outputs["url"])))
	return nil
}

// A server that was stopped and started takes this long at most until its app answers, and nothing else waits for it.
const startsWithin, betweenTries = time.Minute, 500 * time.Millisecond

// fetchPatiently fetches the page as soon as the app answers.
func fetchPatiently(ctx context.Context, url, address, roots string) (string, error) {
	for began := time.Now(); ; {
		status, err := fetch(ctx, url, address, "443", roots)
		var unknown x509.UnknownAuthorityError
		if err == nil || errors.As(err, &unknown) || time.Since(began) > startsWithin {
			return status, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(betweenTries):
		}
	}
}

func fetch(ctx context.Context, url, address, port, roots string) (string, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(roots))
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, net.JoinHostPort(address, port))
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "", err
	}
	// Not every app has a page at /; what it answers there is its own, unless it is broken.
	if response.StatusCode >= http.StatusInternalServerError {
		return "", fmt.Errorf("it answers %s; what the app says of it: make rehearse-ssh, then: sudo /opt/berth/log-monitor.sh view", response.Status)
	}
	if response.StatusCode != http.StatusOK {
		return response.Status, nil
	}
	return response.Status, nil
}

// times says how long this run took, and how long the first one on this machine did, with everything it built and
// fetched. make tells when it began; without it the run is all there is to time.
func (r *rehearsal) times(took time.Duration) string {
	if began, err := strconv.ParseInt(os.Getenv("BERTH_BEGAN"), 10, 64); err == nil {
		took = time.Since(time.Unix(began, 0))
	}
	this := "Took " + took.Round(time.Second).String()
	file := filepath.Join(r.Bin, "..", "first-run")
	if first, err := os.ReadFile(file); err == nil {
		return this + " (the first run on this machine took " + string(first) + ")"
	}
	// The time is a courtesy: where it cannot be kept, the next run says nothing of it.
	_ = os.WriteFile(file, []byte(took.Round(time.Second).String()), 0o644)
	return this
}
