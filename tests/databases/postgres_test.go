package databases

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/report"
)

const section = "Dumps and restores"

// newPostgres makes a server whose first superuser is user, with a login by auth over the socket.
func newPostgres(t *testing.T, user, auth string, options ...string) *server {
	t.Helper()
	s := &server{t: t, kind: "postgres", folder: folder(t)}
	bin := filepath.Dir(program(t, "postgres", "/usr/lib/postgresql/*/bin/initdb"))
	s.env = []string{"PGHOST=" + s.folder, "POSTGRES_USER=" + user, "POSTGRES_PASSWORD=it's a \"secret\"\\ $1", "PGDATA=" + s.folder + "/data", "TZ=UTC"}
	require.NoError(t, os.WriteFile(s.folder+"/password", []byte("it's a \"secret\"\\ $1"), 0o644))
	s.must("", "cp", "-a", cluster(t, bin, user), s.folder+"/data")
	require.NoError(t, os.WriteFile(s.folder+"/data/pg_hba.conf", []byte("local all all "+auth+"\nhost all all all scram-sha-256\n"), 0o644))
	s.start(func() error {
		_, _, err := s.tries("ping", "")
		return err
	}, bin+"/postgres", append([]string{"-k", s.folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "wal_level=logical", "-c", "max_prepared_transactions=5", "-c", "shared_buffers=16MB"}, options...)...)
	return s
}

var clusters = struct {
	sync.Mutex
	by map[string]string
}{by: map[string]string{}}

