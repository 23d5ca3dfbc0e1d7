package tests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/runbook"
)

// operator runs the runbook's operator blocks with the real pulumi command, and remembers which ones ran.
type operator struct {
	*harness.Rehearsal
	// tools is a folder of commands that come before the machine's, home where they keep what an operator's home has.
	tools, home string
	ran         map[string]int
}

func newOperator(t *testing.T, r *harness.Rehearsal) *operator {
	o := &operator{Rehearsal: r, tools: t.TempDir(), home: t.TempDir(), ran: map[string]int{}}
	require.NoError(t, os.Mkdir(filepath.Join(o.home, ".ssh"), 0o700))
	// Both look for the user's home in the machine's list of users, whatever HOME says. A git host's key is the program's
	// affair, which says where it is.
	for name, script := range map[string]string{
		"ssh":        `case "$*" in *UserKnownHostsFile=*) exec /usr/bin/ssh "$@" ;; esac; exec /usr/bin/ssh -F none -o StrictHostKeyChecking=yes -o UserKnownHostsFile=` + o.home + `/.ssh/known_hosts "$@"`,
		"ssh-keygen": "[ \"$1\" = -R ] && set -- -f " + o.home + "/.ssh/known_hosts \"$@\"; exec /usr/bin/ssh-keygen \"$@\"",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(o.tools, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	return o
}

// cutOff kills an update that gives the site one more name, while AWS makes its first record, and tells which.
func (o *operator) cutOff(t *testing.T, kind string) (record string) {
	t.Helper()
	o.must("pulumi config set --path 'berth:aliases[1]' cut.example.test")
	o.InjectFaults(harness.Fault{Operation: "create", Kind: kind})
	// One after the other: nothing else is being made when it is killed.
	up := o.Start("shell", "--", "pulumi", "up", "--yes", "--parallel", "1")
	cut := o.AwaitFault(up)
	up.Kill()
	output, _ := up.Wait()
	require.True(t, cut, output)
	record = strings.Fields(o.Injected()[0])[2]
	o.InjectFaults()
	return record
}

// in is the operator of a subtest.
func (o *operator) in(t *testing.T) *operator { own := *o; own.Rehearsal = o.In(t); return &own }

// shell runs a script where the pulumi command works on the rehearsal.
func (o *operator) shell(script, input string) (string, error) {
	return o.TryWith(input, "shell", "--", "env", "HOME="+o.home, "bash", "-c", "set -euo pipefail; PATH="+o.tools+":$PATH\n"+script)
}

// must is shell for what has to succeed.
func (o *operator) must(script string) string {
	o.T().Helper()
	output, err := o.shell(script, "")
	require.NoErrorf(o.T(), err, "%s:\n%s", script, output)
	return output
}

// block runs the next operator's block of a page, with the examples' names replaced, and gives its output.
func (o *operator) block(page string, names ...string) string {
	o.T().Helper()
	script := o.next(page, names...)
	output, err := o.shell(script, "what-is-typed-in\n")
	require.NoErrorf(o.T(), err, "%s:\n%s\n%s", page, script, output)
	return output
}

// next is the script of the next block of a page, with the examples' names replaced.
func (o *operator) next(page string, names ...string) string {
	o.T().Helper()
	blocks := operatorsBlocks(o.T(), page)
	require.Less(o.T(), o.ran[page], len(blocks), "%s has no further block", page)
	script := blocks[o.ran[page]]
	o.ran[page]++
	for i := 0; i+1 < len(names); i += 2 {
		require.Contains(o.T(), script, names[i])
	}
	return strings.NewReplacer(append(names, "production", "rehearsal")...).Replace(script)
}

func operatorsBlocks(t *testing.T, page string) (scripts []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "runbook", page))
	require.NoError(t, err)
	for _, block := range runbook.Blocks(text) {
		if block.Kind == runbook.Operator {
			scripts = append(scripts, block.Script)
		}
	}
	return scripts
}

