package program

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra"
	"berth/internal/config"
	"berth/internal/cost"
	"berth/internal/plain"
	"berth/provision"
)

// clock notes when a step's output came, which is when the step ended; "" is when the first could begin.
type clock struct {
	steps []provision.Step
	lock  sync.Mutex
	ends  map[string]time.Time
}

// summarize says at the end of an update, in full, what came of it and what is worth knowing next. The outputs below it
// are for programs, and Pulumi cuts long ones short.
func summarize(ctx *pulumi.Context, cfg *config.Config, environment *infra.Environment, host *provision.Host, next pulumi.StringOutput) pulumi.StringOutput {
	if ctx.DryRun() {
		return next
	}
	watch := &clock{steps: host.Steps, ends: map[string]time.Time{}}
	noted := []any{host.Ready.ApplyT(func(any) bool { return watch.note("") })}
	for _, step := range host.Steps {
		noted = append(noted, step.Output.ApplyT(func(string) bool { return watch.note(step.Name) }))
	}
	said := pulumi.All(pulumi.All(noted...), next, environment.Address.PublicIP, host.Commit, host.CertificateOutput).ApplyT(func(all []any) (string, error) {
		text := summary(cfg, all[1].(string), all[2].(string), all[3].(string), all[4].(string), watch)
		return all[1].(string), ctx.Log.Info(plain.Text(text), nil)
	}).(pulumi.StringOutput)
	return pulumi.Unsecret(said).(pulumi.StringOutput)
}

func (c *clock) note(name string) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.ends[name] = time.Now()
	return true
}

// ran are the steps that took time, with it: those that an update passes over end at once.
func (c *clock) ran() []string {
	const shortest = 500 * time.Millisecond
	var lines []string
	for _, step := range c.steps {
		if took := c.ends[step.Name].Sub(c.ends[step.After]); took >= shortest {
			lines = append(lines, fmt.Sprintf("%-12s %4.0f s", step.Name, took.Seconds()))
		}
	}
	return lines
}

func summary(cfg *config.Config, next, address, commit, certificateOutput string, watch *clock) string {
	issuer, until := parseCertificate(certificateOutput)
	until, _, _ = strings.Cut(until, "T")
	steps, serves := "none had to run", fmt.Sprintf("https://%s/: commit %.12s was released last; a rollback on the server since then is not visible from here", cfg.Domain, commit)
	if ran := watch.ran(); len(ran) > 0 {
		steps = strings.Join(ran, "\n               ")
		if slices.ContainsFunc(ran, func(line string) bool { return strings.HasPrefix(line, "release ") }) {
			serves = fmt.Sprintf("https://%s/ serves commit %.12s", cfg.Domain, commit)
		}
	}
	login := fmt.Sprintf("ssh -i key.pem %s@%s", infra.User, address)
	lines := []string{
		serves,
		fmt.Sprintf("certificate  by %q, until %s", issuer, until),
		"steps        " + steps,
		"cost         " + cost.Sentence(cfg),
	}
	if count := cfg.Servers; count.Several() {
		number := fmt.Sprint(count.Min)
		if count.Max > count.Min {
			number = fmt.Sprintf("%d to %d", count.Min, count.Max)
		}
		lines = append(lines, "servers      "+number+", behind a load balancer; the first one, "+address+", has the data and drives the others")
	}
	lines = append(lines,
		"next         "+next,
		"log in       (umask 077 && pulumi stack output --show-secrets sshPrivateKey >key.pem)",
		"             pulumi stack output sshHostKey >> ~/.ssh/known_hosts",
		"             "+login,
		"look         "+login+" sudo /opt/berth/status.sh",
		"go back      "+login+" sudo /opt/berth/deploy.sh rollback",
	)
	return strings.Join(lines, "\n  ")
}
