package program

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"berth/internal/config"
	"berth/provision"
)

func TestTheSummarySaysWhatCameOfAnUpdate(t *testing.T) {
	began := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	watch := &clock{ends: map[string]time.Time{"": began}}
	for _, step := range []struct {
		name, after string
		took        time.Duration
	}{{"first-boot", "", 12 * time.Second}, {"scripts", "first-boot", 300 * time.Millisecond}, {"packages", "scripts", 101 * time.Second}, {"release", "packages", 7 * time.Second}, {"certificate", "packages", 9 * time.Second}} {
		watch.steps = append(watch.steps, provision.Step{Name: step.name, After: step.after})
		watch.ends[step.name] = watch.ends[step.after].Add(step.took)
	}
	cfg := &config.Config{Domain: "app.example.com", InstanceType: "t3.micro", VolumeSize: 20, Region: "eu-central-1"}
	text := summary(cfg, "open https://app.example.com/", "203.0.113.9", commit, prints, watch)
	assert.Equal(t, `https://app.example.com/ serves commit `+commit[:12]+`
  certificate  by "An Authority", until 2027-02-03
  steps        first-boot     12 s
               packages      101 s
               release         7 s
               certificate     9 s
  cost         about 16 USD a month: t3.micro 8.76, 28 GB of gp3 2.67, IPv4 address 3.65, hosted zone 0.50; on top, snapshots 0.054 a GB that they hold and traffic beyond 100 GB 0.09 a GB
  next         open https://app.example.com/
  log in       (umask 077 && pulumi stack output --show-secrets sshPrivateKey >key.pem)
               pulumi stack output sshHostKey >> ~/.ssh/known_hosts
               ssh -i key.pem admin@203.0.113.9
  look         ssh -i key.pem admin@203.0.113.9 sudo /opt/berth/status.sh
  go back      ssh -i key.pem admin@203.0.113.9 sudo /opt/berth/deploy.sh rollback`, text)

	cfg.Servers = config.Servers{Min: 3, Max: 3}
	assert.Contains(t, summary(cfg, "", "203.0.113.9", commit, prints, watch), "\n  servers      3, behind a load balancer; the first one, 203.0.113.9, has the data and drives the others\n  next ")
	cfg.Servers.Max = 5
	assert.Contains(t, summary(cfg, "", "203.0.113.9", commit, prints, watch), "\n  servers      3 to 5, behind a load balancer; ")
	cfg.Servers = config.Servers{Min: 1, Max: 1}

	nothing := &clock{steps: []provision.Step{{Name: "release"}}, ends: map[string]time.Time{"": began, "release": began.Add(time.Millisecond)}}
	text = summary(cfg, "", "", commit, prints, nothing)
	assert.Contains(t, text, "steps        none had to run")
	assert.Contains(t, text, "https://app.example.com/: commit "+commit[:12]+" was released last; a rollback on the server since then is not visible from here\n", "the server was not asked")
}
