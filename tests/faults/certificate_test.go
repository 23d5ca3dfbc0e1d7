package faults

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// certificate is the one that visitors of a name get, whoever signed it, and nil where there is none.
func certificate(t *testing.T, r *harness.Rehearsal, name string) *x509.Certificate {
	t.Helper()
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	connection, err := tls.DialWithDialer(dialer, "tcp", net.JoinHostPort(r.Account().Only(address).Output("publicIp"), "443"), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer func() { _ = connection.Close() }()
	return connection.ConnectionState().PeerCertificates[0]
}

// served are the names of that certificate.
func served(t *testing.T, r *harness.Rehearsal, name string) []string {
	t.Helper()
	if found := certificate(t, r, name); found != nil {
		return found.DNSNames
	}
	return nil
}

// serial is the number of the site's certificate.
func serial(t *testing.T, r *harness.Rehearsal) string {
	t.Helper()
	found := certificate(t, r, harness.Domain)
	require.NotNil(t, found)
	return found.SerialNumber.String()
}

// refuses has the authority answer each new order with a problem, until accepts.
func refuses(status, retryAfter, kind, detail string) func(*harness.Rehearsal) {
	return func(r *harness.Rehearsal) {
		onThisMachine(r, "docker", "exec", "--detach", r.Name+"-acme", "refuser", ":14001", "/etc/pebble/api.pem", "/etc/pebble/api.key", "127.0.0.1:14000",
			status, retryAfter, fmt.Sprintf(`{"type": "urn:ietf:params:acme:error:%s", "detail": %q}`, kind, detail))
		at := r.Address(harness.AuthorityHost)
		inNetworkOf(r, "nft", "table inet refuser { chain out { type nat hook output priority -100; ip daddr "+at+" tcp dport 14000 dnat ip to "+at+":14001; }; }")
	}
}

func accepts(r *harness.Rehearsal) {
	inNetworkOf(r, "nft", "delete table inet refuser")
	onThisMachine(r, "docker", "exec", r.Name+"-acme", "pkill", "refuser")
}

// clock gives ssl-manager.sh and all that it starts another time, "+1d" or "-1d", or takes it back. A container has its
// machine's clock.
func clock(by string) func(*harness.Rehearsal) {
	return func(r *harness.Rehearsal) {
		if by == "" {
			r.SSH("sudo mv /opt/berth/own/ssl-manager.sh /opt/berth/ssl-manager.sh && sudo rmdir /opt/berth/own")
			return
		}
		r.SSH("sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install faketime")
		r.SSH("sudo mkdir /opt/berth/own && sudo mv /opt/berth/ssl-manager.sh /opt/berth/own")
		r.SSHInput("sudo install -m 0755 /dev/stdin /opt/berth/ssl-manager.sh", "#!/bin/sh\nexec faketime -f "+by+" /opt/berth/own/ssl-manager.sh \"$@\"\n")
	}
}
