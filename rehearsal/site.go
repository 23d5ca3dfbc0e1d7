package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
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
	status, err := fetch(ctx, outputs["url"], outputs["address"], roots)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", outputs["url"], err)
	}
	fmt.Printf(`
%s answers %s, with a certificate the rehearsal's authority signed.
Took %s; SSH connections opened: %d.

Look at it:
  curl --cacert %s --resolve %s:443:%s %s
  chromium --host-resolver-rules="MAP *.%s %s" --ignore-certificate-errors %s
Try next:
  make rehearse-ssh                          log in to the host
  make rehearse SET=instanceType=t3.small    change a setting; a second run is an update
  make rehearse-preview                      see what a change would do
Take it down:
  make rehearse-destroy && make rehearse-clean
`, outputs["url"], status, took.Round(time.Second), connections,
		rootFile, domain, outputs["address"], outputs["url"], zone, outputs["address"], outputs["url"])
	return nil
}

func fetch(ctx context.Context, url, address, roots string) (string, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(roots))
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, net.JoinHostPort(address, "443"))
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
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answers %s", response.Status)
	}
	return response.Status, nil
}
