package provision

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestVersionsThatReadTheSameData are recognised by what the servers' own programs print.
func TestVersionsThatReadTheSameData(t *testing.T) {
	series := func(kind, version string) string {
		output, err := withDocker(t, "", fmt.Sprintf("source scripts/release/upgrade.sh; series %s '%s'", kind, version), map[string]string{})
		require.NoError(t, err, output)
		return strings.TrimSpace(output)
	}
	for _, test := range [][3]string{
		{"postgres", "17.5 (Debian 17.5-1.pgdg120+1)", "Postgres 17"}, {"postgres", "18beta1", "Postgres 18"}, {"postgres", "9.6.24", "Postgres 9.6"}, {"postgres", "10.23", "Postgres 10"},
		{"mysql", "8.4.5", "MySQL 8.4"}, {"mysql", "8.0.42-0ubuntu0.22.04.1", "MySQL 8.0"}, {"mysql", "11.8.3-MariaDB-ubu2404", "MariaDB 11.8"}, {"mysql", "10.11.13-MariaDB-log", "MariaDB 10.11"},
	} {
		assert.Equal(t, test[2], series(test[0], test[1]), test[1])
	}
	for _, test := range []struct {
		from, to string
		itself   bool
	}{
		{"MySQL 5.7", "MySQL 8.0", true}, {"MySQL 5.7", "MySQL 8.4", false}, {"MySQL 8.0", "MySQL 8.4", true}, {"MySQL 8.0", "MySQL 9.3", false}, {"MySQL 8.4", "MySQL 9.3", true},
		{"MySQL 8.4", "MySQL 8.0", false}, {"MySQL 9.3", "MySQL 9.0", false}, {"MySQL 9.0", "MySQL 9.10", true}, {"MySQL 8.0", "MariaDB 11.8", false}, {"MariaDB 11.8", "MySQL 8.4", false},
		{"MariaDB 10.11", "MariaDB 11.4", true}, {"MariaDB 11.4", "MariaDB 10.11", false}, {"MariaDB 10.11", "MariaDB 10.6", false}, {"Postgres 16", "Postgres 17", false},
	} {
		output, err := withDocker(t, "", fmt.Sprintf("source scripts/release/upgrade.sh; reads_itself '%s' '%s'", test.from, test.to), map[string]string{})
		assert.Equal(t, test.itself, err == nil, "%s to %s: %s", test.from, test.to, output)
	}
}

// checkVersion checks release new, whose image prints wanted, against a server that prints there.
func checkVersion(t *testing.T, kind, there, wanted, before string) (string, error) {
	t.Helper()
	return withDocker(t, `case "$1 $2 $3" in
  "image inspect"*) echo sha256:new ;;
  inspect*) echo sha256:old ;;
  exec*) printf '`+there+`\n/data\n' ;;
  run*) printf '`+wanted+`\n' ;;
esac`, `source scripts/release/upgrade.sh; kept() { return 1; }; need_one_server() { :; }; UPGRADE_DATABASE=""
read_text() { local -n text_of=$1; shift; if [ "$1" = cat ] && [[ $2 == /opt/* ]]; then text_of=script; else text_of=$("$@") || fail command-failed "$1"; fi; }
`+before+`
check_version new db `+kind+` id; echo "goes on, to upgrade: ${TO_UPGRADE[*]}"`, map[string]string{"new/data.json": `{"services":{"db":{"image":"the-image"}}}`})
}

// TestAnotherMajorVersionEndsTheRelease, where the server cannot read the data that is there, and names the way that moves it.
func TestAnotherMajorVersionEndsTheRelease(t *testing.T) {
	for _, test := range []struct{ kind, there, wanted, refused, said string }{
		{"postgres", "16.9", "postgres (PostgreSQL) 17.5", "is Postgres 17, which does not start on the data of Postgres 16", "deploy.sh deploy --upgrade-database"},
		{"postgres", "18.0", "postgres (PostgreSQL) 17.5 (Debian)", "is Postgres 17, which does not start on the data of Postgres 18", "deploy.sh deploy --upgrade-database"},
		{"postgres", "17.4", "postgres (PostgreSQL) 17.5", "", "goes on, to upgrade: "},
		{"postgres", "17.4", "", "", "it cannot be told"},
		{"mysql", "11.4.5-MariaDB", "mariadbd  Ver 10.11.13-MariaDB for debian-linux-gnu on x86_64", "does not start on the data of MariaDB 11.4", "deploy.sh deploy --upgrade-database"},
		{"mysql", "5.7.44", "mysqld  Ver 8.4.5 for Linux on x86_64 (MySQL Community Server - GPL)", "does not start on the data of MySQL 5.7", "deploy.sh deploy --upgrade-database"},
		{"mysql", "8.0.42", "mariadbd  Ver 11.8.3-MariaDB", "does not start on the data of MySQL 8.0", "move it by hand"},
		{"mysql", "8.0.42", "mysqld  Ver 8.4.5 for Linux", "", "cannot read it afterwards"},
	} {
		output, err := checkVersion(t, test.kind, test.there, test.wanted, "")
		assert.Contains(t, output, test.said)
		if test.refused == "" {
			require.NoError(t, err, output)
			continue
		}
		require.Error(t, err, output)
		assert.Contains(t, output, test.refused)
		assert.Contains(t, output, "nothing was changed")
	}
	output, err := checkVersion(t, "postgres", "16.9", "postgres (PostgreSQL) 17.5", "UPGRADE_DATABASE=yes")
	require.NoError(t, err, output)
	assert.Contains(t, output, "to upgrade: db postgres")
	output, err = checkVersion(t, "mysql", "8.0.42", "mariadbd  Ver 11.8.3-MariaDB", "UPGRADE_DATABASE=yes")
	require.Error(t, err, output)
}

