package databases

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/report"
)

const sqlitePy = "../../provision/scripts/release/sqlite.py"

// volume is a folder as a container filled it, checked by root.
type volume struct {
	t      *testing.T
	folder string
}

func newVolume(t *testing.T) *volume {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a volume is read as its files' owner, which takes root; run: sudo -E env PATH=$PATH go test ./databases")
	}
	return &volume{t, folder(t)}
}

// python runs a program of Python's in the volume, as the container's user would.
func (v *volume) python(text string) string {
	v.t.Helper()
	s := &server{t: v.t, folder: v.folder}
	return s.must("import sqlite3, os\n"+text, program(v.t, "python3", "/usr/bin/python3"), "-")
}

// does runs sqlite.py as in_volumes of database.sh does.
func (v *volume) does(action, input string) (output, said string, err error) {
	v.t.Helper()
	command := exec.CommandContext(v.t.Context(), program(v.t, "python3", "/usr/bin/python3"), "-I", sqlitePy, action, "app_storage="+v.folder)
	command.Stdin = strings.NewReader(input)
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

func (v *volume) must(action, input string) string {
	v.t.Helper()
	output, said, err := v.does(action, input)
	require.NoErrorf(v.t, err, "%s: %s", action, said)
	return output
}

// hold is what all SQLite files of the volume hold, by SQLite's own catalogue.
const hold = `
for path in sorted(p for d, _, names in os.walk(".") for p in (os.path.join(d, n) for n in names) if os.path.isfile(p) and not p.endswith(("-wal", "-shm", "-journal"))):
    with open(path, "rb") as file:
        if file.read(16) != b"SQLite format 3\0": continue
    c = sqlite3.connect(path)
    at = os.stat(path)
    print(path, at.st_uid, at.st_gid, oct(at.st_mode))
    for pragma in ("application_id", "user_version", "page_size", "encoding", "auto_vacuum"):
        print(pragma, c.execute("PRAGMA " + pragma).fetchone())
    for row in c.execute("SELECT * FROM sqlite_master ORDER BY name").fetchall():
        print(row[:3] + row[4:])
        if row[0] == "table": print(c.execute('SELECT * FROM "' + row[1].replace('"', '""') + '"').fetchall())
`

const fill = `
os.makedirs("production/deep er", exist_ok=True)
def make(path, journal, *more):
    c = sqlite3.connect(path)
    for pragma in more: c.execute("PRAGMA " + pragma)
    c.execute("PRAGMA journal_mode = " + journal)
    c.execute("PRAGMA user_version = 7"); c.execute("PRAGMA application_id = 99")
    c.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b BLOB)")
    c.executemany("INSERT INTO t (a, b) VALUES (?, ?)", [("row %d ä" % n, bytes(range(n % 256))) for n in range(300)])
    c.execute("CREATE INDEX i ON t (a)"); c.execute("CREATE VIEW v AS SELECT a FROM t")
    c.execute("CREATE TRIGGER r AFTER DELETE ON t BEGIN SELECT 1; END")
    c.execute("CREATE VIRTUAL TABLE f USING fts5(x)"); c.execute("INSERT INTO f VALUES ('hello world')")
    c.commit()
    return c
make("production.sqlite3", "wal"); make("production_cache.sqlite3", "wal"); make("production_queue.sqlite3", "wal", "auto_vacuum = 1"); make("production_cable.sqlite3", "wal")
make("production/deep er/it's ?a=b#c%20.db", "delete", "page_size = 1024", "encoding = 'UTF-16'")
os.chmod("production_queue.sqlite3", 0o600)
open("notes.txt", "w").write("x" * 1024); open("empty.db", "w").close()
os.symlink("/etc", "out"); os.symlink("/proc/self/root", "root"); os.mkfifo("pipe.db")
`

// TestSQLiteComesBackWhole: every SQLite file of a volume holds after the restore what it held before, for who has it open, too.
func TestSQLiteComesBackWhole(t *testing.T) {
	t.Parallel()
	v := newVolume(t)
	v.python(fill)
	before := v.python(hold)
	assert.Equal(t, 5, strings.Count(before, "0o100"))
	dump := v.must("dump", "")
	assert.Equal(t, before, v.python(hold), "a dump changes nothing")
	rows := v.must("rows", "")
	assert.Equal(t, 5, strings.Count(rows, " app_storage/"), rows)

	after := v.python(`
held = sqlite3.connect("production.sqlite3"); held.execute("SELECT count(*) FROM t").fetchone()
held.execute("DELETE FROM t"); held.execute("DROP VIEW v"); held.commit()
for name in ("production_cable.sqlite3", "production_cable.sqlite3-wal", "production_cable.sqlite3-shm"):
    if os.path.exists(name): os.unlink(name)
import shutil; shutil.rmtree("production")
sqlite3.connect("later.db").execute("CREATE TABLE l (a)")`)
	assert.Empty(t, after)
	said := v.must("restore", dump)
	assert.Equal(t, "later.db of app_storage is not in the dump and stays as it is\n", said)
	v.python("os.unlink('later.db')")
	require.Equal(t, before, v.python(hold))
	report.Add(t, section, "SQLite: lines of the catalogues and tables of 5 files, and of them different after the restore", fmt.Sprintf("%d, 0", strings.Count(before, "\n")))
}

// TestSQLiteIsRestoredUnderItsClients: who has a file open and writes sees the one content or the other, and then the restored one.
func TestSQLiteIsRestoredUnderItsClients(t *testing.T) {
	t.Parallel()
	for _, journal := range []string{"wal", "delete"} {
		v := newVolume(t)
		v.python(`c = sqlite3.connect("a.db"); c.execute("PRAGMA journal_mode = ` + journal + `"); c.execute("CREATE TABLE t (a)"); c.executemany("INSERT INTO t VALUES (?)", [(1,)] * 1000); c.commit()`)
		dump := v.must("dump", "")
		s := &server{t: t, folder: v.folder}
		client := s.command(t.Context(), program(t, "python3", "/usr/bin/python3"), "-c", `
import sqlite3, os
c = sqlite3.connect("a.db", timeout=30)
c.execute("DELETE FROM t"); c.commit(); print("ready", flush=True)
while not os.path.exists("done"):
    n = c.execute("SELECT count(*) FROM t WHERE a = 1").fetchone()[0]
    assert n in (0, 1000), n
    c.execute("INSERT INTO t VALUES (2)"); c.commit()
n = c.execute("SELECT count(*) FROM t WHERE a = 1").fetchone()[0]
assert n == 1000 and c.execute("PRAGMA integrity_check").fetchone()[0] == "ok", n`)
		output, err := client.StdoutPipe()
		require.NoError(t, err)
		var said strings.Builder
		client.Stderr = &said
		require.NoError(t, client.Start())
		_, err = output.Read(make([]byte, 5))
		require.NoError(t, err)
		v.must("restore", dump)
		require.NoError(t, os.WriteFile(v.folder+"/done", nil, 0o644))
		require.NoErrorf(t, client.Wait(), "%s: %s", journal, &said)
	}
}

// TestSQLiteRestoresAllOrNothing: a dump that is not whole changes no file.
func TestSQLiteRestoresAllOrNothing(t *testing.T) {
	t.Parallel()
	v := newVolume(t)
	v.python(fill)
	dump := v.must("dump", "")
	v.python(`c = sqlite3.connect("production.sqlite3"); c.execute("DELETE FROM t WHERE id > 9"); c.commit()`)
	before := v.python(hold)
	for name, broken := range map[string]string{
		"nothing":              "",
		"half of it":           dump[:len(dump)/2],
		"a file that is wrong": strings.Replace(dump, "row 150 ä", "row", 1) + "",
		"another volume":       strings.ReplaceAll(dump, "app_storage/", "app_storagf/"),
		"a way out":            strings.ReplaceAll(dump, "app_storage/production.sqlite3", "app_storage/../../../etc/x3\x00\x00\x00"),
		"another kind":         "-- Berth: a whole Postgres server",
	} {
		_, said, err := v.does("restore", broken)
		require.Error(t, err, name)
		assert.Contains(t, said, "the SQLite files are as they were", name)
		assert.NotContains(t, said, "Traceback", name)
		assert.Equal(t, before, v.python(hold), name)
	}
}

// TestSQLiteFollowsNoLink: a link that a container puts into its volume is not followed on the server.
func TestSQLiteFollowsNoLink(t *testing.T) {
	t.Parallel()
	v := newVolume(t)
	secret := folder(t)
	s := &volume{t, secret}
	s.python(`c = sqlite3.connect("secret.db"); c.execute("CREATE TABLE s (a)"); c.execute("INSERT INTO s VALUES ('a secret of the server')"); c.commit()`)
	require.NoError(t, os.Chown(secret+"/secret.db", 0, 0))
	v.python(`
c = sqlite3.connect("mine.db"); c.execute("CREATE TABLE t (a)"); c.commit()
os.symlink("` + secret + `/secret.db", "linked.db"); os.symlink("` + secret + `", "folder"); os.symlink("/proc/1/root` + secret + `/secret.db", "through.db")`)
	dump := v.must("dump", "")
	assert.NotContains(t, dump, "a secret of the server")
	assert.Equal(t, "0 app_storage/mine.db\n", v.must("rows", ""))

	// By the time of the restore the file is a link, or the folder is.
	v.python(`os.unlink("mine.db"); os.symlink("` + secret + `/secret.db", "mine.db")`)
	before, err := os.ReadFile(secret + "/secret.db")
	require.NoError(t, err)
	_, said, err := v.does("restore", dump)
	require.Error(t, err)
	assert.Contains(t, said, "mine.db is no file any more")
	after, err := os.ReadFile(secret + "/secret.db")
	require.NoError(t, err)
	assert.Equal(t, before, after)
	made, err := filepath.Glob(secret + "/*")
	require.NoError(t, err)
	assert.Len(t, made, 1)
}

// TestSQLitePassesOverWhatIsDamaged: whoever may upload a file keeps no release from going out. A volume without a database gives
// no dump.
func TestSQLitePassesOverWhatIsDamaged(t *testing.T) {
	t.Parallel()
	v := newVolume(t)
	assert.Empty(t, v.must("dump", ""))
	v.python(`
c = sqlite3.connect("good.db"); c.execute("CREATE TABLE t (a)"); c.executemany("INSERT INTO t VALUES (?)", [("x" * 900,)] * 50); c.commit(); c.close()
whole = open("good.db", "rb").read()
open("cut.db", "wb").write(whole[:8192]); open("head.db", "wb").write(b"SQLite format 3\0" + b"\xff" * 4080)
open("inside.db", "wb").write(whole[:4096] + b"\x55" * 8192 + whole[12288:])`)
	dump, said, err := v.does("dump", "")
	require.NoError(t, err, said)
	for _, name := range []string{"cut.db", "head.db", "inside.db"} {
		assert.Contains(t, said, name+" of app_storage is damaged and is not in the dump")
		assert.NotContains(t, dump, "app_storage/"+name)
	}
	assert.Contains(t, dump, "app_storage/good.db")

	// What is damaged by now is what a restore is for.
	const content = "c = sqlite3.connect('good.db'); print(c.execute('SELECT count(*), sum(length(a)) FROM t').fetchone(), c.execute('PRAGMA integrity_check').fetchall())"
	before := v.python(content)
	for _, damage := range []string{`open("good.db", "r+b").write(b"\x00" * 4096)`, `open("good.db", "wb").close()`, `f = open("good.db", "r+b"); f.seek(4096); f.write(b"\x55" * 8192)`, `open("good.db", "wb").write(b"no database")`} {
		v.python(damage)
		v.must("restore", dump)
		assert.Equal(t, before, v.python(content), damage)
	}
}

// TestAKeptFolderIsNamedByItsPath: a folder that an app keeps has no volume's name, and may begin as another one does.
func TestAKeptFolderIsNamedByItsPath(t *testing.T) {
	t.Parallel()
	v, other := newVolume(t), newVolume(t)
	v.python("c = sqlite3.connect('a.db'); c.execute('CREATE TABLE t (a)'); c.execute('INSERT INTO t VALUES (1)'); c.commit()")
	other.python("os.mkdir('x'); c = sqlite3.connect('x/b.db'); c.execute('CREATE TABLE t (a)'); c.execute('INSERT INTO t VALUES (2)'); c.commit()")
	run := func(action, input string) string {
		command := exec.CommandContext(t.Context(), program(t, "python3", "/usr/bin/python3"), "-I", sqlitePy, action, "/data/binds/s="+v.folder, "/data/binds/s/deeper="+other.folder)
		command.Stdin = strings.NewReader(input)
		output, err := command.Output()
		require.NoErrorf(t, err, "%s: %v", action, err)
		return string(output)
	}
	before, beside := v.python(hold), other.python(hold)
	dump := run("dump", "")
	v.python("c = sqlite3.connect('a.db'); c.execute('DELETE FROM t'); c.commit()")
	other.python("os.unlink('x/b.db')")
	assert.Empty(t, run("restore", dump))
	assert.Equal(t, before, v.python(hold))
	assert.Equal(t, beside, other.python(hold))
}
