package language

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// maker makes projects from Berth as a template, with the real `pulumi new`.
type maker struct {
	t *testing.T
	// folder is where the project is made, program where its program is built.
	folder, program string
	environment     []string
}

func newMaker(t *testing.T) *maker {
	cli := os.Getenv("BERTH_PULUMI")
	if cli == "" {
		t.Skip("BERTH_PULUMI does not name the Pulumi CLI; make tools builds it")
	}
	scratch := t.TempDir()
	m := &maker{t: t, folder: filepath.Join(scratch, "site"), program: filepath.Join(scratch, "program")}
	state := filepath.Join(scratch, "state")
	require.NoError(t, os.Mkdir(state, 0o700))
	require.NoError(t, os.Symlink(cli, filepath.Join(scratch, "pulumi")))
	port, stop, err := Serve(filepath.Join("..", "program"))
	require.NoError(t, err)
	t.Cleanup(stop)
	m.environment = append(os.Environ(), "PATH="+scratch+":"+os.Getenv("PATH"), "PULUMI_HOME="+filepath.Join(scratch, "home"),
		"PULUMI_BACKEND_URL=file://"+state+"?metadata=skip", "PULUMI_CONFIG_PASSPHRASE=test", "PULUMI_SKIP_UPDATE_CHECK=true",
		"BERTH_CACHE="+filepath.Join(scratch, "cache"), fmt.Sprintf("PULUMI_DEBUG_LANGUAGES=go:%d", port))
	return m
}

// try runs a script, in the project's folder where that is there.
func (m *maker) try(script string, input ...string) (string, error) {
	command := exec.CommandContext(m.t.Context(), "sh", "-ec", script)
	if _, err := os.Stat(m.folder); err == nil {
		command.Dir = m.folder
	}
	command.Env, command.Stdin = m.environment, strings.NewReader(strings.Join(input, "\n")+"\n")
	output, err := command.CombinedOutput()
	return string(output), err
}

func (m *maker) run(script string, input ...string) string {
	m.t.Helper()
	output, err := m.try(script, input...)
	require.NoErrorf(m.t, err, "%s:\n%s", script, output)
	return output
}

// berth is Berth's own folder.
func berth(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../..")
	require.NoError(t, err)
	return folder
}

// serve makes Berth, as git would take it from this folder, a repository that is reached over HTTPS.
func (m *maker) serve() (url string) {
	m.t.Helper()
	programs, err := exec.CommandContext(m.t.Context(), "git", "--exec-path").Output()
	require.NoError(m.t, err)
	root := m.t.TempDir()
	repository := filepath.Join(root, "you", "berth.git")
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", repository},
		{"--git-dir", repository, "--work-tree", berth(m.t), "add", "--all", "."},
		{"--git-dir", repository, "--work-tree", berth(m.t), "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "Berth"},
	} {
		command := exec.CommandContext(m.t.Context(), "git", args...)
		command.Dir, command.Env = berth(m.t), append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull)
		output, err := command.CombinedOutput()
		require.NoErrorf(m.t, err, "git %v: %s", args, output)
	}
	server := httptest.NewTLSServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(programs)), "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	})
	m.t.Cleanup(server.Close)
	trusted := filepath.Join(root, "trusted.pem")
	require.NoError(m.t, os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	m.environment = append(m.environment, "SSL_CERT_FILE="+trusted)
	return server.URL + "/you/berth.git"
}

// new answers what `pulumi new` asks: name, description, stack, and then the settings in the order of their names.
func (m *maker) new(template string, answers ...string) string {
	m.t.Helper()
	output := m.run("PULUMI_TEST_INTERACTIVE=true pulumi new --dir "+m.folder+" "+template, answers...)
	// In a second working tree of a repository .git is a file, and copied.
	require.NoError(m.t, os.RemoveAll(filepath.Join(m.folder, ".git")))
	return output
}

// settings are the stack's as Pulumi has them.
func (m *maker) settings(project string) (*config.Config, *config.Problems) {
	m.t.Helper()
	var listed map[string]struct {
		Value  string
		Secret bool
	}
	require.NoError(m.t, json.Unmarshal([]byte(m.run("pulumi config --show-secrets --json")), &listed))
	settings := map[string]string{}
	for key, setting := range listed {
		settings[key] = setting.Value
	}
	return config.Parse(project, settings, func(key string) bool { return listed[key].Secret })
}

