package provision

import (
	"fmt"

	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestADumpLeavesTheDatabaseItsRoom: it is checked first, what comes out is cut off at the reserve, and nothing of a dump that
// failed stays.
func TestADumpLeavesTheDatabaseItsRoom(t *testing.T) {
	const before = `kept_releases() { echo old; }; running() { echo "$2"; }; in_database() { %s; }; free_mib() { echo %d; }; echo x >"$RELEASES/dumps/20260101T000000Z_old_db.postgres.partial"
(dump_databases old old) || echo "refused"; ls "$RELEASES/dumps"`
	for name, test := range map[string]struct {
		last, dump string
		free       int
		refused    string
	}{
		"there is room":                       {dump: "echo a dump", free: 2000},
		"none beside the reserve":             {dump: "echo a dump", free: 512, refused: "there is no room to dump the database of db: 0 MiB may be taken of what is free"},
		"not for one like the last":           {last: strings.Repeat("x", 1<<20), dump: "echo a dump", free: 513, refused: "the last dump had 1 MiB [no-room-for-dump]; see what takes it: sudo /opt/berth/log-monitor.sh sizes"},
		"it is larger than the last":          {last: "x", dump: "head --bytes=2M /dev/urandom", free: 513, refused: "it takes more than the 1 MiB that a dump may take of what is free"},
		"it has no end":                       {dump: "cat /dev/urandom", free: 514, refused: "it takes more than the 2 MiB"},
		"the database ends in the middle":     {dump: "echo half; exit 1", free: 2000, refused: "cannot dump the database of db (the lines above say why"},
		"it says nothing":                     {dump: ":", free: 2000, refused: "the dump is empty"},
		"what is free cannot be told":         {dump: "echo a dump", free: -1, refused: "nothing is done on a guess"},
		"it is as large as the last, with it": {last: strings.Repeat("x", 1<<20), dump: "echo a dump", free: 514},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"old/plan.json": `{"stateful":["db"],"databases":[{"service":"db","kind":"postgres"}]}`, "dumps/20260101T000000Z_old_web.mysql": "x"}
			if test.last != "" {
				files["dumps/20260102T000000Z_old_db.postgres"] = test.last
			}
			line := fmt.Sprintf(before, test.dump, test.free)
			if test.free < 0 {
				line = strings.Replace(line, "echo -1", "false", 1)
			}
			output, err := withDocker(t, ``, line, files)
			require.NoError(t, err, output)
			assert.NotContains(t, output, ".partial\n", "nothing of it stays")
			if test.last != "" {
				assert.Contains(t, output, "20260102T000000Z_old_db.postgres\n", "the last good one stays")
			}
			if test.refused == "" {
				assert.NotContains(t, output, "refused")
				assert.Contains(t, output, "dumped the database of db")
				return
			}
			assert.Contains(t, output, test.refused)
			assert.Contains(t, output, "refused")
		})
	}
}

