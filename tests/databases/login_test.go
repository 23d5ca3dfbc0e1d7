package databases

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// address is a loopback address of these tests alone, where a server has its usual port.
const address = "127.77.12.1"

// TestAChangedPasswordOfPostgresIsToldBeforehand, by a server that asks for it, and no secret is printed.
func TestAChangedPasswordOfPostgresIsToldBeforehand(t *testing.T) {
	t.Parallel()
	s := newPostgres(t, "load", "trust", "-c", "listen_addresses="+address).with("BERTH_HOST=" + address)
	const old = "it's a \"secret\"\\ $1"
	file := s.folder + "/password"
	for name, test := range map[string]struct {
		env  []string
		said string
	}{
		"another password":           {[]string{"BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=canary"}, "POSTGRES_PASSWORD load\n"},
		"the same":                   {[]string{"BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=" + old}, ""},
		"another, of an old in file": {[]string{"POSTGRES_PASSWORD=", "POSTGRES_PASSWORD_FILE=" + file, "BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=canary"}, "POSTGRES_PASSWORD load\n"},
		"it was changed there":       {[]string{"POSTGRES_PASSWORD=before", "BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=" + old}, ""},
		"a database to be made":      {[]string{"POSTGRES_PASSWORD=before", "BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=" + old, "BERTH_NEW_POSTGRES_DB=later"}, ""},
		"another user":               {[]string{"BERTH_NEW_POSTGRES_USER=other", "BERTH_NEW_POSTGRES_PASSWORD=" + old, "BERTH_NEW_POSTGRES_DB=postgres"}, "POSTGRES_PASSWORD other\n"},
		"neither old nor new is it":  {[]string{"POSTGRES_PASSWORD=before", "BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=canary"}, "unknown load\n"},
		"no answer":                  {[]string{"PGPORT=1", "BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=canary"}, "unknown load\n"},
	} {
		output, said, err := s.with(test.env...).tries("login", "")
		require.NoError(t, err, name+said)
		assert.Equal(t, test.said, output, name)
		assert.NotContains(t, output+said, "canary", name)
	}
	require.NoError(t, os.WriteFile(s.folder+"/data/pg_hba.conf", []byte("local all all trust\nhost all all all trust\n"), 0o644))
	s.sql("postgres", "SELECT pg_reload_conf()")
	require.Eventually(t, func() bool {
		output, _, err := s.with("BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=canary").tries("login", "")
		return err == nil && output == "unknown load\n"
	}, 10*time.Second, 50*time.Millisecond, "whoever comes is let in")
}

// TestAChangedPasswordOfMariaDBIsToldBeforehand, for root and for the app's user.
func TestAChangedPasswordOfMariaDBIsToldBeforehand(t *testing.T) {
	t.Parallel()
	const old = "it's a \"secret\"\\ $1"
	s := newMySQL(t, old, "--skip-networking=0", "--bind-address="+address, "--port=3306")
	s.sqlOfRoot("CREATE USER app@'%' IDENTIFIED BY 'before'")
	s = s.with("BERTH_HOST="+address, "MYSQL_USER=app", "MYSQL_PASSWORD=before")
	for name, test := range map[string]struct {
		env  []string
		said string
	}{
		"the app's":                 {[]string{"BERTH_NEW_MYSQL_USER=app", "BERTH_NEW_MYSQL_PASSWORD=canary"}, "MYSQL_PASSWORD app\n"},
		"root's":                    {[]string{"BERTH_NEW_MARIADB_ROOT_PASSWORD=canary"}, "MARIADB_ROOT_PASSWORD root\n"},
		"the same":                  {[]string{"BERTH_NEW_MYSQL_USER=app", "BERTH_NEW_MYSQL_PASSWORD=before"}, ""},
		"it was changed there":      {[]string{"MYSQL_PASSWORD=older", "BERTH_NEW_MYSQL_USER=app", "BERTH_NEW_MYSQL_PASSWORD=before"}, ""},
		"neither old nor new is it": {[]string{"MYSQL_PASSWORD=older", "BERTH_NEW_MYSQL_USER=app", "BERTH_NEW_MYSQL_PASSWORD=canary"}, "unknown app\n"},
	} {
		output, said, err := s.with(test.env...).tries("login", "")
		require.NoError(t, err, name+said)
		assert.Equal(t, test.said, output, name)
		assert.NotContains(t, output+said, "canary", name)
	}
}