// cluster is what initdb makes for a superuser; it takes longest of all, and each is made once.
func cluster(t *testing.T, bin, user string) string {
	t.Helper()
	clusters.Lock()
	defer clusters.Unlock()
	if clusters.by[user] == "" {
		made, err := os.MkdirTemp("/tmp", "berth-db-")
		require.NoError(t, err)
		if os.Geteuid() == 0 {
			require.NoError(t, os.Chown(made, nobody, nobody))
		}
		s := &server{t: t, folder: made}
		require.NoError(t, os.WriteFile(made+"/password", []byte("it's a \"secret\"\\ $1"), 0o644))
		s.must("", bin+"/initdb", "--pgdata="+made+"/data", "--username="+user, "--pwfile="+made+"/password", "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
		clusters.by[user] = made
	}
	return clusters.by[user] + "/data"
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, made := range append(slices.Collect(maps.Values(clusters.by)), systemTables) {
		if err := os.RemoveAll(made); err != nil {
			fmt.Println(err)
		}
	}
	os.Exit(code)
}

// sql runs statements in a database, as an administrator would.
func (s *server) sql(database, statements string) string {
	s.t.Helper()
	user := ""
	for _, variable := range s.env {
		if name, found := strings.CutPrefix(variable, "POSTGRES_USER="); found {
			user = name
		}
	}
	return s.with("PGDATABASE="+database, "PGUSER="+user, "PGPASSWORD=it's a \"secret\"\\ $1").must(statements, "psql", "-XqAt", "--set=ON_ERROR_STOP=1")
}

// catalogue is what the server's databases are and hold.
func (s *server) catalogue() string {
	s.t.Helper()
	query, err := os.ReadFile("testdata/postgres-catalogue.sql")
	require.NoError(s.t, err)
	var all strings.Builder
	for database := range strings.SplitSeq(strings.TrimSpace(s.sql("template1", "SELECT datname FROM pg_database WHERE datname <> 'template0' ORDER BY 1")), "\n") {
		for line := range strings.SplitSeq(s.sql(database, string(query)), "\n") {
			fmt.Fprintf(&all, "%s: %s\n", database, line)
		}
	}
	// Some builds count in it how often a column was changed.
	return regexp.MustCompile(`pg_attver=[0-9]+`).ReplaceAllString(all.String(), "")
}

// everything is of each kind that a server can hold, with names that a script may stumble over.
const everything = `
CREATE ROLE app LOGIN PASSWORD 'x''y' CREATEDB VALID UNTIL '2040-01-01' CONNECTION LIMIT 7;
CREATE ROLE "Weird ""role"" $1 \x" NOINHERIT BYPASSRLS;
CREATE ROLE readers; CREATE ROLE md5 LOGIN;
GRANT readers TO app WITH ADMIN OPTION; GRANT pg_monitor TO app;
SET SESSION AUTHORIZATION app; GRANT readers TO "Weird ""role"" $1 \x"; RESET SESSION AUTHORIZATION;
ALTER ROLE app SET search_path = "$user", 'we"ird', public; ALTER ROLE app SET work_mem = '5MB'; ALTER ROLE readers SET search_path = '';
ALTER ROLE ALL SET lock_timeout = '41s';
COMMENT ON ROLE app IS 'it''s the app \n';
GRANT SET ON PARAMETER log_min_messages TO app;
CREATE DATABASE shop_production OWNER app; CREATE DATABASE shop_production_cache OWNER app; CREATE DATABASE shop_production_queue OWNER app; CREATE DATABASE shop_production_cable OWNER app;
CREATE DATABASE "it's a=b ""c"" \d" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' CONNECTION LIMIT 5;
CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' IS_TEMPLATE true;
CREATE DATABASE a_name_that_is_as_long_as_a_name_in_postgres_may_be_63_bytes_ab;
ALTER DATABASE shop_production SET search_path = app, public; ALTER DATABASE shop_production SET myapp.setting = 'a ''b'' \c';
ALTER ROLE app IN DATABASE shop_production SET statement_timeout = '33s';
COMMENT ON DATABASE shop_production IS 'the ''shop'' \o';
REVOKE CONNECT ON DATABASE shop_production FROM PUBLIC; GRANT CONNECT, TEMPORARY ON DATABASE shop_production TO readers WITH GRANT OPTION;
SET SESSION AUTHORIZATION readers; GRANT CONNECT ON DATABASE shop_production TO md5; RESET SESSION AUTHORIZATION;
REVOKE ALL ON DATABASE icu FROM PUBLIC;
`

const shop = `
SET SESSION AUTHORIZATION app; CREATE SCHEMA app; SET search_path = app, public;
CREATE TABLE customers (id bigint GENERATED BY DEFAULT AS IDENTITY (START 100) PRIMARY KEY, name text NOT NULL CHECK (name <> ''), at timestamptz DEFAULT now());
INSERT INTO customers (name) SELECT 'a	tab, \. and ' || n FROM generate_series(1, 1000) n;
CREATE TABLE orders (id int, day date, customer bigint REFERENCES customers, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE orders_2026 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO orders SELECT n, '2026-05-05', 100 + n FROM generate_series(1, 500) n;
CREATE VIEW names WITH (security_barrier) AS SELECT name FROM customers; CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM orders;
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n'; CREATE INDEX ON customers (lower(name)); CREATE INDEX ON orders (twice(id));
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.at = now(); RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touched(); ALTER TABLE customers DISABLE TRIGGER touch;
CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TYPE pair AS (a int, b mood);
CREATE SEQUENCE numbers START 5 CYCLE MAXVALUE 99; SELECT nextval('numbers');
ALTER TABLE customers ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON customers TO readers USING (name = current_user);
GRANT SELECT (name) ON customers TO readers; ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO readers; CREATE STATISTICS st ON id, name FROM customers;
COMMENT ON COLUMN customers.name IS 'their name'; CREATE RULE nothing AS ON DELETE TO counts_of DO INSTEAD NOTHING;
RESET SESSION AUTHORIZATION;
CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm; CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'x'); CREATE USER MAPPING FOR app SERVER far OPTIONS (password 'p');
CREATE FOREIGN TABLE app.far (id int) SERVER far; CREATE COLLATION app.german (provider = icu, locale = 'de'); CREATE CAST (text AS app.mood) WITH INOUT AS ASSIGNMENT;
CREATE FUNCTION app.noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER noting ON ddl_command_end EXECUTE FUNCTION app.noted();
CREATE PUBLICATION all_of_it FOR TABLE app.customers WHERE (id > 5); SELECT lo_from_bytea(4711, '\xdeadbeef'); ALTER LARGE OBJECT 4711 OWNER TO app; GRANT SELECT ON LARGE OBJECT 4711 TO readers;
COMMENT ON LARGE OBJECT 4711 IS 'a picture'; CREATE TEXT SEARCH CONFIGURATION app.ts (COPY = pg_catalog.german);
`

func fillPostgres(s *server) {
	s.sql("template1", everything)
	s.sql("shop_production", strings.Replace(shop, "CREATE RULE nothing AS ON DELETE TO counts_of DO INSTEAD NOTHING;", "CREATE RULE nothing AS ON DELETE TO orders DO INSTEAD NOTHING;", 1))
	s.sql("shop_production_cache", "CREATE TABLE solid_cache_entries (key bytea PRIMARY KEY, value bytea); INSERT INTO solid_cache_entries SELECT sha256(n::text::bytea), repeat(n::text, 500)::bytea FROM generate_series(1, 300) n;")
	s.sql("shop_production_queue", "CREATE TABLE solid_queue_jobs (id bigserial PRIMARY KEY, arguments jsonb); INSERT INTO solid_queue_jobs (arguments) SELECT jsonb_build_object('n', n) FROM generate_series(1, 200) n;")
	s.sql("shop_production_cable", "CREATE UNLOGGED TABLE solid_cable_messages (id bigserial PRIMARY KEY, payload bytea); INSERT INTO solid_cable_messages (payload) VALUES ('x');")
	s.sql(`it's a=b "c" \d`, `CREATE TABLE "it's ""x"" \y" ("a b" text); INSERT INTO "it's ""x"" \y" VALUES ('äöü');`)
	s.sql("postgres", "CREATE TABLE in_postgres (a int); INSERT INTO in_postgres VALUES (1);")
	s.sql("icu", "CREATE TABLE words (w text); INSERT INTO words VALUES ('ä'), ('z');")
}

// fillShop makes two databases of a shop, and a role.
func fillShop(s *server) {
	s.sql("template1", "CREATE ROLE app LOGIN PASSWORD 'p'; CREATE ROLE readers; GRANT readers TO app; CREATE DATABASE shop_production OWNER app; CREATE DATABASE shop_production_cable OWNER app;")
	s.sql("shop_production", "CREATE TABLE customers (id int PRIMARY KEY, day date); INSERT INTO customers SELECT n, '2026-05-05' FROM generate_series(1, 200) n; CREATE PUBLICATION all_of_it FOR ALL TABLES;")
	s.sql("shop_production_cable", "CREATE UNLOGGED TABLE solid_cable_messages (id bigserial PRIMARY KEY, payload bytea); INSERT INTO solid_cable_messages (payload) VALUES ('x');")
}

// ruin changes and drops of everything: a restore has to bring it back.
func ruin(s *server) {
	s.sql("template1", `DROP DATABASE shop_production_queue; DROP DATABASE "it's a=b ""c"" \d"; ALTER DATABASE icu IS_TEMPLATE false; DROP DATABASE icu;
ALTER DATABASE shop_production RESET ALL; ALTER DATABASE shop_production OWNER TO CURRENT_USER; COMMENT ON DATABASE shop_production IS NULL;
ALTER ROLE app NOCREATEDB PASSWORD 'another' CONNECTION LIMIT 1; ALTER ROLE app RESET ALL; ALTER ROLE app SET work_mem = '6MB'; ALTER ROLE app SET temp_buffers = '8MB'; ALTER ROLE readers PASSWORD 'new';
REVOKE pg_monitor FROM app; GRANT pg_signal_backend TO md5; ALTER ROLE ALL SET lock_timeout = '1s'; ALTER ROLE ALL SET deadlock_timeout = '2s'; COMMENT ON ROLE md5 IS 'new';`)
	s.sql("shop_production", "DROP SCHEMA app CASCADE; SELECT lo_unlink(4711); CREATE TABLE since (a int);")
	s.sql("shop_production_cache", "TRUNCATE solid_cache_entries")
	s.sql("postgres", "DROP TABLE in_postgres")
}

// TestPostgresComesBackWhole: every system table of every database says after the restore what it said before the dump, in
// the server that was dumped, and in one that is new.
func TestPostgresComesBackWhole(t *testing.T) {
	t.Parallel()
	s := newPostgres(t, "postgres", "trust")
	fillPostgres(s)
	before := s.catalogue()
	rows := s.does("rows", "")
	assert.Contains(t, rows, "1500 shop_production\n")
	dump := s.does("dump", "")
	require.Empty(t, differ(before, s.catalogue()), "a dump changes nothing")

	ruin(s)
	require.NotEmpty(t, differ(before, s.catalogue()))
	said := s.does("restore", dump)
	after := s.catalogue()
	require.Empty(t, differ(before, after))
	assert.Empty(t, said, "all of it came back")
	assert.Equal(t, rows, s.does("rows", ""))

	other := newPostgres(t, "postgres", "trust")
	assert.Empty(t, other.does("restore", dump))
	require.Empty(t, differ(before, other.catalogue()), "a new server")
	report.Add(t, section, "Postgres: rows of the catalogues of 9 databases, and of them different after the restore", fmt.Sprintf("%d, 0", strings.Count(before, "\n")))
}

// TestPostgresRestoresAllOrNothing: a dump that ends early or does not restore leaves everything as it was, connections included.
func TestPostgresRestoresAllOrNothing(t *testing.T) {
	t.Parallel()
	s := newPostgres(t, "shop", "trust")
	fillShop(s)
	dump := s.does("dump", "")
	s.sql("template1", `DROP DATABASE shop_production_cable; CREATE DATABASE later; CREATE ROLE later; ALTER SYSTEM SET work_mem = '7MB';`)
	s.sql("template1", "DROP ROLE readers")
	// Who has what number tells whether it is the same.
	state := func() string {
		return s.sql("template1", "SELECT oid, datname, datallowconn, datacl FROM pg_database; SELECT * FROM pg_roles; SELECT * FROM pg_authid; SELECT * FROM pg_auth_members; SELECT * FROM pg_shdescription; SELECT * FROM pg_db_role_setting") +
			s.sql("shop_production", "SELECT count(*) FROM customers")
	}
	before := state()
	lines := strings.SplitAfter(dump, "\n")
	for name, broken := range map[string]string{
		"nothing":                   "",
		"half of it":                dump[:len(dump)/2],
		"without its last line":     strings.TrimSuffix(dump, lines[len(lines)-2]),
		"cut in the switch":         dump[:strings.LastIndex(dump, "END $berth$")],
		"a statement that fails":    strings.Replace(dump, "COMMIT; \\echo", "SELECT 1/0;\nCOMMIT; \\echo", 1),
		"a dump of something else":  "PGDMP\x01\x0e",
		"a row that does not fit":   strings.Replace(dump, "\t2026-05-05\n", "\tno date\n", 1),
		"a table that is not there": strings.Replace(dump, "CREATE TABLE public.customers", "CREATE TABLE nowhere.customers", 1),
	} {
		require.NotEqual(t, dump, broken, name)
		_, said, err := s.tries("restore", broken)
		if assert.Error(t, err, name) {
			assert.NotEmpty(t, said, name)
		}
		require.Empty(t, differ(before, state()), name)
	}

	said := s.does("restore", dump)
	assert.Contains(t, said, "database later is not in the dump and stays as it is\n")
	assert.Contains(t, said, "role later is not in the dump and stays as it is\n")
	assert.Contains(t, said, "the setting work_mem of ALTER SYSTEM stays as it is now")
	assert.Equal(t, 3, strings.Count(said, "\n"), said)
	assert.Equal(t, "1\n", s.sql("shop_production_cable", "SELECT count(*) FROM solid_cable_messages"))
}

// TestPostgresRestoresUnderItsClients: those that connect again and again do not keep it from its name, and see one state or the other.
func TestPostgresRestoresUnderItsClients(t *testing.T) {
	t.Parallel()
	s := newPostgres(t, "postgres", "scram-sha-256")
	fillShop(s)
	dump := s.does("dump", "")
	s.sql("shop_production", "DELETE FROM customers WHERE id > 10")
	script := `while [ ! -e done ]; do psql -XqAtc 'SELECT count(*) FROM customers' shop_production 2>/dev/null; done`
	seen := make(chan string)
	for range 4 {
		go func() {
			output, _, _ := s.with("PGUSER=postgres", "PGPASSWORD=it's a \"secret\"\\ $1").try("", "sh", "-c", script)
			seen <- output
		}()
	}
	s.does("restore", dump)
	s.sql("shop_production", "SELECT 1")
	require.NoError(t, os.WriteFile(s.folder+"/done", nil, 0o644))
	for range 4 {
		for line := range strings.Lines(<-seen) {
			assert.Contains(t, []string{"10\n", "200\n"}, line)
		}
	}
	assert.Equal(t, "200\n", s.sql("shop_production", "SELECT count(*) FROM customers"))
}

// TestPostgresSaysWhatDoesNotComeBack: what hangs on another server does not go on as if nothing had been.
func TestPostgresSaysWhatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	s := newPostgres(t, "postgres", "trust")
	fillShop(s)
	s.sql("shop_production", "SELECT pg_create_logical_replication_slot('for_the_warehouse', 'pgoutput');")
	s.sql("shop_production_cable", fmt.Sprintf("CREATE SUBSCRIPTION from_shop CONNECTION 'host=%s dbname=shop_production user=postgres' PUBLICATION all_of_it WITH (connect = false); ALTER SUBSCRIPTION from_shop ENABLE;", s.folder))
	dump := s.does("dump", "")
	said := s.does("restore", dump)
	assert.Contains(t, said, "subscription from_shop of database shop_production_cable comes back disabled")
	assert.Contains(t, said, "the logical replication slot for_the_warehouse of a database that was replaced goes with it")
	assert.Equal(t, "from_shop f\n", s.sql("template1", "SELECT subname || ' ' || substr(subenabled::text, 1, 1) FROM pg_subscription"))
	assert.Empty(t, s.sql("template1", "SELECT datname FROM pg_database WHERE datname LIKE 'berth%'"))

	s.sql("template1", "ALTER DATABASE shop_production_cable WITH ALLOW_CONNECTIONS false")
	_, said, err := s.tries("dump", "")
	require.Error(t, err)
	assert.Contains(t, said, "ALTER DATABASE shop_production_cable WITH ALLOW_CONNECTIONS true")
}

