package provision

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newCommands is a server whose Docker has the containers of a release and of its data, and says how it was called.
func newCommands(t *testing.T) *rebooted {
	t.Helper()
	r := newRebooted(t)
	r.write("data/releases/abc/plan.json", `{"stateless":["web","worker"],"stateful":["db","cache"],"databases":[{"service":"db","kind":"postgres"},{"service":"cache","kind":"redis"}]}`)
	r.write("data/releases/abc/.env.production", "GREETING='NAME=nobody'\nTOKEN=\"a secret\"\n")
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "bin", "docker"), []byte(`#!/bin/bash
case "$*" in
  "ps --all --no-trunc "*project=release-abc*oneoff=False*service=web*) echo "CONTAINER ID"; echo web1 ;;
  "ps --all --no-trunc "*project=app*oneoff=False*service=db*) echo "CONTAINER ID"; echo db1 ;;
  "ps --all --no-trunc "*) echo "CONTAINER ID" ;;
  "ps --filter "*release-abc*) echo SERVICE; echo web ;;
  "ps --filter "*) echo SERVICE; echo db ;;
  *) printf '%s|' "$@" | head -c 120 ;;
esac`), 0o755))
	return r
}

// TestCommandsFindTheirContainer by the service's name: of the release that serves, or of its data.
func TestCommandsFindTheirContainer(t *testing.T) {
	for command, want := range map[string]string{
		`execute web ls -l`:                 "exec|--interactive|web1|ls|-l|",
		`execute db psql`:                   "exec|--interactive|db1|psql|",
		`shell web`:                         "exec|--interactive|web1|sh|-c|",
		`run_once worker rake db:migrate`:   "compose|--progress|quiet|--env-file|",
		`client db`:                         "exec|--interactive|db1|sh|-c|",
		`variables`:                         "GREETING\nTOKEN\n",
		`execute none ls`:                   "there is no service none [service-unknown]; these run: web db",
		`shell ""`:                          "name a service, such as",
		`client`:                            "more than one database (db cache) [database-not-named]; name one: sudo /opt/berth/deploy.sh db db",
		`client other`:                      "the release has no database other that Berth knows",
		`run_once db postgres`:              "db is no service that every release replaces (these are: web worker) [service-not-replaced]; in the container of a persistent one: sudo /opt/berth/deploy.sh exec db postgres",
		`run_once worker`:                   "usage: deploy.sh run SERVICE COMMAND",
		`rm "$RELEASES/current"; shell web`: "nothing was released yet",
	} {
		r := newCommands(t)
		said, err := r.source("deploy.sh", command)
		said = strings.ReplaceAll(said, filepath.Join(r.dir, "scripts"), "/opt/berth")
		assert.Contains(t, said, want, command)
		refused := strings.Contains(want, " ")
		assert.Equal(t, refused, err != nil, "%s: %s", command, said)
		assert.NotContains(t, said, "secret", command)
	}
}
