package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"berth/rehearsal/aws"
	"berth/rehearsal/cloudwatch"
	"berth/rehearsal/ec2host"
	"berth/rehearsal/stack"
)

// options are the command line's.
type options struct {
	Name, Dir, Bin, Project, App, Command string
	Set                                   []string
	AlarmPeriod                           time.Duration
	Warm                                  bool
}

// setVariable holds make's SET.
const setVariable = "BERTH_SET"

// rehearsal is one rehearsal on this machine.
type rehearsal struct {
	options
	world *ec2host.World
}

// The rehearsal's site, in the domain that RFC 6761 sets aside for tests.
const (
	zone   = "example.test"
	domain = "app.example.test"
	alias  = "www.app.example.test"
)

func open(given *options) (*rehearsal, error) {
	chosen := *given
	// make's SET. What the rehearsal starts has no use for it, and it may hold a secret.
	chosen.Set = slices.Concat(words(os.Getenv(setVariable)), chosen.Set)
	if err := os.Unsetenv(setVariable); err != nil {
		return nil, err
	}
	if chosen.Dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("choose the state's folder: %w; name one with --dir", err)
		}
		chosen.Dir = filepath.Join(cache, "berth", "rehearsals", chosen.Name)
	}
	if chosen.Bin == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program's folder: %w; name it with --bin", err)
		}
		chosen.Bin = filepath.Dir(self)
	}
	named := chosen.App != ""
	if !named {
		chosen.App = filepath.Join(chosen.Project, "tests", "sample-app")
	}
	for _, path := range []*string{&chosen.Dir, &chosen.Bin, &chosen.Project, &chosen.App} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return nil, err
		}
		*path = absolute
	}
	if err := os.MkdirAll(filepath.Join(chosen.Dir, "aws"), 0o700); err != nil {
		return nil, err
	}
	// The program's copy of the app's repository goes with the rehearsal: the next one's has the same address.
	if err := os.Setenv("BERTH_CACHE", filepath.Join(chosen.Dir, "cache")); err != nil {
		return nil, err
	}
	internet, err := aws.ReadInternet(filepath.Join(chosen.Dir, "aws"))
	if err != nil {
		return nil, err
	}
	opened := &rehearsal{options: chosen, world: &ec2host.World{Name: chosen.Name, Dir: chosen.Dir, Bin: chosen.Bin, AlarmPeriod: chosen.AlarmPeriod, Warm: chosen.Warm, Internet: internet}}
	own, err := opened.kept()
	if own != nil && !named {
		opened.App = own.Folder
	}
	return opened, err
}

// checkMachine says what is missing before anything is made.
func checkMachine(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return errors.New("the rehearsal needs Linux: on " + runtime.GOOS + " Docker runs in a virtual machine and container addresses are out of reach; run it inside a Linux machine that has Docker, for example with: limactl start template://docker")
	}
	for _, tool := range []string{"docker", "git", "ssh", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing; install it (Debian: apt-get install docker.io git openssh-client)", tool)
		}
	}
	if output, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Os}}").CombinedOutput(); err != nil {
		return fmt.Errorf("the Docker daemon does not answer; start it (systemctl start docker, or run dockerd as root), or let `make rehearse` do it: %s", strings.TrimSpace(string(output)))
	}
	return nil
}

// engine prepares a stack of the real Pulumi engine whose providers are the rehearsal's and may do what a role of docs/iam may.
func (r *rehearsal) engine(ctx context.Context, role string, exclusive bool) (*stack.Stack, error) {
	settings, err := r.settings()
	if err != nil {
		return nil, err
	}
	return stack.Open(ctx, stack.Options{
		Dir: r.Dir, Pulumi: filepath.Join(r.Bin, "pulumi"), Project: r.Project,
		CommandProvider: r.Command, World: r.world, Settings: settings, Role: role, Exclusive: exclusive,
	})
}

// stage brings up everything around the account that a run needs; what exists is kept.
func (r *rehearsal) stage(ctx context.Context) error {
	if err := checkMachine(ctx); err != nil {
		return err
	}
	if err := r.world.BuildImages(ctx, os.Stdout); err != nil {
		return err
	}
	if err := r.world.Start(ctx); err != nil {
		return err
	}
	if _, err := aws.EnsureZone(filepath.Join(r.Dir, "aws"), zone); err != nil {
		return err
	}
	if err := aws.EnsureBoundary(filepath.Join(r.Dir, "aws")); err != nil {
		return err
	}
	return r.world.Publish(ctx, r.App)
}

// staged prepares the stage and the engine and hands the engine to run.
func (r *rehearsal) staged(ctx context.Context, role string, run func(*stack.Stack) error) error {
	if err := r.stage(ctx); err != nil {
		return err
	}
	engine, err := r.engine(ctx, role, true)
	if err != nil {
		return err
	}
	defer engine.Close()
	return run(engine)
}