// TestTheRunbookAsItStands does what every page tells the operator to do, and checks whether it helped.
func TestTheRunbookAsItStands(t *testing.T) {
	if os.Getenv("BERTH_RUNBOOK") == "" {
		t.Skip("make test-runbook runs it")
	}
	r := harness.New(t, "berth-test")
	sample := r.App
	r.App = filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.CopyFS(r.App, os.DirFS(sample)))
	r.Run("up")
	whole := newOperator(t, r)
	site := harness.NewSite(t, r.Account().Only("aws:ec2/eip:Eip").Output("publicIp"), r.File("root.pem"))
	site.Write("kept through every page")
	first := strings.TrimSpace(r.Named("FIRST"))

	page := func(name string, run func(t *testing.T, o *operator, site *harness.Site)) {
		t.Run(name, func(t *testing.T) {
			run(t, whole.in(t), site.In(t))
			site.Client.CloseIdleConnections()
			// A server that was stopped and started takes its time, and nothing awaits it.
			require.Eventually(t, func() bool {
				response, err := site.Client.Get("https://" + harness.Domain + "/api/notes")
				return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
			}, time.Minute, 200*time.Millisecond)
			assert.Contains(t, site.In(t).Notes(), "kept through every page")
		})
	}
	page("README.md", func(t *testing.T, o *operator, _ *harness.Site) {
		assert.Contains(t, o.block("README.md"), "ssh -i key.pem admin@")
		assert.Contains(t, o.must("pulumi preview"), "unchanged", "the program under Pulumi's own command is the rehearsal's")
	})
	page("locked-out-of-ssh.md", func(t *testing.T, o *operator, _ *harness.Site) {
		const login = `timeout 5 ssh -o BatchMode=yes -i key.pem "admin@$(pulumi stack output address)" true`
		o.must("pulumi config set --path 'berth:operatorCidrs[0]' 192.0.2.1/32 && pulumi up")
		_, err := o.shell(login, "")
		require.Error(t, err, "locked out")
		o.block("locked-out-of-ssh.md", "198.51.100.7/32", o.Address(harness.OperatorHost)+"/32")
		o.block("locked-out-of-ssh.md")
		o.block("locked-out-of-ssh.md")
		o.block("locked-out-of-ssh.md")
	})
	page("dns.md", func(t *testing.T, o *operator, _ *harness.Site) {
		zone, address := o.Account().Only("aws:route53/zone:Zone").ID, o.Account().Only("aws:ec2/eip:Eip").Output("publicIp")
		said := o.block("dns.md", "Z0123456789ABCDEFGHIJ", zone, "app.example.com", harness.Domain)
		assert.Equal(t, 2, strings.Count(said, address), "the output, and what Route 53 answers:\n%s", said)
		assert.Contains(t, said, "/hostedzone/"+zone)
		records := len(o.Account().All("aws:route53/record:Record"))
		lose(t, o.Rehearsal, "aws:route53/record:Record")
		o.block("dns.md")
		assert.Len(t, o.Account().All("aws:route53/record:Record"), records, "somebody deleted them all, and they are back")
		assert.Contains(t, o.block("dns.md", "Z0123456789ABCDEFGHIJ", zone), "awsdns")
	})
	page("release-broke.md", func(t *testing.T, o *operator, site *harness.Site) {
		o.Commit(map[string]string{"web/index.html": "broken"})
		o.must("pulumi up")
		assert.Equal(t, "broken", site.Page("https://"+harness.Domain+"/"))
		o.block("release-broke.md", "v1.4.1", first)
		page := site.Page("https://" + harness.Domain + "/")
		assert.Contains(t, page, "<title>")
		o.Commit(map[string]string{"web/index.html": page})
		o.must("pulumi config set berth:ref main")
	})
	page("grow-the-volume.md", func(t *testing.T, o *operator, _ *harness.Site) {
		o.block("grow-the-volume.md")
		assert.Equal(t, "40", strings.TrimSpace(o.SSH("df --output=size --block-size=1G /data | tail -n 1")))
	})
	page("bigger-instance.md", func(t *testing.T, o *operator, _ *harness.Site) {
		o.block("bigger-instance.md")
		assert.Equal(t, "t3.small", o.Account().Only("aws:ec2/instance:Instance").Output("instanceType"))
	})
	page("rotate-keys.md", func(t *testing.T, o *operator, _ *harness.Site) {
		login := func(key string) error {
			_, err := o.shell(fmt.Sprintf(`ssh-keygen -R "$(pulumi stack output address)"; pulumi stack output sshHostKey >~/.ssh/known_hosts; ssh -o BatchMode=yes -o IdentitiesOnly=yes -i %s "admin@$(pulumi stack output address)" true`, key), "")
			return err
		}
		const page = "rotate-keys.md"
		require.NoError(t, login("key.pem"))
		o.block(page)
		require.Error(t, login("key.pem"), "the old key is refused")
		o.block(page)
		require.NoError(t, login("new_key"))
		require.NoError(t, os.Remove(filepath.Join(o.Dir, "known_hosts")), "what the driver knows of the server is the old one's")
		o.block(page)
		public, err := os.ReadFile(filepath.Join(o.Dir, "operator", "deploy_key.pub"))
		require.NoError(t, err)
		git := exec.CommandContext(t.Context(), "docker", "exec", "-i", o.Name+"-git", "sh", "-c", "cat > /home/git/.ssh/authorized_keys")
		git.Stdin = strings.NewReader(string(public))
		output, err := git.CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
		o.block(page)
		o.block(page)
		assert.Equal(t, "1", strings.TrimSpace(o.SSH(`sudo grep -c '^SESSION_KEY=' /data/releases/current/.env.production`)))
	})
	page("server-gone.md", func(t *testing.T, o *operator, _ *harness.Site) {
		const page = "server-gone.md"
		before := o.Account().Only("aws:ec2/instance:Instance").ID
		assert.Regexp(t, before+`\trunning\s*(?s:.*)`+before+`\tok\tok`, o.block(page))
		assert.Contains(t, o.block(page, "i-0123456789abcdef0", before), `"Name": "running"`)
		o.block(page)
		o.block(page)
		assert.NotEqual(t, before, o.Account().Only("aws:ec2/instance:Instance").ID)
	})
	page("interrupted.md", func(t *testing.T, o *operator, _ *harness.Site) {
		const page = "interrupted.md"
		records := len(o.Account().All("aws:route53/record:Record"))
		o.cutOff(t, "hold")
		// A rehearsal sees that no update is running and removes the lock itself; the command is there for a stack in production.
		assert.Contains(t, o.block(page), "taking its lock away")
		assert.Len(t, o.Account().All("aws:route53/record:Record"), records+2, "A and AAAA of the new name")

		// The rehearsal's own shell would not open with a state that cannot be read, so this is done in one.
		o.must(": >" + filepath.Join(o.Dir, "backend", ".pulumi", "stacks", "berth", "rehearsal.json.attrs") + `
if pulumi stack >said 2>&1; then exit 1; fi
grep 'failed to load checkpoint: EOF' said
` + o.next(page, "~/berth-state", filepath.Join(o.Dir, "backend")))

		o.must("pulumi config rm --path 'berth:aliases[1]' && pulumi up && pulumi config set --path 'berth:aliases[1]' cut.example.test")
		name := o.cutOff(t, "lose")
		o.must("pulumi cancel --yes")
		listing := []string{"go run ./cmd/recover", o.Recover()}
		assert.Contains(t, o.block(page, listing...), name+"  aws:route53/record:Record  ")
		var lost string
		for _, record := range o.Account().All("aws:route53/record:Record") {
			if kind, host, _ := strings.Cut(name, "-"); record.Output("name") == host && strings.EqualFold(record.Output("type"), kind) {
				lost = record.ID
			}
		}
		require.NotEmpty(t, lost, "AWS made it")
		o.block(page, append(listing, "vpc=vpc-0123456789abcdef0", name+"="+lost)...)
		o.block(page)
		assert.Len(t, o.Account().All("aws:route53/record:Record"), records+2)
		assert.Contains(t, o.block(page), "unchanged")
		o.must("pulumi config rm --path 'berth:aliases[1]' && pulumi up")
	})
	page("change-domain.md", func(t *testing.T, o *operator, site *harness.Site) {
		o.block("change-domain.md", "new.example.com", "new.example.test")
		assert.Contains(t, site.Page("https://new.example.test/"), "<title>")
		o.block("change-domain.md", "new.example.com", "new.example.test", "app.example.com", harness.Domain)
		site.Client.CloseIdleConnections()
		assert.Contains(t, site.Page("https://new.example.test/"), "<title>")
		o.must("pulumi config set berth:domain " + harness.Domain + " && pulumi config set --path 'berth:aliases[1]' new.example.test && pulumi up")
	})
	t.Run("restore.md", func(t *testing.T) {
		o, site := whole.in(t), site.In(t)
		site.Write("in the snapshot")
		snapshot := strings.TrimSpace(o.Run("snapshot"))
		site.Write("after the snapshot")
		assert.Regexp(t, snapshot+`\t\S+\t\d+\tcompleted`, o.block("restore.md"))
		o.block("restore.md", "snap-0123456789abcdef0", snapshot)
		site.Client.CloseIdleConnections()
		assert.Contains(t, site.Notes(), "in the snapshot")
		assert.NotContains(t, site.Notes(), "after the snapshot")
	})
	t.Run("rotate-keys.md, the passphrase", func(t *testing.T) {
		o := whole.in(t)
		o.block("rotate-keys.md")
		const read = "pulumi stack output --show-secrets sshPrivateKey"
		_, err := o.shell(read, "")
		require.Error(t, err, "the old one opens nothing")
		assert.Contains(t, o.must("PULUMI_CONFIG_PASSPHRASE=what-is-typed-in "+read), "OPENSSH PRIVATE KEY")
	})
	t.Run("every block of every page ran", func(t *testing.T) {
		pages, err := filepath.Glob("../docs/runbook/*.md")
		require.NoError(t, err)
		for _, page := range pages {
			name := filepath.Base(page)
			assert.Len(t, operatorsBlocks(t, name), whole.ran[name], name)
		}
	})
}

// runbookOnServer runs what the pages have for the server.
func runbookOnServer(t *testing.T, s scene) {
	r := s.r
	pages, err := filepath.Glob("../docs/runbook/*.md")
	require.NoError(t, err)
	require.Greater(t, len(pages), 10)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range runbook.Blocks(text) {
			if block.Kind == runbook.Host {
				output, err := r.TrySSH("set -e\n"+block.Script, "")
				assert.NoErrorf(t, err, "%s:\n%s\n%s", page, block.Script, output)
			}
		}
	}
}

// lose takes the resources of a type out of the account by hand, as somebody in AWS's console does.
func lose(t *testing.T, r *harness.Rehearsal, typ string) {
	t.Helper()
	var account struct {
		Number    string
		Resources map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(r.File("aws/aws.json")), &account))
	for name := range account.Resources {
		if strings.HasPrefix(name, typ+"::") {
			delete(account.Resources, name)
		}
	}
	text, err := json.Marshal(account)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, "aws", "aws.json"), text, 0o600))
}
