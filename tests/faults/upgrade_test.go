package faults

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/load"
	"berth/tests/report"
)

// olderPostgres makes the app's database one of Postgres 15, which Debian 12 has.
var olderPostgres = strings.NewReplacer("17", "15", "RUN apt-get update", "RUN sed 's/trixie/bookworm/g' /etc/apt/sources.list >/etc/apt/sources.list.d/bookworm.list \\\n && apt-get update")

// TestADatabaseGetsAnotherMajorVersion while writes go on: refused at first; moved when it is asked for; and back as it was where that
// fails, or is killed on the way.
func TestADatabaseGetsAnotherMajorVersion(t *testing.T) {
	r := harness.New(t, "berth-faults")
	settings := append(r.LoadApp(), "--set", "healthyWithin=60")
	newer, older := map[string]string{"VERSION": "v2"}, map[string]string{"VERSION": "v1"}
	for _, name := range []string{"db/Dockerfile", "db/start.sh"} {
		text, err := os.ReadFile(filepath.Join(r.App, name))
		require.NoError(t, err)
		newer[name], older[name] = string(text), olderPostgres.Replace(string(text))
		require.NotEqual(t, newer[name], older[name])
	}
	r.Commit(older)
	r.Run(append([]string{"up"}, settings...)...)
	s := harness.NewSite(t, r.Account().Only(address).Output("publicIp"), r.File("root.pem"))
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(r.File("root.pem"))))
	version := func(want string) {
		t.Helper()
		assert.Contains(t, r.SSH("sudo docker exec $(sudo docker ps --quiet --filter label=com.docker.compose.service=db) postgres --version"), "(PostgreSQL) "+want+".")
	}
	version("15")
	const upgrade = "sudo /opt/berth/deploy.sh deploy --upgrade-database"
	run := load.Start(t.Context(), load.Target{Domain: harness.Domain, Address: r.Account().Only(address).Output("publicIp"), Roots: roots}, load.Plan{Rate: 100, Request: "/work", WritePath: "/count"})
	awaitRows(t, s, len(s.Rows())+100)

	newer["behaviour"] = "crash"
	r.Commit(newer)
	output, err := r.Try("up")
	require.Error(t, err, output)
	assert.Contains(t, output, "is Postgres 17, which does not start on the data of Postgres 15")
	assert.Contains(t, output, upgrade)
	awaitRows(t, s, len(s.Rows())+100)

	output, err = r.TrySSH(upgrade, "")
	require.Error(t, err, output)
	assert.Contains(t, output, "the new version of db holds what the old one held")
	assert.Contains(t, output, "taking the upgrade of db back")
	comesBack(s)
	version("15")
	awaitRows(t, s, len(s.Rows())+100)

	r.Commit(map[string]string{"behaviour": "ok"})
	output, err = r.Try("up")
	require.Error(t, err, output)
	r.SSH("sudo systemd-run --quiet --collect --unit killed-upgrade " + strings.TrimPrefix(upgrade, "sudo ") +
		" && until sudo test -e /data/upgrades/db.json; do sleep 0.1; done; sudo systemctl kill --signal KILL killed-upgrade")
	output = r.SSH(upgrade)
	assert.Contains(t, output, "taking the upgrade of db back")
	assert.Contains(t, output, "the new version of db holds what the old one held")
	comesBack(s)
	version("17")
	r.Run("up")
	r.SSH("sudo /opt/berth/deploy.sh rollback")
	version("17")
	comesBack(s)
	r.SSH("sudo /opt/berth/deploy.sh rollback")
	awaitRows(t, s, len(s.Rows())+100)
	visitors := run.Stop()
	t.Logf("%s", visitors)
	lost := missing(visitors.Written, s.Rows())
	assert.Empty(t, lost)

	assert.Contains(t, r.SSH("sudo /opt/berth/deploy.sh status"), "the data of db from before its upgrade is kept in ")
	assert.Contains(t, r.SSH("sudo docker volume ls --quiet"), "app_db-data_before_")
	r.SSH("sudo /opt/berth/deploy.sh confirm-upgrade")
	assert.NotContains(t, r.SSH("sudo docker volume ls --quiet"), "_before_")
	report.Add(t, data, "The database goes from Postgres 15 to 17: refused; moved when asked for; back where the release fails; killed on the way and run again",
		fmt.Sprintf("%d writes acknowledged, %d lost", len(visitors.Written), len(lost)))
}
