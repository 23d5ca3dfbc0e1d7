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

	"berth/tests/harness"
	"berth/tests/report"
)

// mongosh is the version of MongoDB's shell, an npm package.
const mongosh = "mongosh@2.12.0"

// newMongo makes a server that speaks MongoDB's protocol (tools/mongo), with MongoDB's own tools and shell beside it.
func newMongo(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, kind: "mongo", folder: folder(t)}
	made := func(folder, name string, arguments ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), program(t, name), arguments...)
		command.Dir = folder
		output, err := command.CombinedOutput()
		require.NoErrorf(t, err, "%s %s: %s", name, strings.Join(arguments, " "), output)
	}
	for name, pkg := range map[string]string{"server": ".", "mongodump": "github.com/mongodb/mongo-tools/mongodump/main", "mongorestore": "github.com/mongodb/mongo-tools/mongorestore/main"} {
		made("../../tools/mongo", "go", "build", "-o", filepath.Join(s.folder, name), pkg)
	}
	made(s.folder, "npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--prefix", s.folder, mongosh)
	s.env = []string{"PATH=" + s.folder + ":" + s.folder + "/node_modules/.bin:" + os.Getenv("PATH")}
	s.must("", "mkdir", "data")
	s.start(func() error {
		_, _, err := s.tries("ping", "")
		return err
	}, s.folder+"/server", "127.0.0.1:27017", s.folder+"/data")
	return s
}

// holdings prints all that a server holds, a line for each collection, index and document.
const holdings = `db.adminCommand({listDatabases: 1, nameOnly: true}).databases.map(d => d.name).sort().forEach(n => {
  const one = db.getSiblingDB(n);
  one.getCollectionInfos().map(c => c.name).sort().forEach(c => {
    print(n + ' ' + c);
    one.getCollection(c).getIndexes().map(i => EJSON.stringify(i, {relaxed: false})).sort().forEach(i => print(i));
    one.getCollection(c).find().map(d => EJSON.stringify(d, {relaxed: false})).toArray().sort().forEach(d => print(d)); }) })`

const documents = `const shop = db.getSiblingDB('shop');
shop.items.insertMany([{_id: 1, name: 'a', price: 1.5}, {_id: 2, nested: {list: [1, 'two', null, true]}}, {_id: 3, none: {}}]);
shop.getCollection('with space').insertOne({_id: ObjectId('6b0b297aca32e1c3e4bfe0a0'), when: new Date(0), long: NumberLong('9007199254740993'), bytes: new BinData(0, 'AAEC')});
shop.createCollection('empty');
db.getSiblingDB('other').x.insertMany([{_id: 'ü', text: 'line\nbreak "quoted"'}, {_id: 'b'}]);`

// TestMongoComesBackWhole: MongoDB's own tools and shell, as the script calls them, dump and restore a server of the same protocol.
// That server refuses an option (ns) that mongorestore gives every index but the first, so no other index is tried.
func TestMongoComesBackWhole(t *testing.T) {
	harness.Long(t)
	t.Parallel()
	s := newMongo(t)
	shell := func(script string) string {
		t.Helper()
		return s.must("", s.folder+"/node_modules/.bin/mongosh", "--quiet", "--norc", "--eval", script)
	}
	shell(documents)
	before := shell(holdings)
	lines := strings.Count(strings.TrimSpace(before), "\n") + 1
	require.Equal(t, 14, lines, before)
	assert.Equal(t, "2 other\n4 shop\n", s.does("rows", ""))
	dump := s.does("dump", "")
	require.Equal(t, before, shell(holdings))

	for name, broken := range map[string]string{"nothing": "", "half of it": dump[:len(dump)/2], "another kind": "-- Berth: a whole"} {
		_, said, err := s.tries("restore", broken)
		require.Error(t, err, name)
		assert.NotEmpty(t, said, name)
	}
	shell(`db.getSiblingDB('shop').items.drop(); db.getSiblingDB('shop').getCollection('with space').updateOne({}, {$set: {long: 1}}); db.getSiblingDB('other').dropDatabase();
db.getSiblingDB('shop').empty.insertOne({_id: 1});`)
	require.NotEqual(t, before, shell(holdings))
	s.does("restore", dump)
	require.Equal(t, before, shell(holdings))
	report.Add(t, section, "MongoDB's tools and shell, with a server of the same protocol: collections and documents of 2 databases, and of them different after the restore", fmt.Sprintf("%d, 0", lines))
}
