// Package harness drives the rehearsal as its user does, from the command line, and uses the site as a visitor
// does.
package harness

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Rehearsal is one rehearsal of the tests' own, beside any that a person has standing.
type Rehearsal struct {
	t *testing.T
	// Name and Dir are the rehearsal's own, Bin is the folder of its programs and Project Berth's.
	Name, Dir, Bin, Project string
	// App is the folder of the app that is released; "" leaves the choice to the rehearsal.
	App string
	// AlarmPeriod is how long an alarm's periods last, such as "20s".
	AlarmPeriod string
}

// New begins from nothing: what an interrupted run left is taken away first, and what this one makes at the
// end. With BERTH_REUSE it goes on with what is there, and leaves it.
func New(t *testing.T, name string) *Rehearsal {
	t.Helper()
	bin := os.Getenv("BERTH_BIN")
	require.NotEmpty(t, bin, "BERTH_BIN names the folder of the rehearsal's programs; run the tests with: make test-e2e")
	project := Project(t)
	r := &Rehearsal{t: t, Name: name, Dir: filepath.Join(os.TempDir(), name), Bin: bin, Project: project,
		App: filepath.Join(project, "tests", "sample-app"), AlarmPeriod: alarmPeriod}
	// While developing, a test may go on where another one ended: make test-one.
	if os.Getenv("BERTH_REUSE") != "" {
		return r
	}
	r.Run("clean")
	t.Cleanup(func() { r.Run("clean") })
	return r
}

// Long leaves a test, or a part of one, to make test-all and to whoever names one: BERTH_ALL is set there.
func Long(t *testing.T) {
	t.Helper()
	if os.Getenv("BERTH_ALL") == "" && os.Getenv("BERTH_REUSE") == "" {
		t.Skip("make test-all runs it")
	}
}

// Hosts of the rehearsal's public network (rehearsal/aws/internet.go): this machine, the authority, the git host and the server.
const (
	OperatorHost  = 1
	AuthorityHost = 3
	GitHost       = 4
	ServerHost    = 16
)

// Internet is the rehearsal's public network, a /24.
func (r *Rehearsal) Internet() netip.Prefix {
	r.t.Helper()
	internet, err := netip.ParsePrefix(strings.TrimSpace(r.File("aws/internet")))
	require.NoError(r.t, err)
	return internet
}

// Address is that of a host of the rehearsal's public network.
func (r *Rehearsal) Address(host byte) string {
	r.t.Helper()
	address := r.Internet().Addr().As4()
	address[3] = host
	return netip.AddrFrom4(address).String()
}

// T is the test that the rehearsal is used in.
func (r *Rehearsal) T() *testing.T { return r.t }

// Project is Berth's own folder, above the test's.
func Project(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(folder, "Pulumi.yaml")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		require.NotEqual(t, folder, parent, "no Pulumi.yaml above the test's folder")
		folder = parent
	}
}

// Run runs one command of the rehearsal and returns what it printed; it has to succeed.
func (r *Rehearsal) Run(args ...string) string {
	r.t.Helper()
	output, err := r.Try(args...)
	require.NoErrorf(r.t, err, "rehearsal %s:\n%s", strings.Join(args, " "), output)
	return output
}

// Try is Run for a command that may fail.
func (r *Rehearsal) Try(args ...string) (string, error) {
	r.t.Helper()
	return r.TryWith("", args...)
}

// TryOutput is Try without what goes to standard error.
func (r *Rehearsal) TryOutput(args ...string) (string, error) {
	r.t.Helper()
	output, err := exec.CommandContext(r.t.Context(), filepath.Join(r.Bin, "rehearsal"), append(r.arguments(), args...)...).Output()
	return string(output), err
}

// TryWith is Try with a standard input.
func (r *Rehearsal) TryWith(input string, args ...string) (string, error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Minute)
	defer cancel()
	if r.t.Context().Err() != nil { // In a clean-up the test's own context is over.
		ctx, cancel = context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
	}
	began := time.Now()
	command := exec.CommandContext(ctx, filepath.Join(r.Bin, "rehearsal"),
		append(r.arguments(), args...)...)
	command.Stdin = strings.NewReader(input)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	r.t.Logf("rehearsal %s: %s", strings.Join(args, " "), time.Since(began).Round(100*time.Millisecond))
	return output.String(), err
}

// SSH runs a command on the host; it has to succeed.
func (r *Rehearsal) SSH(command string) string {
	r.t.Helper()
	return r.SSHInput(command, "")
}

// SSHInput runs a command on the host with an input.
func (r *Rehearsal) SSHInput(command, input string) string {
	r.t.Helper()
	output, err := r.TrySSH(command, input)
	require.NoErrorf(r.t, err, "%s:\n%s", command, output)
	return strings.TrimSpace(output)
}

// TrySSH is SSHInput for a command that may fail. The first goes through the rehearsal's own ssh, which leaves the key
// and the host's where the next ones find them: it asks the engine for them, which takes a second.
func (r *Rehearsal) TrySSH(command, input string) (string, error) {
	r.t.Helper()
	key, hosts := filepath.Join(r.Dir, "ssh_key"), filepath.Join(r.Dir, "known_hosts")
	known, err := os.ReadFile(hosts)
	if err != nil {
		return r.TryWith(input, "ssh", "--", command)
	}
	address, _, _ := strings.Cut(string(known), " ")
	ssh := exec.CommandContext(r.t.Context(), "ssh", "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
		"-o", "UserKnownHostsFile="+hosts, "admin@"+address, command)
	ssh.Stdin = strings.NewReader(input)
	output, err := ssh.CombinedOutput()
	return string(output), err
}

// alarmPeriod is how long an alarm's periods last here: what takes AWS three minutes to mail takes one. It is longer than a
// read of the health takes on a busy machine, and five of them than the minute after which the server reports again.
const alarmPeriod = "20s"

// Command is one of this rehearsal's, as words of a command line.
func (r *Rehearsal) Command(args ...string) []string {
	return append(append([]string{filepath.Join(r.Bin, "rehearsal")}, r.arguments()...), args...)
}

// Recover builds the command that go run ./cmd/recover runs in Berth's folder, for the operator's folder of a rehearsal, and gives
// its path.
func (r *Rehearsal) Recover() string {
	r.t.Helper()
	program := filepath.Join(r.Dir, "recover")
	build := exec.CommandContext(r.t.Context(), "go", "build", "-o", program, "./cmd/recover")
	build.Dir = r.Project
	output, err := build.CombinedOutput()
	require.NoErrorf(r.t, err, "%s", output)
	return program
}

// arguments are those of every command of this rehearsal.
func (r *Rehearsal) arguments() []string {
	arguments := []string{"--name", r.Name, "--dir", r.Dir, "--project", r.Project, "--command-provider", "stand-in", "--alarm-period", r.AlarmPeriod}
	if r.App != "" {
		arguments = append(arguments, "--app", r.App)
	}
	return arguments
}

// File reads a file of the rehearsal's state.
func (r *Rehearsal) File(name string) string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.Dir, name))
	require.NoError(r.t, err)
	return string(content)
}
