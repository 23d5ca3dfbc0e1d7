package databases

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMongoAsksTheRightTools: Debian has no MongoDB, so programs of the tools' names say what they were asked, and the password
// they were given.
func TestMongoAsksTheRightTools(t *testing.T) {
	t.Parallel()
	s := &server{t: t, kind: "mongo", folder: folder(t)}
	for _, name := range []string{"mongodump", "mongorestore"} {
		require.NoError(t, os.WriteFile(s.folder+"/"+name, []byte("#!/bin/sh\necho \"${0##*/} $*\"\nfor word; do case $word in --config=*) cat \"${word#--config=}\" ;; esac; done\ncat\n"), 0o755))
	}
	require.NoError(t, os.WriteFile(s.folder+"/mongosh", []byte("#!/bin/sh\nfor word; do case $word in --eval) ;; *) last=$word ;; esac; done\necho \"$NAME $BERTH_PASSWORD\"\ncase $* in *\"$BERTH_PASSWORD\"*) [ -z \"$BERTH_PASSWORD\" ] || exit 1 ;; esac\ncase $last in *countDocuments*) echo '5 shop' ;; esac\n"), 0o755))
	require.NoError(t, os.WriteFile(s.folder+"/password", []byte(`p"w\x`), 0o644))
	s.env = []string{"PATH=" + s.folder + ":" + os.Getenv("PATH")}
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"no question":      {nil, ""},
		"the image's root": {[]string{"MONGO_INITDB_ROOT_USERNAME=boss", `MONGO_INITDB_ROOT_PASSWORD=p"w\x`}, "boss"},
		"files":            {[]string{"MONGO_INITDB_ROOT_USERNAME=boss", "MONGO_INITDB_ROOT_PASSWORD_FILE=" + s.folder + "/password"}, "boss"},
		"Bitnami's":        {[]string{`MONGODB_ROOT_PASSWORD=p"w\x`}, "root"},
	} {
		login, config, shell := "", "", " \n"
		if test.want != "" {
			login, config, shell = " --username="+test.want+" --authenticationDatabase=admin --config=/dev/fd/3", "password: \"p\\\"w\\\\x\"\n", test.want+" p\"w\\x\n"
		}
		in := s.with(test.env...)
		assert.Equal(t, "mongodump"+login+" --archive\n"+config, in.does("dump", ""), name)
		assert.Equal(t, "mongorestore"+login+" --archive --drop --stopOnError\n"+config+"an archive", in.does("restore", "an archive"), name)
		assert.Equal(t, shell+"5 shop\n", in.does("rows", ""), name)
		in.does("ping", "")
		assert.Equal(t, shell, in.does("client", ""), name)
		assert.False(t, strings.Contains(in.does("rows", ""), "auth("), name)
	}
}
