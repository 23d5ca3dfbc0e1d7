package faults

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

const noDump = "no release goes out without a dump"

// databaseDown releases while the database does not run: the release is refused until it runs again.
func databaseDown(r *harness.Rehearsal, s *harness.Site) {
	r.SSH("sudo docker stop $(sudo docker ps --quiet --filter label=com.docker.compose.service=db)")
	r.Commit(map[string]string{"VERSION": "down"})
	output, err := r.Try("up")
	require.Error(r.T(), err, output)
	assert.Contains(r.T(), output, "the database of db does not run, so it cannot be dumped, and "+noDump)
	assert.Contains(r.T(), output, "start it: sudo docker start ")
	r.SSH("sudo docker start $(sudo docker ps --all --quiet --filter label=com.docker.compose.service=db)")
	comesBack(s)
	r.Run("up")
}

// noRoomForADump leaves less than a dump leaves to the database: nothing is dumped, nothing of it stays, and the night says so.
func noRoomForADump(r *harness.Rehearsal, _ *harness.Site) {
	r.SSH("sudo /opt/berth/deploy.sh dump")
	r.SSH("sudo fallocate --length $(($(df --output=avail --block-size=1 /data | tail -n 1) - (400 << 20))) /data/filler")
	output, err := r.TrySSH("sudo systemctl start berth-dump.service || { sudo tail -n 20 /var/log/berth/release.log; exit 1; }", "")
	require.Error(r.T(), err, output)
	assert.Contains(r.T(), output, "there is no room to dump the database of db: 0 MiB may be taken")
	assert.Empty(r.T(), r.SSH("sudo find /data/dumps -name '*.partial'"))
	assert.NotEmpty(r.T(), r.SSH("sudo find /data/dumps -name '*_db.postgres'"), "the newest stays")
	assert.Equal(r.T(), "critical", r.Health()["backup"])
	r.SSH("sudo rm /data/filler && sudo systemctl start berth-dump.service")
	assert.Equal(r.T(), "ok", r.Health()["backup"])
}

// compose has a change made to the app's compose file.
func compose(r *harness.Rehearsal, change func(string) string) {
	r.T().Helper()
	text, err := os.ReadFile(filepath.Join(r.App, "compose.yaml"))
	require.NoError(r.T(), err)
	changed := change(string(text))
	require.NotEqual(r.T(), string(text), changed)
	r.Commit(map[string]string{"compose.yaml": changed})
}

// comesAndGoes adds a service with a volume, takes it out again, and returns to the release that has it, twice.
func comesAndGoes(r *harness.Rehearsal, _ *harness.Site) {
	const service = "\n  extra:\n    build: .\n    command: [\"sleep\", \"infinity\"]\n    init: true\n    networks: [own]\n    volumes: [\"extra-data:/extra\"]\n"
	runs := func() string {
		return r.SSH("sudo docker ps --filter label=com.docker.compose.service=extra --format '{{.State}}'")
	}
	compose(r, func(text string) string {
		text = strings.Replace(text, "services:", "networks:\n  own:\nservices:", 1)
		return strings.Replace(text, "\nvolumes:\n", service+"\nvolumes:\n  extra-data:\n", 1)
	})
	r.Run("up", "--set", "healthyWithin=60")
	assert.Equal(r.T(), "running", runs())
	compose(r, func(text string) string { return strings.Replace(text, service, "", 1) })
	r.Run("up")
	assert.Empty(r.T(), runs())
	r.SSH("sudo /opt/berth/deploy.sh rollback")
	assert.Equal(r.T(), "running", runs())
	r.SSH("sudo /opt/berth/deploy.sh rollback")
	assert.Empty(r.T(), runs())
	compose(r, func(text string) string { return strings.Replace(text, "\nvolumes:\n", service+"\nvolumes:\n", 1) })
	r.Run("up")
	assert.Equal(r.T(), "running", runs())
}