// TestPostgresIsLoggedInToByTheWayThatWorks, whatever the container's environment says.
func TestPostgresIsLoggedInToByTheWayThatWorks(t *testing.T) {
	t.Parallel()
	const password = "POSTGRES_PASSWORD=it's a \"secret\"\\ $1"
	s := newPostgres(t, "boss", "scram-sha-256")
	s.sql("template1", "CREATE ROLE app LOGIN PASSWORD 'p'")
	ways := map[string][]string{
		"as the image has it":         {password},
		"another database":            {password, "POSTGRES_DB=elsewhere"},
		"passwords in files":          {"POSTGRES_PASSWORD=", "POSTGRES_PASSWORD_FILE=" + s.folder + "/password"},
		"the name in a file":          {"POSTGRES_USER=", "POSTGRES_USER_FILE=" + s.folder + "/name"},
		"Bitnami's names":             {"POSTGRES_USER=", "POSTGRES_PASSWORD=", "POSTGRESQL_USERNAME=boss", "POSTGRESQL_PASSWORD=" + strings.TrimPrefix(password, "POSTGRES_PASSWORD=")},
		"the superuser's own besides": {"POSTGRES_PASSWORD=p", "POSTGRESQL_POSTGRES_PASSWORD=" + strings.TrimPrefix(password, "POSTGRES_PASSWORD=")},
	}
	for name, env := range ways {
		require.NoError(t, os.WriteFile(s.folder+"/name", []byte("boss\n"), 0o644))
		assert.Contains(t, s.with(env...).does("rows", ""), "0 postgres", name)
	}
	_, said, err := s.with("POSTGRES_USER=app", "POSTGRES_PASSWORD=p").tries("dump", "")
	require.Error(t, err)
	assert.Contains(t, said, "app can log in, but is not a superuser")
	assert.Contains(t, said, "berth:database")
	_, said, err = s.with("POSTGRES_PASSWORD=wrong").tries("dump", "")
	require.Error(t, err)
	assert.NotContains(t, said, "wrong")

	trusted := newPostgres(t, "postgres", "trust")
	assert.Contains(t, trusted.with("POSTGRES_PASSWORD=", "POSTGRES_HOST_AUTH_METHOD=trust").does("rows", ""), "0 postgres")
	if !t.Failed() {
		report.Add(t, section, "Postgres: ways in which a container has its superuser and password, logged in by", fmt.Sprintf("%d of %d ways; a wrong password refused", len(ways), len(ways)))
	}
}
