package databases

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/report"
)

// newMySQL makes a server of MariaDB's, which Debian has, with a password of root's or none.
func newMySQL(t *testing.T, password string, options ...string) *server {
	t.Helper()
	s := &server{t: t, kind: "mysql", folder: folder(t)}
	made, err := installed()
	require.NoError(t, err)
	s.must("", "cp", "-a", made, s.folder+"/data")
	require.NoError(t, os.WriteFile(s.folder+"/.my.cnf", []byte("[client]\nsocket="+s.folder+"/socket\n"), 0o644))
	s.start(func() error {
		_, _, err := s.tries("ping", "")
		return err
	}, program(t, "mariadbd", "/usr/sbin/mariadbd"), append([]string{"--no-defaults", "--datadir=" + s.folder + "/data", "--socket=" + s.folder + "/socket", "--pid-file=" + s.folder + "/pid", "--skip-networking",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--performance-schema=0"}, options...)...)
	// Debian's own roots of other hosts have their rights in a form that no statement makes.
	s.sqlOfRoot("DELETE FROM mysql.global_priv WHERE user = 'root' AND host <> 'localhost'; DELETE FROM mysql.proxies_priv WHERE host <> 'localhost'; UPDATE mysql.proxies_priv SET grantor = 'root@localhost', proxied_host = '%'; FLUSH PRIVILEGES")
	if password != "" {
		s.sqlOfRoot("ALTER USER root@localhost IDENTIFIED BY '" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(password) + "'")
		s = s.with("MARIADB_ROOT_PASSWORD=" + password)
	}
	return s
}

var systemTables string

// installed makes the tables of the server's own once: that takes longest of all.
var installed = sync.OnceValues(func() (string, error) {
	var err error
	if systemTables, err = os.MkdirTemp("/tmp", "berth-db-"); err != nil {
		return "", err
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(systemTables, nobody, nobody); err != nil {
			return "", err
		}
	}
	s := &server{folder: systemTables}
	_, said, err := s.run(context.Background(), "", "mariadb-install-db", "--no-defaults", "--datadir="+systemTables+"/data", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	if err != nil {
		return "", fmt.Errorf("%w: %s; install it with: tools/machine.sh test", err, said)
	}
	return systemTables + "/data", nil
})

// sqlOfRoot runs statements as an administrator would.
func (s *server) sqlOfRoot(statements string) string {
	s.t.Helper()
	password := ""
	for _, variable := range s.env {
		if _, value, found := strings.Cut(variable, "MARIADB_ROOT_PASSWORD="); found {
			password = value
		}
	}
	return s.with("MYSQL_PWD="+password).must(statements, "mariadb", "--user=root", "--default-character-set=utf8mb4", "--batch", "--skip-column-names", "--raw")
}

// schemas are the columns by which a table of information_schema says where something is.
const schemas = "'table_schema', 'schema_name', 'routine_schema', 'trigger_schema', 'event_schema', 'constraint_schema', 'specific_schema', 'f_table_schema'"

// volatile are columns of times and estimates.
var volatile = regexp.MustCompile(`(?i)^(create_time|update_time|check_time|table_rows|avg_row_length|data_length|index_length|data_free|max_index_length|cardinality|created|modified|last_altered|timestamp|checksum)$`)

// catalogueOfMySQL is what the server's databases and users are, by its own tables, and what the tables hold.
func (s *server) catalogueOfMySQL() string {
	s.t.Helper()
	const own = "('mysql', 'information_schema', 'performance_schema', 'sys')"
	columns, filter := map[string][]string{}, map[string]string{}
	for line := range strings.Lines(s.sqlOfRoot("SELECT table_schema, table_name, column_name, LOWER(column_name) IN (" + schemas + ") FROM information_schema.columns WHERE table_schema IN ('information_schema', 'mysql') AND NOT table_name REGEXP '^(innodb|client_|index_stat|table_stat|user_stat|time_zone|help_|general_log|slow_log|transaction_registry|gtid)'")) {
		field := strings.Split(strings.TrimSpace(line), "\t")
		table := field[0] + "." + field[1]
		if volatile.MatchString(field[2]) {
			continue
		}
		columns[table] = append(columns[table], fmt.Sprintf("COALESCE(`%s`, 'NULL')", field[2]))
		if field[3] == "1" && filter[table] == "" {
			filter[table] = "`" + field[2] + "` NOT IN " + own
		}
	}
	var query strings.Builder
	for table, all := range columns {
		if filter[table] != "" || strings.HasPrefix(table, "mysql.") {
			fmt.Fprintf(&query, "SELECT CONCAT_WS('|', '%s', %s) FROM %s WHERE %s;\n", table, strings.Join(all, ", "), table, cmp.Or(filter[table], "true"))
		}
	}
	query.WriteString(s.sqlOfRoot("SELECT CONCAT(IF(table_type = 'SEQUENCE', 'SELECT * FROM ', 'CHECKSUM TABLE '), '`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`;') FROM information_schema.tables WHERE table_type <> 'VIEW' AND table_schema NOT IN " + own))
	// When a password was set is no part of it, nor whether a default is written out.
	return regexp.MustCompile(`"password_last_changed":[0-9]+|page_checksum=1 `).ReplaceAllString(s.sqlOfRoot(query.String()), "")
}

// fillMySQL makes one of each kind that a server can hold, with names that a script may stumble over.
func fillMySQL(s *server) {
	s.t.Helper()
	text, err := os.ReadFile("testdata/mysql.sql")
	require.NoError(s.t, err)
	s.sqlOfRoot(string(text))
}

// TestMySQLComesBackWhole: information_schema and the tables of the server's own say after the restore what they said before
// the dump, in the server that was dumped, and in one that is new.
func TestMySQLComesBackWhole(t *testing.T) {
	t.Parallel()
	const password = "it's a \"secret\"\\ $1"
	s := newMySQL(t, password)
	fillMySQL(s)
	before := s.catalogueOfMySQL()
	rows := s.does("rows", "")
	assert.Contains(t, rows, "703 shop_production\n")
	dump := s.does("dump", "")
	require.Empty(t, differ(before, s.catalogueOfMySQL()), "a dump changes nothing")

	s.sqlOfRoot("DROP DATABASE shop_production_cache; DROP VIEW shop_production.names; DROP TRIGGER shop_production.noted; DELETE FROM shop_production.customers; CREATE TABLE shop_production.since (a INT); DROP USER `o'dd`@`10.0.%`; ALTER USER app@'%' IDENTIFIED BY 'another'; GRANT PROCESS ON *.* TO app@'%'; DROP ROLE readers; DROP EVENT shop_production.nightly; ALTER DATABASE shop_production COLLATE utf8mb4_bin")
	require.NotEmpty(t, differ(before, s.catalogueOfMySQL()))
	assert.Empty(t, s.does("restore", dump), "all of it came back")
	require.Empty(t, differ(before, s.catalogueOfMySQL()))
	assert.Equal(t, rows, s.does("rows", ""))

	other := newMySQL(t, password)
	assert.Empty(t, other.does("restore", dump))
	require.Empty(t, differ(before, other.catalogueOfMySQL()), "a new server")
	report.Add(t, section, "MariaDB: rows of the catalogues of 3 databases and the users, and of them different after the restore", fmt.Sprintf("%d, 0", strings.Count(before, "\n")))
}

// TestMySQLChecksBesideFirst: a dump that ends early or does not restore leaves everything as it was.
func TestMySQLChecksBesideFirst(t *testing.T) {
	t.Parallel()
	s := newMySQL(t, "")
	fillMySQL(s)
	dump := s.does("dump", "")
	s.sqlOfRoot("CREATE DATABASE later; CREATE USER later@localhost; DELETE FROM shop_production.orders WHERE id > 5")
	before := s.catalogueOfMySQL()
	lines := strings.SplitAfter(dump, "\n")
	for name, broken := range map[string]string{
		"nothing":                "",
		"its head alone":         lines[0] + lines[1],
		"half of it":             dump[:strings.Index(dump, "berth-switches")/2],
		"cut before the switch":  dump[:strings.Index(dump, "SELECT 'berth-switches'")],
		"a statement that fails": strings.Replace(dump, "SELECT 'berth-switches'", "SELECT nothing; SELECT 'berth-switches'", 1),
		"a dump of another kind": "REDIS0010",
	} {
		_, said, err := s.tries("restore", broken)
		if assert.Error(t, err, name) {
			assert.Contains(t, said, "the databases are as they were", name)
		}
		require.Empty(t, differ(before, s.catalogueOfMySQL()), name)
	}
	_, said, err := s.tries("restore", dump[:strings.LastIndex(dump, "GRANT USAGE")])
	require.Error(t, err)
	assert.Contains(t, said, "restore again")

	// A connection that holds the tables does not block.
	holder := s.command(t.Context(), "mariadb", "--user=root", "--unbuffered", "--skip-column-names", "shop_production")
	input, err := holder.StdinPipe()
	require.NoError(t, err)
	output, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	_, err = input.Write([]byte("BEGIN; SELECT COUNT(*) FROM orders;\n"))
	require.NoError(t, err)
	_, err = output.Read(make([]byte, 1))
	require.NoError(t, err)
	said = s.does("restore", dump)
	require.NoError(t, input.Close())
	_ = holder.Wait()
	assert.Contains(t, said, "database later is not in the dump and stays as it is\n")
	assert.Contains(t, said, "user 'later'@'localhost' is not in the dump and stays as it is\n")
	assert.Equal(t, 2, strings.Count(said, "\n"), said)
	assert.Equal(t, "200\n", s.sqlOfRoot("SELECT COUNT(*) FROM shop_production.orders"))
}

// TestMySQLIsLoggedInToByTheWayThatWorks, whatever the container's environment says.
func TestMySQLIsLoggedInToByTheWayThatWorks(t *testing.T) {
	t.Parallel()
	const password = "it's a \"secret\"\\ $1"
	s := newMySQL(t, password)
	require.NoError(t, os.WriteFile(s.folder+"/password", []byte(password), 0o644))
	ways := map[string][]string{
		"MariaDB's name":         {},
		"MySQL's name":           {"MARIADB_ROOT_PASSWORD=", "MYSQL_ROOT_PASSWORD=" + password},
		"a file":                 {"MARIADB_ROOT_PASSWORD=", "MARIADB_ROOT_PASSWORD_FILE=" + s.folder + "/password"},
		"MySQL's file":           {"MARIADB_ROOT_PASSWORD=", "MYSQL_ROOT_PASSWORD_FILE=" + s.folder + "/password"},
		"one that is not true":   {"MARIADB_ROOT_PASSWORD=old", "MYSQL_ROOT_PASSWORD=" + password},
		"a database of its own":  {"MYSQL_DATABASE=elsewhere"},
		"an empty one not taken": {"MYSQL_ALLOW_EMPTY_PASSWORD=1"},
	}
	for name, env := range ways {
		s.with(env...).does("ping", "")
		assert.Equal(t, "", s.with(env...).does("rows", ""), name)
	}
	_, said, err := s.with("MARIADB_ROOT_PASSWORD=wrong", "MYSQL_RANDOM_ROOT_PASSWORD=1").tries("dump", "")
	require.Error(t, err)
	assert.Contains(t, said, "or set berth:database")
	assert.NotContains(t, said, "wrong")
	newMySQL(t, "").with("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=yes").does("ping", "")
	if !t.Failed() {
		report.Add(t, section, "MariaDB: ways in which a container has root's password or needs none, logged in by", fmt.Sprintf("%d of %d ways; a wrong password refused", len(ways), len(ways)))
	}
}