// secondServer adds another database server on the same volume: refused before anything is touched.
func secondServer(r *harness.Rehearsal, _ *harness.Site) {
	const second = "\n  second:\n    build: db\n    environment: {POSTGRES_DB: load, POSTGRES_USER: load, POSTGRES_PASSWORD: \"${DATABASE_PASSWORD}\"}\n    volumes: [\"db-data:/var/lib/postgresql/data\"]\n"
	compose(r, func(text string) string { return strings.Replace(text, "\nvolumes:\n", second+"\nvolumes:\n", 1) })
	output, err := r.Try("up")
	require.Error(r.T(), err, output)
	assert.Contains(r.T(), output, "services db and second keep their files in the same volume, db-data, and two servers that use the same files damage them")
	compose(r, func(text string) string { return strings.Replace(text, second, "", 1) })
}

// dockerStopped stops Docker below the containers, which go on: the health check says what to do.
func dockerStopped(r *harness.Rehearsal, _ *harness.Site) {
	r.SSH("sudo systemctl stop docker.socket docker.service")
	output, err := r.TrySSH("sudo /opt/berth/health-check.sh", "")
	require.Error(r.T(), err, output)
	assert.Contains(r.T(), output, "Docker does not answer")
	assert.Contains(r.T(), output, "sudo systemctl restart docker")
	r.SSH("sudo systemctl start docker.socket docker.service")
	// It checks every container's health again.
	require.Eventually(r.T(), func() bool { return r.Health()["containers"] == "ok" }, time.Minute, time.Second)
}

// restoreDrill restores the newest dump beside the site: what it counts lies between what there was before the dump and is now.
func restoreDrill(r *harness.Rehearsal, s *harness.Site) {
	before := len(s.Rows())
	r.SSH("sudo /opt/berth/deploy.sh dump")
	output := r.SSH("sudo /opt/berth/deploy.sh drill")
	counted := regexp.MustCompile(`restored \S+_db\.postgres: (\d+) rows`).FindStringSubmatch(output)
	require.NotNil(r.T(), counted, output)
	rows, err := strconv.Atoi(counted[1])
	require.NoError(r.T(), err)
	assert.GreaterOrEqual(r.T(), rows, before)
	// The migrations' own table has a row or two.
	assert.LessOrEqual(r.T(), rows, len(s.Rows())+10)
	assert.Equal(r.T(), "ok", r.Health()["drill"])
	assert.Empty(r.T(), r.SSH("sudo docker ps --all --quiet --filter label=com.docker.compose.project=berth-drill; sudo ls -d /data/drill 2>/dev/null || true"))
}

// changedPassword gives the app and its database another password, which the database does not know: refused, and what serves goes
// on; taken by the release that is asked to change it; and put back where such a release fails after the switch.
func changedPassword(r *harness.Rehearsal, s *harness.Site) {
	const set, second, third = "!secrets.DATABASE_PASSWORD=", "a-second-Secret_9", "a-third-Secret_9"
	const change = "sudo /opt/berth/deploy.sh deploy --change-password"
	assert.Contains(r.T(), r.Run("preview", "--set", set+second), "the password of database db (POSTGRES_PASSWORD) changes")
	output, err := r.Try("up", "--set", set+second)
	require.Error(r.T(), err, output)
	assert.Contains(r.T(), output, "its database refuses user load with it")
	assert.Contains(r.T(), output, change)
	awaitRows(r.T(), s, len(s.Rows())+50)
	output = r.SSH(change)
	assert.NotContains(r.T(), output, second)
	comesBack(s)
	r.Run("up", "--set", set+second)

	r.Commit(map[string]string{"behaviour": "sick-after"})
	output, err = r.Try("up", "--set", set+third)
	require.Error(r.T(), err, output)
	output, err = r.TrySSH(change, "")
	require.Error(r.T(), err, output)
	assert.Contains(r.T(), output, "changing the password of the database of db back")
	comesBack(s)
	r.Commit(map[string]string{"behaviour": "ok"})
	r.Run("up", "--set", set+second)
}
