package compose

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPointTo(t *testing.T) {
	const host = "shop.rds.example.com"
	for _, test := range []struct{ variable, value, want string }{
		{"DATABASE_URL", "postgres://app:p@db:5432/app?sslmode=require", "postgres://app:p@" + host + ":5432/app?sslmode=require"},
		{"DATABASE_URL", "postgres://db/app", "postgres://" + host + "/app"},
		{"DATABASE_URL", "mongodb://u:p@db,db:27017,other/app", "mongodb://u:p@" + host + "," + host + ":27017,other/app"},
		{"SPRING_DATASOURCE_URL", "jdbc:postgresql://db:5432/app", "jdbc:postgresql://" + host + ":5432/app"},
		{"DSN", "user:pw@tcp(db:3306)/app?parseTime=true", "user:pw@tcp(" + host + ":3306)/app?parseTime=true"},
		{"DSN", "host=db port=5432 user=db dbname=db", "host=" + host + " port=5432 user=db dbname=db"},
		{"ConnectionStrings__Main", "Server=db;Database=db;User Id=db", "Server=" + host + ";Database=db;User Id=db"},
		{"ConnectionStrings__Main", "Data Source=tcp:db,1433;Initial Catalog=db", "Data Source=tcp:" + host + ",1433;Initial Catalog=db"},
		{"PGHOST", "db", host},
		{"DB_HOST", "db", host},
		{"MYSQL_SERVER", "db", host},
		{"CACHE", "db:6379", host + ":6379"},
		{"BROKERS", "db:9092,db:9093", host + ":9092," + host + ":9093"},
		{"COMMAND", "wait-for-it db:5432 -- run", "wait-for-it " + host + ":5432 -- run"},
		{"ORACLE", "jdbc:oracle:thin:@db:1521:XE", "jdbc:oracle:thin:@" + host + ":1521:XE"},
		{"ORACLE", "jdbc:oracle:thin:@//db:1521/XE", "jdbc:oracle:thin:@//" + host + ":1521/XE"},
		{"DB", "user:pw@db:5432", "user:pw@" + host + ":5432"},
		// What has the same name and is no host.
		{"POSTGRES_DB", "db", ""},
		{"POSTGRES_USER", "db", ""},
		{"DATABASE_URL", "postgres://db:db@elsewhere:5432/db", ""},
		{"DATABASE_URL", "postgres://my-db:5432/db", ""},
		{"DATABASE_URL", "postgres://db.internal:5432/db", ""},
		{"URL", "https://example.com/db:5432", ""},
		{"MAIL", "admin@db", ""},
		{"TEXT", "the db is away", ""},
		{"DB_IMAGE", "db:16", ""},
		{"IMAGE_TAG", "db:16", ""},
	} {
		pointed, ok := PointTo(test.variable, test.value, "db", host)
		if test.want == "" {
			assert.False(t, ok, test.value)
			assert.Equal(t, test.value, pointed)
			continue
		}
		assert.True(t, ok, test.value)
		assert.Equal(t, test.want, pointed)
	}
	_, ok := PointTo("PGHOST", "db.example.com", "db.example.com", "db.example.com")
	assert.False(t, ok, "it is there already")
}