// TestDumpsArePruned by age, number and size; what a kept release can go back to stays, whatever it takes.
func TestDumpsArePruned(t *testing.T) {
	prune := func(size string, files map[string]string) []string {
		t.Helper()
		output, err := withDocker(t, ``, `kept_releases() { printf '%s\n' new old; }; df() { printf '%s\n' Size `+size+`; }; date() { echo 20260110T000000Z; }; prune_dumps; ls "$RELEASES/dumps"`, files)
		require.NoError(t, err, output)
		var left []string
		for _, name := range strings.Fields(output) {
			left = append(left, filepath.Base(name))
		}
		return left
	}
	kib := strings.Repeat("x", 1<<10)
	all := func() map[string]string {
		return map[string]string{
			"dumps/20260101T000000Z_old_db.postgres": kib, "dumps/20260102T000000Z_old_db.postgres": kib, "dumps/20260102T000000Z_old_cache.redis": kib,
			"dumps/20260103T000000Z_gone_db.postgres": kib, "dumps/20260111T000000Z_gone_db.postgres": kib, "dumps/20260112T000000Z_new_db.postgres": kib,
			"dumps/20260113T000000Z_new_db.postgres": kib, "dumps/20260114T000000Z_new_db.postgres.partial": kib,
		}
	}
	// The newest of all stays where no release can be returned to any more.
	assert.Contains(t, prune("100", map[string]string{"dumps/20260101T000000Z_gone_db.postgres": kib, "dumps/20260102T000000Z_gone_db.postgres": kib, "dumps/20260103T000000Z_gone_own_db.postgres": kib}), "20260102T000000Z_gone_db.postgres")
	needed := []string{"20260102T000000Z_old_cache.redis", "20260102T000000Z_old_db.postgres", "20260113T000000Z_new_db.postgres"}
	assert.ElementsMatch(t, append(needed, "20260111T000000Z_gone_db.postgres", "20260112T000000Z_new_db.postgres"), prune("1000000", all()), "by age")
	assert.ElementsMatch(t, append(needed, "20260112T000000Z_new_db.postgres"), prune(fmt.Sprint(4*(4<<10)+400), all()), "by size, the oldest first")
	assert.ElementsMatch(t, needed, prune("100", all()), "what is needed stays")
	many := map[string]string{}
	for day := range 15 {
		for _, service := range []string{"db", "own"} {
			many[fmt.Sprintf("dumps/202602%02dT000000Z_gone_%s.postgres", day+1, service)] = "x"
		}
	}
	assert.Len(t, prune("1000000", many), 20, "by number")
	output, err := withDocker(t, ``, `kept_releases() { return 1; }; (prune_dumps) || true; ls "$RELEASES/dumps"`, all())
	require.NoError(t, err, output)
	assert.Contains(t, output, "20260101T000000Z_old_db.postgres", "nothing goes where what is kept cannot be told")
}

// TestANightWithoutADumpIsSaid, for each database alone.
func TestANightWithoutADumpIsSaid(t *testing.T) {
	check := func(failed string, dumps map[string]string) string {
		t.Helper()
		files := map[string]string{"abc/plan.json": `{"databases":[{"service":"db","kind":"postgres"},{"service":"cache","kind":"redis"}]}`, "abc/released.json": "{}",
			"bin/systemctl": "#!/bin/bash\necho " + failed + "\n[ " + failed + " = failed ]\n"}
		line := `source scripts/health/site.sh; result() { echo "$@"; }; `
		for name, age := range dumps {
			files["dumps/"+name] = "x"
			line += `touch --date "` + age + `" "$RELEASES/dumps/` + name + `"; `
		}
		output, err := withDocker(t, ``, line+`check_dumps abc`, files)
		require.NoError(t, err, output)
		return output
	}
	fresh := map[string]string{"20260102T000000Z_abc_db.postgres": "3 hours ago", "20260102T000000Z_abc_cache.redis": "5 hours ago"}
	assert.Equal(t, "backup 0 the database was dumped 5 hours ago 5\n", check("inactive", fresh))
	assert.Contains(t, check("failed", fresh), "backup 2 the last dump of a night failed")
	assert.Contains(t, check("inactive", map[string]string{"20260102T000000Z_abc_db.postgres": "3 hours ago", "20260102T000000Z_abc_cache.redis": "50 hours ago"}), "backup 1 the last dump of the database is 50 hours old")
	assert.Contains(t, check("inactive", map[string]string{"20260102T000000Z_abc_own_db.postgres": "3 hours ago", "20260102T000000Z_abc_cache.redis": "3 hours ago"}), "the database of db was never dumped", "another service's name ends so")
	assert.Contains(t, check("inactive", map[string]string{"20260102T000000Z_abc_db.postgres": "3 hours ago"}), "backup 0 the database of cache was never dumped", "a release of now had no night yet")
}
