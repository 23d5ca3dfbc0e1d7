package detect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return dir
}

func TestRoutes(t *testing.T) {
	const db = "\n  db: {image: 'postgres:17', ports: ['5432:5432']}"
	for name, c := range map[string]struct {
		services, routes, unrouted string
	}{
		"one that publishes":               {"one: {image: 'x:1', ports: ['3000:8080']}" + db, "/ one:8080", ""},
		"a front and an API":               {"api: {image: 'x:1', ports: ['8000:8000']}\n  web: {image: 'x:1', ports: ['80:80']}" + db, "/ web:80 /api/ api:8000", ""},
		"a proxy before what is inside":    {"app: {image: 'x:1', expose: ['9000']}\n  nginx: {image: 'nginx:1', ports: ['80:80']}", "/ nginx:80", "app:9000"},
		"nothing published":                {"api: {image: 'x:1', expose: [8000]}\n  ui: {image: 'x:1', expose: ['80']}", "/ ui:80 /api/ api:8000", ""},
		"the Dockerfile says":              {"thing: {build: .}", "/ thing:4000", ""},
		"UDP is no web":                    {"dns: {image: 'x:1', ports: ['53:53/udp']}\n  thing: {build: .}", "/ thing:4000", ""},
		"what keeps files is reached, too": {"web: {image: 'x:1', expose: [8000], volumes: ['media:/media']}\n  nginx: {image: 'x:1', ports: ['1337:80'], volumes: ['media:/media']}" + db, "/ nginx:80", "web:8000"},
		"a store of one's own is no front": {"cache: {image: 'x:1', expose: [6379], volumes: ['media:/media']}\n  shop: {image: 'x:1', expose: [80]}", "/ shop:80", "cache:6379"},
		"an API alone answers everything":  {"api: {image: 'x:1', ports: ['8000:8000']}", "/ api:8000", ""},
	} {
		guessed, err := From(t.Context(), folder(t, map[string]string{"docker-compose.yml": "services:\n  " + c.services + "\nvolumes: {media: }\n", "Dockerfile": "FROM scratch\nEXPOSE 4000/tcp\n"}), Given{})
		require.NoError(t, err, name)
		var routes []string
		for _, route := range guessed.Routes {
			routes = append(routes, fmt.Sprintf("%s %s:%d", route.Path, route.Service, route.Port))
		}
		assert.Equal(t, c.routes, strings.Join(routes, " "), name)
		assert.Equal(t, c.unrouted, strings.Join(guessed.Unrouted, " "), name)
		assert.Equal(t, "docker-compose.yml", guessed.ComposeFile)
	}
}

func TestVariables(t *testing.T) {
	guessed, err := From(t.Context(), folder(t, map[string]string{
		"compose.yaml": "services:\n  web: {image: 'x:1', expose: [80], environment: [\"A=${GREETING:?}\", \"B=${DB_PASSWORD:?}\", \"C=${GIVEN:?}\"]}\n",
		".env.example": "GREETING='Hello you'\nDB_PASSWORD=changeme\nAPI_KEY=\nGIVEN=\n# OPTIONAL=1\n",
	}), Given{Variables: map[string]string{"GIVEN": "x"}})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"GREETING": "Hello you"}, guessed.Environment)
	assert.Equal(t, map[string]Secret{"API_KEY": {}, "DB_PASSWORD": {Password: true}}, guessed.Secrets)
}

func TestTheDatabasesPasswordIsTheApps(t *testing.T) {
	guessed, err := From(t.Context(), folder(t, map[string]string{
		"compose.yaml": "services:\n  web: {image: 'x:1', expose: [80]}\n",
		".env.example": "POSTGRES_PASSWORD=postgres\nDATABASE_URL=postgresql+asyncpg://app:postgres@db:5432/app?ssl=no\nSMTP=smtp://me:mine@mail.example.com\nREDIS_URL=redis://cache:6379/0\nSECRET_KEY=mine\n",
	}), Given{})
	require.NoError(t, err)
	assert.Equal(t, map[string]Secret{
		"POSTGRES_PASSWORD": {Password: true}, "SECRET_KEY": {},
		"DATABASE_URL": {Before: "postgresql+asyncpg://app:", After: "@db:5432/app?ssl=no", Password: true},
	}, guessed.Secrets)
	assert.Equal(t, map[string]string{"SMTP": "smtp://me:mine@mail.example.com", "REDIS_URL": "redis://cache:6379/0"}, guessed.Environment)
}

func TestWhatCannotBeGuessedIsSaid(t *testing.T) {
	for reason, files := range map[string]map[string]string{
		"the app has no compose file at its top; looked for compose.yaml,": {"app/compose.yaml": "services: {}"},
		"no service of compose.yaml says on which port it answers":         {"compose.yaml": "services: {web: {image: 'x:1'}, db: {image: 'postgres:17', ports: ['5432:5432']}}"},
		"compose.yaml is refused by Compose":                               {"compose.yaml": "services: ["},
		"required variable MISSING is missing a value":                     {"compose.yaml": "services: {web: {image: 'x:1', environment: {A: '${MISSING:?}'}}}"},
	} {
		_, err := From(t.Context(), folder(t, files), Given{})
		require.ErrorContains(t, err, reason)
	}
}

func TestWhatIsGivenIsNotGuessed(t *testing.T) {
	dir := folder(t, map[string]string{"deploy/stack.yaml": "services: {web: {image: 'x:1'}}"})
	var unguessed *Unguessed
	_, err := From(t.Context(), dir, Given{})
	require.ErrorAs(t, err, &unguessed)
	assert.Equal(t, "composeFile=deploy/compose.yaml", unguessed.Say)
	_, err = From(t.Context(), dir, Given{ComposeFile: "deploy/stack.yaml"})
	require.ErrorAs(t, err, &unguessed)
	assert.Equal(t, "routes=web:80", unguessed.Say)
	guessed, err := From(t.Context(), dir, Given{ComposeFile: "deploy/stack.yaml", Routed: true})
	require.NoError(t, err)
	assert.Equal(t, "deploy/stack.yaml", guessed.ComposeFile)
	assert.Empty(t, guessed.Routes)
	_, err = From(t.Context(), dir, Given{ComposeFile: "elsewhere.yaml", Routed: true})
	require.ErrorContains(t, err, "the repository has no elsewhere.yaml")
}

func TestALinkDoesNotLeadOutOfTheApp(t *testing.T) {
	elsewhere := filepath.Join(folder(t, map[string]string{"credentials": "STOLEN=canary\n"}), "credentials")
	dir := folder(t, map[string]string{"compose.yaml": "services: {web: {image: 'x:1', expose: [80]}}"})
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, ".env.example")))
	_, err := From(t.Context(), dir, Given{})
	require.ErrorContains(t, err, "escapes")
}