// TestAPasswordIsChangedInPostgres where a release asks for it, and back, also where the container still has the other one in its
// environment. The server logs every statement, and no password is in its log.
func TestAPasswordIsChangedInPostgres(t *testing.T) {
	t.Parallel()
	const address = "127.77.12.2"
	s := newPostgres(t, "load", "scram-sha-256", "-c", "listen_addresses="+address, "-c", "log_statement=all", "-c", "log_min_duration_statement=0",
		"-c", "logging_collector=on", "-c", "log_directory=.", "-c", "log_filename=log").with("BERTH_HOST=" + address)
	const old, other = "it's a \"secret\"\\ $1", "canary's \"new\"\\ `touch pwned` $1 :user"
	to := []string{"BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=" + other}
	back := []string{"BERTH_NOW_POSTGRES_USER=load", "BERTH_NOW_POSTGRES_PASSWORD=" + other, "BERTH_NEW_POSTGRES_USER=load", "BERTH_NEW_POSTGRES_PASSWORD=" + old}
	for _, step := range [][]string{to, back} {
		assert.Equal(t, "POSTGRES_PASSWORD load\n", s.with(step...).does("login", ""))
		output, said, err := s.with(step...).tries("change", "")
		require.NoError(t, err, said)
		assert.Empty(t, output+said)
		assert.Empty(t, s.with(step...).does("login", ""), "it is the database's now")
	}
	log, err := os.ReadFile(s.folder + "/data/log")
	require.NoError(t, err)
	assert.Contains(t, string(log), "SET log_statement", "the server logs statements")
	assert.NotContains(t, string(log), "canary")
}

// TestAPasswordIsChangedInMariaDB for root and the app's user in one go, and back.
func TestAPasswordIsChangedInMariaDB(t *testing.T) {
	t.Parallel()
	const address = "127.77.12.3"
	const old, other = "it's a \"secret\"\\ $1", "canary's \"new\"\\ `touch pwned` $1"
	s := newMySQL(t, old, "--skip-networking=0", "--bind-address="+address, "--port=3306")
	s.sqlOfRoot("CREATE USER app@'%' IDENTIFIED BY 'before'; CREATE USER app@'10.%' IDENTIFIED BY 'elsewhere'")
	s = s.with("BERTH_HOST="+address, "MYSQL_USER=app", "MYSQL_PASSWORD=before")
	to := []string{"BERTH_NEW_MYSQL_USER=app", "BERTH_NEW_MYSQL_PASSWORD=" + other, "BERTH_NEW_MARIADB_ROOT_PASSWORD=" + other}
	back := []string{"BERTH_NOW_MYSQL_PASSWORD=" + other, "BERTH_NOW_MARIADB_ROOT_PASSWORD=" + other,
		"BERTH_NEW_MYSQL_USER=app", "BERTH_NEW_MYSQL_PASSWORD=before", "BERTH_NEW_MARIADB_ROOT_PASSWORD=" + old}
	for _, step := range [][]string{to, back} {
		assert.Equal(t, "MARIADB_ROOT_PASSWORD root\nMYSQL_PASSWORD app\n", s.with(step...).does("login", ""))
		output, said, err := s.with(step...).tries("change", "")
		require.NoError(t, err, said)
		assert.Empty(t, output+said)
		assert.Empty(t, s.with(step...).does("login", ""), "it is the database's now")
	}
}
