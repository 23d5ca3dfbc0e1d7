package databases

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestTheClientIsLoggedIn as the server's administrator, in the app's database, and takes what is typed.
func TestTheClientIsLoggedIn(t *testing.T) {
	t.Parallel()
	postgres := newPostgres(t, "load", "trust")
	assert.Contains(t, postgres.with("POSTGRES_DB=postgres").does("client", "SELECT current_database() || ' as ' || current_user;\n"), "postgres as load")
	const password = `p"w\ $x'y`
	mysql := newMySQL(t, password)
	mysql.sqlOfRoot("CREATE DATABASE shop")
	assert.Contains(t, mysql.with("MARIADB_DATABASE=shop").does("client", "SELECT CONCAT(DATABASE(), ' as ', USER());\n"), "shop as root@")
	redis := newRedis(t, "7731", "--requirepass", "secret")
	assert.Contains(t, redis.does("client", "PING\n"), "PONG")
}
