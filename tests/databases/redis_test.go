package databases

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/report"
)

// ports gives each server of a test its own: these listen on loopback.
func newRedis(t *testing.T, port string, words ...string) *server {
	t.Helper()
	s := &server{t: t, kind: "redis", folder: folder(t)}
	command := append([]string{program(t, "redis-server"), "--port", port, "--dir", s.folder}, words...)
	s.env = []string{"BERTH_COMMAND=" + strings.Join(command, "\n"), "TMPDIR=" + s.folder}
	s.start(func() error {
		_, _, err := s.tries("ping", "")
		return err
	}, command[0], command[1:]...)
	return s
}

// cli runs commands of the server's, one per line.
func (s *server) cli(password, commands string) string {
	s.t.Helper()
	_, after, _ := strings.Cut(s.env[0], "--port\n")
	port, _, _ := strings.Cut(after, "\n")
	return s.with("REDISCLI_AUTH="+password).must(commands, "redis-cli", "-p", port)
}

// held is all that the server holds: every key of every database with its value, its time to live, and the functions.
func (s *server) held(password string) string {
	s.t.Helper()
	var list, values strings.Builder
	for database := range 16 {
		fmt.Fprintf(&list, "SELECT %d\nKEYS *\n", database)
	}
	for database, names := range strings.Split("\n"+s.cli(password, list.String()), "\nOK\n")[1:] {
		fmt.Fprintf(&values, "SELECT %d\n", database)
		for _, key := range slices.Sorted(slices.Values(strings.Fields(names))) {
			fmt.Fprintf(&values, "ECHO %s\nTYPE %[1]s\nEXPIRETIME %[1]s\nDEBUG DIGEST-VALUE %[1]s\n", key)
		}
	}
	return s.cli(password, values.String()+"FUNCTION LIST WITHCODE")
}

const keys = "SET a 1\nSET b 2\nEXPIREAT b 2500000000\nSELECT 3\nHSET h f v g w\nRPUSH l 1 2 3\nZADD z 1.5 m\nSADD s x y\nSELECT 15\nXADD st * k v\nXGROUP CREATE st group $\nPFADD p 1\n" +
	"FUNCTION LOAD \"#!lua name=lib\\nredis.register_function('f', function() return 1 end)\"\n"

// TestRedisComesBackWhole: whatever the server keeps its data in, it holds after the restore what it held before the dump, and still
// does after a restart.
func TestRedisComesBackWhole(t *testing.T) {
	t.Parallel()
	const password = `p"w\ $x'y`
	for port, test := range map[string]struct {
		words []string
		env   []string
	}{
		"17101": {[]string{"--requirepass", password, "--appendonly", "yes", "--enable-debug-command", "yes"}, nil},
		"17102": {[]string{"--requirepass", password, "--save", "3600 1", "--enable-debug-command", "yes"}, []string{"BERTH_COMMAND=sh\n-c\nredis-server --port 17102 --requirepass \"$REDIS_PASSWORD\"", "REDIS_PASSWORD=" + password}},
		"17103": {[]string{"--requirepass", password, "--masterauth", password, "--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--enable-debug-command", "yes"}, nil},
	} {
		s := newRedis(t, port, test.words...)
		s.cli(password, keys)
		in := s.with(test.env...)
		before := s.held(password)
		assert.Equal(t, "2 db0\n4 db3\n2 db15\n", in.does("rows", ""))
		dump := in.does("dump", "")
		require.Equal(t, before, s.held(password))
		s.cli(password, "FLUSHALL\nFUNCTION FLUSH\nSET since 1")
		assert.Empty(t, in.does("restore", dump))
		require.Equal(t, before, s.held(password), test.words)
		assert.Contains(t, s.cli(password, "INFO replication"), "role:master")
		s.cli(password, "SET after 1\nDEL after\nDEBUG RESTART\n")
		_, _, err := s.with("REDISCLI_AUTH="+password).try("", "sh", "-c", "for i in $(seq 200); do redis-cli -p "+port+" ping 2>/dev/null | grep -x PONG && exit; sleep 0.1; done; exit 1")
		require.NoError(t, err, "after a restart")
		require.Equal(t, before, s.held(password), "after a restart")

		for name, broken := range map[string]string{"nothing": "", "half of it": dump[:len(dump)/2], "another kind": "-- Berth: a whole"} {
			_, said, err := in.tries("restore", broken)
			require.Error(t, err, name)
			assert.Contains(t, said, "the server is as it was", name)
			require.Equal(t, before, s.held(password), name)
		}
		left, err := os.ReadDir(s.folder)
		require.NoError(t, err)
		for _, entry := range left {
			assert.False(t, strings.HasPrefix(entry.Name(), "tmp."), "%s is left", entry.Name())
		}
		report.Add(t, section, "Redis ("+strings.Join(test.words[2:4], " ")+"): keys of 3 databases, and of them different after the restore and a restart", "8, 0")
	}
}

// TestRedisIsLoggedInToByTheWayThatWorks.
func TestRedisIsLoggedInToByTheWayThatWorks(t *testing.T) {
	t.Parallel()
	s := newRedis(t, "17104", "--requirepass", "it's $1")
	require.NoError(t, os.WriteFile(s.folder+"/redis.conf", []byte("# requirepass no\nport 17104\nrequirepass \"it's $1\"\n"), 0o644))
	require.NoError(t, os.WriteFile(s.folder+"/password", []byte("it's $1"), 0o644))
	ways := map[string][]string{
		"a file of settings": {"BERTH_COMMAND=redis-server\n" + s.folder + "/redis.conf"},
		"the environment":    {"BERTH_COMMAND=redis-server\n--port\n17104", "VALKEY_PASSWORD=it's $1"},
		"a secret's file":    {"BERTH_COMMAND=redis-server\n--port\n17104", "REDIS_PASSWORD_FILE=" + s.folder + "/password"},
	}
	for name, env := range ways {
		_, said, err := s.with(env...).tries("ping", "")
		assert.NoErrorf(t, err, "%s: %s", name, said)
	}
	_, said, err := s.with("BERTH_COMMAND=redis-server\n--port\n17104\n--requirepass\nwrong").tries("dump", "")
	require.Error(t, err)
	assert.Contains(t, said, "set berth:database")
	assert.NotContains(t, said, "wrong\n")
	if !t.Failed() {
		report.Add(t, section, "Redis: ways in which a container has its password, logged in by", fmt.Sprintf("%d of %d ways; a wrong password refused", len(ways), len(ways)))
	}
}