// exchange does what mv of coreutils 9.5 and newer does, which the server has.
const exchange = `#!/usr/bin/env python3
import ctypes, os, sys
if "--exchange" not in sys.argv: os.execv("/bin/mv", sys.argv)
a, b = [os.fsencode(one) for one in sys.argv if not one.startswith("--")][1:]
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, a, -100, b, 2): sys.exit(os.strerror(ctypes.get_errno()))
`

// upgraded runs lines on the data of service db, a folder, after what before does.
func upgraded(t *testing.T, lines string) (string, error) {
	t.Helper()
	return withDocker(t, `case $1 in inspect) echo "[{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"$PLACE\",\"Destination\":\"/var/lib/postgresql\",\"RW\":true},{\"Type\":\"bind\",\"Source\":\"/\",\"Destination\":\"/var\",\"RW\":true}]}]" ;; esac`, `
export PLACE=$DATA/binds/pg
mkdir -p "$PLACE"; echo old >"$PLACE/PG_VERSION"; NEW=0123456789ab-cdef MAINTENANCE=$DATA/maintenance
source scripts/release/upgrade.sh; stop_for_good() { echo "stopped $2"; }; running() { :; }; RESTORING=""
keep() { keep_old_data db postgres id 16.9 /var/lib/postgresql/data; }
`+lines, map[string]string{"bin/mv": exchange})
}

// TestTheDataOfBeforeAnUpgradeIsKept until somebody confirms it, and comes back where the upgrade did not come to its end, wherever
// it was interrupted.
func TestTheDataOfBeforeAnUpgradeIsKept(t *testing.T) {
	const look = `echo "place: $(cat "$PLACE/PG_VERSION" 2>&1)"; ls -d "$PLACE".* "$UPGRADES"/* 2>/dev/null || echo "nothing beside"`
	for name, test := range map[string]struct {
		lines string
		fails bool
		said  []string
	}{
		"kept":                   {`keep; ls -A "$PLACE" | wc -l; cat "$PLACE".before_*/PG_VERSION`, false, []string{"0\nold\n"}},
		"undone":                 {`keep; echo new >"$PLACE/PG_VERSION"; undo_upgrades ""; ` + look, false, []string{"taking the upgrade of db back", "place: old\nnothing beside"}},
		"undone before it began": {`mv() { case $* in *--exchange*) return 1 ;; *) command mv "$@" ;; esac; }; (keep) || true; unset -f mv; ls "$UPGRADES"/db.json; undo_upgrades ""; ` + look, false, []string{"place: old\nnothing beside"}},
		"undone twice":           {`keep; undo_upgrades ""; undo_upgrades ""; ` + look, false, []string{"place: old\nnothing beside"}},
		"final":                  {`keep; echo new >"$PLACE/PG_VERSION"; seal_upgrades; undo_upgrades ""; ` + look, false, []string{"place: new\n", "before_0123456789ab"}},
		"confirmed":              {`keep; echo new >"$PLACE/PG_VERSION"; seal_upgrades; tell_kept; confirm_upgrade; ` + look, false, []string{"is kept in", "place: new\nnothing beside"}},
		"not confirmed before":   {`keep; confirm_upgrade`, true, []string{"no data is kept from before an upgrade"}},
		"neither is the old one": {`keep; mkdir "$PLACE".other; rm -r "$PLACE".before_*; mv "$PLACE".other "$PLACE".before_0123456789ab; undo_upgrades ""`, true, []string{"nothing is done on a guess"}},
		"the server still runs":  {`keep; running() { echo 0123456789abcdef; }; undo_upgrades ""`, true, []string{"still runs, so its files were not moved [database-still-running]; stop it: sudo docker stop 0123456789ab"}},
		"done is nonsense":       {`keep; sed -i 's/"done": false/"done": null/' "$UPGRADES"/db.json; undo_upgrades ""`, true, []string{"does not say whether its upgrade is done"}},
		"another folder is kept": {`keep; seal_upgrades; mkdir "$PLACE".other; rm -r "$PLACE".before_*; mv "$PLACE".other "$PLACE".before_0123456789ab; confirm_upgrade`, true, []string{"is not the data of db from before its upgrade, so it was not removed"}},
		"a dump meanwhile":       {`keep; refuse_interrupted`, true, []string{"is not dumped [upgrade-interrupted]; take the upgrade back: sudo /opt/berth/deploy.sh"}},
		"a dump after it":        {`keep; seal_upgrades; refuse_interrupted; ` + look, false, []string{"before_0123456789ab"}},
		"upgraded and changed":   {`TO_UPGRADE=("db postgres") NEW_PASSWORDS=("db postgres" "other mysql") ANEW="db web"; keep_upgraded; echo "[$ANEW] [${NEW_PASSWORDS[*]}]"`, false, []string{"[ web ] [other mysql]"}},
		"another one waits":      {`keep; seal_upgrades; check_upgrade db`, true, []string{"confirm-upgrade"}},
		"no volume":              {`keep_old_data db postgres id 16.9 /opt/data`, true, []string{"which is no volume"}},
		"no room":                {`free_mib() { echo 400; }; keep`, true, []string{"there is no room for a second copy"}},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := upgraded(t, test.lines)
			assert.Equal(t, test.fails, err != nil, output)
			for _, text := range test.said {
				assert.Contains(t, output, text)
			}
		})
	}
}