func (r *rehearsal) up(ctx context.Context) error {
	began := time.Now()
	account, err := aws.Read(filepath.Join(r.Dir, "aws"))
	if err != nil {
		return err
	}
	if r.Warm && len(account.OfType("aws:ec2/instance:Instance")) == 0 {
		fmt.Println("The host starts with Debian's packages installed, for speed. A server in AWS installs them first: make rehearse BARE=yes")
	}
	return r.staged(ctx, stack.Deployer, func(engine *stack.Stack) error {
		outputs, err := engine.Up(ctx)
		if err != nil {
			return err
		}
		return r.showSite(ctx, outputs, engine.Connections(), time.Since(began))
	})
}

func (r *rehearsal) preview(ctx context.Context) error {
	return r.staged(ctx, stack.Previewer, func(engine *stack.Stack) error { return engine.Preview(ctx) })
}

func (r *rehearsal) refresh(ctx context.Context) error {
	return r.staged(ctx, stack.Deployer, func(engine *stack.Stack) error { return engine.Refresh(ctx) })
}

func (r *rehearsal) destroy(ctx context.Context) error {
	err := r.staged(ctx, stack.Deployer, func(engine *stack.Stack) error {
		if err := engine.Destroy(ctx); err != nil {
			return err
		}
		fmt.Printf("SSH connections opened: %d\n", engine.Connections())
		return nil
	})
	if err != nil {
		return err
	}
	account, err := aws.Read(filepath.Join(r.Dir, "aws"))
	if err != nil {
		return err
	}
	fmt.Println("Left in the account:")
	for _, line := range account.Inventory() {
		fmt.Println(" ", line)
	}
	fmt.Println(withName(r.Name, "Take the rest away (services, snapshot, state): make rehearse-clean"))
	return nil
}

func (r *rehearsal) clean(ctx context.Context) error {
	if err := checkMachine(ctx); err != nil {
		return err
	}
	if err := r.world.Remove(ctx); err != nil {
		return err
	}
	return os.RemoveAll(r.Dir)
}

// snapshot takes one of the data volume while it is in use, as EBS does: what the host holds in memory alone is missing,
// so it is written out first.
func (r *rehearsal) snapshot(ctx context.Context) error {
	if err := r.ssh(ctx, []string{"--", "sync"}); err != nil {
		return err
	}
	account, err := aws.Read(filepath.Join(r.Dir, "aws"))
	if err != nil {
		return err
	}
	volumes := account.OfType("aws:ebs/volume:Volume")
	if len(volumes) != 1 {
		return fmt.Errorf("find the data volume: the account has %d volumes; make it: make rehearse", len(volumes))
	}
	id, err := aws.TakeSnapshot(ctx, filepath.Join(r.Dir, "aws"), r.world, volumes[0].ID)
	if err != nil {
		return err
	}
	fmt.Println(id)
	return nil
}

func (r *rehearsal) status(ctx context.Context) error {
	account, err := aws.Read(filepath.Join(r.Dir, "aws"))
	if err != nil {
		return err
	}
	objects, err := r.world.Objects(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("In the account (%d):\n  %s\nOn this machine (%d):\n  %s\n", len(account.Inventory()),
		strings.Join(account.Inventory(), "\n  "), len(objects), strings.Join(objects, "\n  "))
	return nil
}

// dashboard draws CloudWatch's dashboard into a file and names it.
func (r *rehearsal) dashboard(context.Context) error {
	file := filepath.Join(r.Dir, "dashboard.html")
	page, err := os.Create(file)
	if err != nil {
		return err
	}
	service := cloudwatch.New(filepath.Join(r.Dir, "aws"), filepath.Join(r.Dir, "cloudwatch"), r.AlarmPeriod)
	if err := errors.Join(service.Draw(page), page.Close()); err != nil {
		return err
	}
	fmt.Println(file)
	return nil
}

// ssh logs in as an operator of production would: with the stack's key, the host key pinned.
func (r *rehearsal) ssh(ctx context.Context, args []string) error {
	engine, err := r.engine(ctx, stack.Deployer, false)
	if err != nil {
		return err
	}
	defer engine.Close()
	access, err := engine.Access(ctx)
	if err != nil {
		return err
	}
	key, hosts := filepath.Join(r.Dir, "ssh_key"), filepath.Join(r.Dir, "known_hosts")
	if err := errors.Join(os.WriteFile(key, []byte(strings.TrimRight(access.PrivateKey, "\n")+"\n"), 0o600), os.WriteFile(hosts, []byte(access.Address+" "+access.HostKey), 0o600)); err != nil {
		return err
	}
	arguments := append([]string{"-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile=" + hosts,
		"-o", "StrictHostKeyChecking=yes", "admin@" + access.Address}, args...)
	return pass(exec.CommandContext(ctx, "ssh", arguments...))
}

// pass runs a command in the terminal of this one and passes its exit status on.
func pass(command *exec.Cmd) error {
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitStatus(exit.ExitCode())
	}
	return err
}