// TestPulumiNewMakesAProjectThatRuns answers every question, and gives the project a name of its own.
func TestPulumiNewMakesAProjectThatRuns(t *testing.T) {
	m := newMaker(t)
	// Nothing listens on port 1 (tcpmux).
	said := m.new(berth(t), "shop", "", "live", "you@example.com", "shop.example.com", "203.0.113.7/32", "", "https://127.0.0.1:1/app.git", "api:8000")
	assert.Contains(t, said, "make doctor")
	for _, asked := range []string{"(berth:acmeEmail)", "(berth:domain)", "(berth:operatorCidrs)", "(berth:region) (eu-central-1)", "(berth:repository)", "(berth:routes) (web:80)"} {
		assert.Contains(t, said, asked)
	}
	cfg, problems := m.settings("shop")
	require.Nil(t, problems)
	assert.Equal(t, "shop.example.com", cfg.Domain)
	assert.Equal(t, "example.com", cfg.Zone)
	assert.Equal(t, "eu-central-1", cfg.Region)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")}, cfg.OperatorCIDRs)
	assert.Equal(t, []config.Route{{Path: "/", Service: "api", Port: 8000}}, cfg.Routes)

	m.run("go build -o " + m.program + " .")
	info, err := os.Stat(filepath.Join(m.folder, "tools", "machine.sh"))
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o100, "scripts can be run")
	output, err := m.try("pulumi preview")
	require.Error(t, err, "the app is not there")
	assert.Contains(t, output, `ask https://127.0.0.1:1/app.git for "main"`, "the settings are sound, and the next thing was tried")

	// What the manual and the fixing commands say works in a project of another name, too, and so does Pulumi's own way.
	m.run("pulumi config set berth:instanceType t3.small && pulumi config set --path 'berth:routes[0].path' / && pulumi config set --path 'berth:routes[0].service' web && pulumi config set --path 'berth:routes[0].port' 80")
	m.run("pulumi config set volumeSize 40 && pulumi config set --path 'berth:operatorCidrs[0]' 198.51.100.7/32")
	m.run("pulumi config set --secret --path berth:secrets.TOKEN", "canary")
	cfg, problems = m.settings("shop")
	require.Nil(t, problems)
	assert.Equal(t, "t3.small", cfg.InstanceType)
	assert.Equal(t, 40, cfg.VolumeSize)
	assert.Equal(t, "web", cfg.Routes[0].Service)
	assert.Equal(t, "canary", cfg.Secrets["TOKEN"])
	m.run("pulumi config set berth:volumeSize 50")
	output, err = m.try("pulumi preview")
	require.Error(t, err)
	assert.Contains(t, output, "shop:volumeSize: berth:volumeSize is set, too, to something else; one of them has to go [setting-twice]. Fix: pulumi config rm shop:volumeSize")
}

// TestPulumiNewWithoutAnswers is reported with the commands that fix it. The template comes from a git host, and the stack
// is called as the sample is, which stays the manual that it was.
func TestPulumiNewWithoutAnswers(t *testing.T) {
	m := newMaker(t)
	m.new(m.serve(), "", "", "production", "", "", "", "", "", "")
	manual, err := os.ReadFile(filepath.Join(m.folder, "Pulumi.production.yaml"))
	require.NoError(t, err)
	assert.Contains(t, string(manual), "Start yours with `pulumi stack init production`")
	_, problems := m.settings("berth")
	require.Nil(t, problems, "the sample's own settings are sound")

	m.run("pulumi stack init dev")
	_, problems = m.settings("berth")
	require.NotNil(t, problems)
	assert.Len(t, problems.List, 5, "what is required")
	for range problems.List {
		_, problems := m.settings("berth")
		m.run(problems.List[0].Fix)
	}
	_, problems = m.settings("berth")
	assert.Nil(t, problems)
}

// TestAfterAPulumiNewThatFails what README says leads on: it would take neither the folder nor the name again.
func TestAfterAPulumiNewThatFails(t *testing.T) {
	m := newMaker(t)
	again := "pulumi new " + berth(t) + " --dir " + m.folder + " --yes --name shop --stack live -c berth:domain=shop.example.com"
	output, err := m.try("unset PULUMI_CONFIG_PASSPHRASE; " + again)
	require.Error(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(m.folder, ".git")))
	assert.Contains(t, output, "passphrase must be set")
	_, err = m.try(again)
	require.Error(t, err, "which is why README says another way")

	const goOn = "pulumi stack select --create live"
	readme, err := os.ReadFile(filepath.Join(berth(t), "README.md"))
	require.NoError(t, err)
	assert.Contains(t, string(readme), "    "+goOn+"\n")
	m.run(goOn)
	_, problems := m.settings("shop")
	require.NotNil(t, problems)
	for range problems.List {
		_, problems := m.settings("shop")
		m.run(problems.List[0].Fix)
	}
	_, problems = m.settings("shop")
	assert.Nil(t, problems)
	m.run(goOn)
}

// TestASettingThatPulumiIgnoresIsRefused by the program itself, in Pulumi's own run of it.
func TestASettingThatPulumiIgnoresIsRefused(t *testing.T) {
	m := newMaker(t)
	m.new(berth(t), "shop", "", "live", "you@example.com", "shop.example.com", "203.0.113.7/32", "", "https://127.0.0.1:1/app.git", "api:8000")
	m.run("go build -o " + m.program + " .")
	// In this order: the CLI drops what it does not know when it writes the file.
	m.run("pulumi config set berth:keepReleases many; printf 'berth:volumeSize: 40\\n' >>Pulumi.live.yaml")
	output, err := m.try("pulumi preview")
	require.Error(t, err)
	assert.Regexp(t, `berth:volumeSize: line \d+ of Pulumi.live.yaml has it outside config:`, output)
	assert.Contains(t, output, "berth:keepReleases is \"many\"", "with all the others, of a wrong type too")
}
