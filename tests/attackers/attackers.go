// Package attackers attacks a standing rehearsal in the ways of those who find every server sooner or later, and looks
// whether anything gave way.
package attackers

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

const section = "Attackers"

// outsiderHost is the attacker on the rehearsal's internet, far from those that the rehearsal gives out.
const outsiderHost = 250

// Scene is a rehearsal with an attacker beside it: a container on the rehearsal's internet that is not the operator's.
type Scene struct {
	rehearsal *harness.Rehearsal
	// address and v6 are the server's, host is its container.
	address, v6, host string
	// probe is the program's file, outsider the attacker's container, relay where it connects for the tests.
	probe, outsider, relay string
	// tells is set where the app says what it was asked for, as the load app does.
	tells bool
}

// New puts the attacker on the scene for as long as the test lasts.
func New(t *testing.T, r *harness.Rehearsal) *Scene {
	t.Helper()
	account := r.Account()
	instance := account.Only("aws:ec2/instance:Instance")
	s := &Scene{
		rehearsal: r, address: account.Only("aws:ec2/eip:Eip").Output("publicIp"), v6: instance.Outputs["ipv6Addresses"].([]any)[0].(string),
		host: r.Name + "-" + instance.ID, outsider: r.Name + "-outsider", probe: filepath.Join(t.TempDir(), "probe"),
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.probe, "berth/tests/attackers/probe")
	build.Dir, build.Env = filepath.Join(r.Project, "tests"), append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	image := docker(t, "container", "inspect", "--format", "{{.Config.Image}}", r.Name+"-dns")
	_ = exec.CommandContext(t.Context(), "docker", "rm", "--force", s.outsider).Run()
	docker(t, "run", "--detach", "--name", s.outsider, "--label", "berth.rehearsal="+r.Name, "--network", r.Name+"-internet", "--ip", r.Address(outsiderHost),
		"--cap-add", "NET_ADMIN", "--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--volume", s.probe+":/probe:ro", image, "/probe", "relay", ":1080")
	t.Cleanup(func() {
		require.NoError(t, exec.Command("docker", "rm", "--force", s.outsider).Run())
	})
	// IPv6 is the subnet's; the rehearsal's internet has none.
	docker(t, "network", "connect", r.Name+"-"+instance.Output("subnetId"), s.outsider)
	s.relay = r.Address(outsiderHost) + ":1080"
	s.tells = strings.HasPrefix(s.exchange(t, "443", harness.Domain, strings.NewReader(get("/seen", harness.Domain))), "HTTP/1.1 200 ")
	return s
}

// Quick is the part that takes seconds, for any running app.
func Quick(t *testing.T, r *harness.Rehearsal) {
	s := New(t, r)
	t.Run("only the site's own names reach it", s.Names)
	t.Run("the authority's folder is not left", s.Paths)
	t.Run("no request is smuggled over HTTP/1.1", s.Smuggling)
	t.Run("no request is smuggled over HTTP/2", s.HTTP2)
	t.Run("more than enough is refused", s.TooMuch)
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
	require.NoErrorf(t, err, "docker %s: %s", strings.Join(args, " "), output)
	return strings.TrimSpace(string(output))
}

// reach connects to a port of the server from outside.
func (s *Scene) reach(port string) (net.Conn, error) {
	return s.reachFrom("", net.JoinHostPort(s.address, port))
}

// reachFrom connects from one of the attacker's addresses, "" for any.
func (s *Scene) reachFrom(source, target string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", s.relay, 10*time.Second)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(conn, target, source)
	reader := bufio.NewReader(conn)
	answer, err := reader.ReadString('\n')
	if err == nil && answer != "ok\n" {
		err = errors.New(strings.TrimSpace(answer))
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &relayed{Conn: conn, reader: reader}, nil
}

// relayed reads on where the relay's answer ended.
type relayed struct {
	net.Conn
	reader *bufio.Reader
}

func (r *relayed) Read(p []byte) (int, error) { return r.reader.Read(p) }

// secure is a TLS connection to the site from outside, by a name of the attacker's choice. Whose certificate it is
// does not matter to an attacker.
func (s *Scene) secure(name string, protocols ...string) (*tls.Conn, error) {
	conn, err := s.reach("443")
	if err != nil {
		return nil, err
	}
	return secured(conn, name, protocols...)
}

func secured(conn net.Conn, name string, protocols ...string) (*tls.Conn, error) {
	client := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: protocols})
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err := client.Handshake(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return client, conn.SetDeadline(time.Time{})
}

// exchange sends bytes as they are, to port 80, or to 443 by a name, and returns what comes back until the other side
// closes or has nothing more to say.
func (s *Scene) exchange(t *testing.T, port, name string, request io.Reader) string {
	t.Helper()
	var conn net.Conn
	var err error
	if port == "443" {
		conn, err = s.secure(name, "http/1.1")
	} else {
		conn, err = s.reach(port)
	}
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// Whoever refuses early also stops reading.
		_, _ = io.Copy(conn, request)
	}()
	var answer strings.Builder
	buffer := make([]byte, 4096)
	for patience := 20 * time.Second; ; patience = 700 * time.Millisecond {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(buffer)
		answer.Write(buffer[:n])
		if err != nil {
			break
		}
	}
	_ = conn.Close()
	<-sent
	return answer.String()
}
