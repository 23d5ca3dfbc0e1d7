package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// TestAnAppOfYourOwn rehearses an app that knows nothing of Berth, from a git URL, as make rehearse APP=… does.
func TestAnAppOfYourOwn(t *testing.T) {
	harness.Long(t)
	r := harness.New(t, "berth-test")
	// No --app: what try was given is meant from then on.
	source := filepath.Join(r.Project, "tests", "apps", "own")
	r.App = ""
	url := "file://" + repositoryOf(t, source)
	output := r.Run("try", url)
	for _, said := range []string{
		"route      /      -> port 80 of site", "variable   LIMIT=10", "secret     SESSION_SECRET, a random one",
		"advice: docker-compose.yml:6: the published ports of site stay closed",
		"advice: docker-compose.yml:14: the value of SECRET_KEY of counter can be read by everyone",
		"advice: docker-compose.yml:15: counter mounts committed files over what its image holds at /app",
		harness.Domain + "/ answers 200 OK",
	} {
		assert.Contains(t, output, said)
	}
	site := harness.NewSite(t, r.Account().Only("aws:ec2/eip:Eip").Output("publicIp"), r.File("root.pem"))
	assert.Contains(t, site.Page("https://"+harness.Domain+"/"), "An app like any other")
	assert.Equal(t, "1", site.Page("https://"+harness.Domain+"/count"))

	again := r.Run("try", url)
	assert.Contains(t, again, "SSH connections opened: 0", "the random secret stays, so nothing changed")
	assert.Contains(t, r.Run("up"), "SSH connections opened: 0", "without a name the same app is meant")
	output, err := r.Try("try", source)
	require.Error(t, err)
	assert.Contains(t, output, "runs another app, ")
}

// repositoryOf is a git repository with a folder's files.
func repositoryOf(t *testing.T, folder string) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "own")
	require.NoError(t, os.CopyFS(at, os.DirFS(folder)))
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}, {"-c", "user.name=T", "-c", "user.email=t@example.test", "commit", "--quiet", "--message", "first"}} {
		output, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", at}, args...)...).CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
	}
	return at
}
