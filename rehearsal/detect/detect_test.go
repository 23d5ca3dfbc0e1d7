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
		"a site and an API":                {"api: {image: 'x:1', ports: ['8000:8000']}\n  web: {image: 'x:1', ports: ['80:80']}" + db, "/ web:80 /api/ api:8000", ""},
		"a proxy before what is inside":    {"app: {image: 'x:1', expose: ['9000']}\n  nginx: {image: 'nginx:1', ports: ['80:80']}", "/ nginx:80", "app:9000"},
		"nothing published":                {"api: {image: 'x:1', expose: [8000]}\n  ui: {image: 'x:1', expose: ['80']}", "/ ui:80 /api/ api:8000", ""},
		"the Dockerfile says":              {"thing: {build: .}", "/ thing:4000", ""},
		"UDP is no web":                    {"dns: {image: 'x:1', ports: ['53:53/udp']}\n  thing: {build: .}", "/ thing:4000", ""},
		"what keeps files is reached, too": {"web: {image: 'x:1', expose: [8000], volumes: ['media:/media']}\n  nginx: {image: 'x:1', ports: ['1337:80'], volumes: ['media:/media']}" + db, "/ nginx:80", "web:8000"},
		"a cache is not the site":          {"cache: {image: 'x:1', expose: [7000], volumes: ['media:/media']}\n  shop: {image: 'x:1', expose: [80]}", "/ shop:80", "cache:7000"},
		"an API alone answers everything":  {"api: {image: 'x:1', ports: ['8000:8000']}", "/ api:8000", ""},

		// The port that is published.
		"80 before the rest":              {"admin: {image: 'x:1', ports: ['3000:3000']}\n  shop: {image: 'x:1', ports: ['80:8080']}", "/ shop:8080", "admin:3000"},
		"80 before 443":                   {"shop: {image: 'x:1', ports: ['443:8443', '80:8080']}", "/ shop:8080", ""},
		"8448 is TLS of Matrix":           {"shop: {image: 'x:1', ports: ['8448:8448', '8008:8008']}", "/ shop:8008", ""},
		"10443 is TLS":                    {"shop: {image: 'x:1', ports: ['10443:10443', '10080:10080']}", "/ shop:10080", ""},
		"443, where it is alone":          {"shop: {image: 'x:1', ports: ['443:8443']}", "/ shop:8443", ""},
		"no name server's":                {"dns: {image: 'x:1', ports: ['53:53/tcp', '53:53/udp', '80:80/tcp']}", "/ dns:80", ""},
		"no SSH":                          {"git: {image: 'gitea/gitea:1', ports: ['22:22', '2222:2222', '3000:3000']}", "/ git:3000", ""},
		"no mail":                         {"mail: {image: 'x:1', ports: ['25:25', '587:587', '143:143', '8080:8080']}", "/ mail:8080", ""},
		"a debugger beside it":            {"app: {image: 'x:1', ports: ['9229:9229', '4321:4321']}", "/ app:4321", ""},
		"8080 before another":             {"a: {image: 'x:1', ports: ['7777:7777']}\n  b: {image: 'x:1', ports: ['8080:1234']}", "/ b:1234", "a:7777"},
		"8000 before 3000":                {"a: {image: 'x:1', ports: ['3000:1']}\n  b: {image: 'x:1', ports: ['8000:2']}", "/ b:2", "a:1"},
		"written long":                    {"a: {image: 'x:1', ports: [{target: 53}, {target: 4180, published: '80'}]}", "/ a:4180", ""},
		"by one address":                  {"a: {image: 'x:1', ports: ['127.0.0.1:8096:8096']}", "/ a:8096", ""},
		"of two that are alike the first": {"a: {image: 'x:1', ports: ['9443:9443', '7001:7001', '7002:7002']}", "/ a:7001", ""},

		// Names, by their words, and the file's order.
		"names by word":              {"x-worker: {image: 'x:1', ports: ['7000:7000']}\n  penpot-frontend: {image: 'x:1', ports: ['9001:8080']}\n  penpot_backend: {image: 'x:1', ports: ['6060:6060']}", "/ penpot-frontend:8080 /api/ penpot_backend:6060", "x-worker:7000"},
		"a mail catcher":             {"mailcatch: {image: 'sj26/mailcatcher:1', ports: ['1080:1080']}\n  shop-frontend: {image: 'x:1', ports: ['9001:8080']}", "/ shop-frontend:8080", "mailcatch:1080"},
		"a mail catcher by image":    {"catch: {image: 'axllent/mailpit:1', ports: ['8025:8025', '1025:1025']}\n  thing: {image: 'x:1', ports: ['9999:8080']}", "/ thing:8080", "catch:8025"},
		"a way into the database":    {"adminer: {image: 'adminer:4', ports: ['8080:8080']}\n  thing: {image: 'x:1', ports: ['5000:5000']}" + db, "/ thing:5000", "adminer:8080"},
		"which is the app itself":    {"pma: {image: 'phpmyadmin:5', ports: ['8080:80']}" + db, "/ pma:80", ""},
		"the file's order":           {"vote: {image: 'x:1', ports: ['5000:80']}\n  result: {image: 'x:2', ports: ['5001:80']}", "/ vote:80", "result:80"},
		"the file's order, 80 twice": {"zebra: {image: 'x:1', ports: ['7080:80']}\n  ape: {image: 'x:2', ports: ['7081:80']}", "/ zebra:80", "ape:80"},
		"a proxy does the API":       {"nginx: {image: 'nginx:1', ports: ['80:80']}\n  api: {image: 'x:1', ports: ['8000:8000']}", "/ nginx:80", "api:8000"},
		"a front before its API":     {"backend: {image: 'x:1', ports: ['8000:8000']}\n  frontend: {image: 'x:1', ports: ['5173:80']}", "/ frontend:80 /api/ backend:8000", ""},
		"a worker":                   {"app-worker: {image: 'x:1', ports: ['8080:8080']}\n  thing: {image: 'x:1', ports: ['9999:9999']}", "/ thing:9999", "app-worker:8080"},

		// Fronts that keep files, and what keeps data and has pages.
		"a stateful site":       {"grafana: {image: 'grafana/grafana:11', ports: ['3000:3000'], volumes: ['media:/d']}\n  loki: {image: 'grafana/loki:3', ports: ['3100:3100']}", "/ grafana:3000", "loki:3100"},
		"what ships figures":    {"vmagent: {image: 'victoriametrics/vmagent:v1', ports: ['8429:8429']}\n  logstash: {image: 'x:1', ports: ['9600:9600']}\n  grafana: {image: 'grafana/grafana:11', ports: ['3000:3000']}", "/ grafana:3000", "logstash:9600 vmagent:8429"},
		"figures beside an app": {"grafana: {image: 'grafana/grafana:11', ports: ['3000:3000']}\n  thing: {image: 'x:1', ports: ['9999:9999']}", "/ thing:9999", "grafana:3000"},
		"pages of a store":      {"s3: {image: 'minio/minio:1', ports: ['9000:9000', '9001:9001'], volumes: ['media:/d']}", "/ s3:9001", ""},
		"pages of a broker":     {"mq: {image: 'rabbitmq:3-management', ports: ['5672:5672', '15672:15672']}", "/ mq:15672", ""},

		// What ends TLS itself.
		"behind Traefik":               {"traefik: {image: 'traefik:v3', ports: ['80:80', '443:443']}\n  thing: {image: 'x:1', expose: [3000]}", "/ thing:3000", "traefik:80"},
		"behind it, by a label":        {"traefik: {image: 'traefik:v3', ports: ['80:80', '443:443']}\n  thing: {image: 'x:1', labels: [traefik.http.services.t.loadbalancer.server.port=2368]}", "/ thing:2368", "traefik:80"},
		"behind a proxy, alone":        {"proxy: {image: 'nginxproxy/nginx-proxy:1', ports: ['80:80', '443:443']}\n  thing: {image: 'x:1', environment: {VIRTUAL_PORT: 4000}}", "/ thing:4000", "proxy:80"},
		"behind one that says nothing": {"traefik: {image: 'traefik:v3', ports: ['80:80', '443:443']}\n  thing: {image: 'x:1'}", "/ traefik:80", ""},
		"nginx has its own rules":      {"nginx: {image: 'nginx:1', ports: ['80:80', '443:443']}\n  thing: {image: 'x:1', expose: [3000]}", "/ nginx:80", "thing:3000"},

		// Ports that a compose file does not say.
		"a known image":       {"blog: {image: 'ghost:5'}", "/ blog:2368", ""},
		"in the compose file": {"one: {build: {context: ., dockerfile_inline: \"FROM x\\nEXPOSE 4444\"}}", "/ one:4444", ""},
	} {
		guessed, err := From(t.Context(), folder(t, map[string]string{"docker-compose.yml": "services:\n  " + c.services + "\nvolumes: {media: }\n", "Dockerfile": "FROM scratch\nEXPOSE 4000/tcp\n"}), Given{})
		require.NoError(t, err, name)
		var routes []string
		for _, route := range guessed.Routes {
			routes = append(routes, fmt.Sprintf("%s %s:%d", route.Path, route.Service, route.Port))
		}
		assert.Equal(t, c.routes, strings.Join(routes, " "), name)
		assert.Equal(t, c.unrouted, strings.Join(guessed.Unrouted, " "), name)
		assert.Equal(t, []string{"docker-compose.yml"}, guessed.ComposeFiles)
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

// TestSecretsAreKnownByTheirNames, whatever framework named them.
func TestSecretsAreKnownByTheirNames(t *testing.T) {
	names := func(line string) (secrets map[string]Secret, plain map[string]string) {
		guessed, err := From(t.Context(), folder(t, map[string]string{"compose.yaml": "services: {web: {image: 'x:1', expose: [80]}}\n", ".env.example": line + "\n"}), Given{})
		require.NoError(t, err, line)
		return guessed.Secrets, guessed.Environment
	}
	for line, want := range map[string]Secret{
		"SECRET_KEY_BASE=changeme": {Hex: 64}, "MY_SECRET_KEY_BASE=": {Hex: 64}, "APP_KEY=": {Before: "base64:", Base64: 32}, "OTP_SALT=abc": {}, "PASSPHRASE=abc": {}, "AUTH_SECRET=x": {}, "NEXTAUTH_SECRET=": {},
		"POSTGRES_PW=abc": {Password: true}, "MONGO_PWD=x": {Password: true}, "SMTP_PASS=abc": {Password: true}, "DB_PASSWORD=1234": {Password: true}, "GITHUB_PAT=x": {}, "PASSWORD_PEPPER=x": {},
		"DATABASE_URL=postgres://app:secretpw@db/app":     {Before: "postgres://app:", After: "@db/app", Password: true},
		"DATABASE_DSN=mysql://app:secretpw@db:3306/app":   {Before: "mysql://app:", After: "@db:3306/app", Password: true},
		"SENTRY_DSN=https://abc@sentry.io/1":              {Before: "https://", After: "@sentry.io/1"},
		"ENCRYPTION_KEY=00112233445566778899aabbccddeeff": {Hex: 16},
	} {
		name, _, _ := strings.Cut(line, "=")
		secrets, plain := names(line)
		assert.Equal(t, map[string]Secret{name: want}, secrets, line)
		assert.Empty(t, plain, line)
	}
	for _, line := range strings.Fields(`CACHE_KEY=shop SORT_KEY=name MAX_TOKEN=4096 MAX_OUTPUT_TOKEN=1 NEXT_PUBLIC_POSTHOG_KEY=x VITE_API_KEY=x RECAPTCHA_SITE_KEY=x SUPABASE_ANON_KEY=x STRIPE_PUBLISHABLE_KEY=x JWT_SECRET_KEY_ID=kid-1
		REDIS_PASSWORD=null MAIL_PASSWORD=null STRIPE_SECRET_KEY= STRIPE_API_KEY= SMTP_PASS= GITHUB_PAT= OPENAI_API_KEY= GOOGLE_CLIENT_SECRET= SENTRY_DSN= KEY_TOKEN=12 BYPASS=1 PWD=x ALLOW_PASSWORD=false REDIS_URL=redis://cache:6379/0`) {
		name, value, _ := strings.Cut(line, "=")
		secrets, plain := names(line)
		assert.Empty(t, secrets, line)
		assert.Equal(t, map[string]string{name: value}, plain, line)
	}
}

// TestAPasswordThatTheComposeFileHasStays in the URL that goes with it.
func TestAPasswordThatTheComposeFileHasStays(t *testing.T) {
	guessed, err := From(t.Context(), folder(t, map[string]string{
		"compose.yaml": "services: {web: {image: 'x:1', expose: [80]}, db: {image: 'postgres:17', environment: {POSTGRES_PASSWORD: secretpw}}}\n", ".env.example": "DATABASE_URL=postgres://app:secretpw@db/app\n"}), Given{})
	require.NoError(t, err)
	assert.Empty(t, guessed.Secrets)
}

// TestWhatTheComposeFileTakesIsGuessed, where no example names it.
func TestWhatTheComposeFileTakesIsGuessed(t *testing.T) {
	guessed, err := From(t.Context(), folder(t, map[string]string{
		"deploy/compose.yaml": "services: {web: {image: \"x:${VERSION}\", expose: [80], environment: [\"A=${SESSION_SECRET}\", \"B=${DB_PASSWORD:?}\", \"C=${GREETING}\", \"D=${SMTP_PASSWORD}\", \"E=${LICENSE_KEY:?}\", \"F=${GIVEN_SECRET}\"]}}\n",
		"deploy/.env.example": "SESSION=x\n", ".env.example": "WRONG=\n", "deploy/.env": "VERSION=1\n",
	}), Given{ComposeFiles: []string{"deploy/compose.yaml"}, Variables: map[string]string{"GIVEN_SECRET": "x"}})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"SESSION": "x"}, guessed.Environment, "the example beside the compose file; what .env sets is set")
	assert.Equal(t, map[string]Secret{"SESSION_SECRET": {}, "DB_PASSWORD": {Password: true}, "LICENSE_KEY": {}}, guessed.Secrets)
}

func TestValuesOfSecrets(t *testing.T) {
	random := func(count int) []byte { return make([]byte, count) }
	assert.Equal(t, "one", Secret{Password: true}.Value("one", "two", random))
	assert.Equal(t, "two", Secret{}.Value("one", "two", random))
	assert.Equal(t, "postgres://app:one@db", Secret{Before: "postgres://app:", After: "@db", Password: true}.Value("one", "two", random))
	assert.Equal(t, strings.Repeat("00", 64), Secret{Hex: 64}.Value("one", "two", random))
	assert.Equal(t, "base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", Secret{Before: "base64:", Base64: 32}.Value("one", "two", random))
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
		"the app has no compose file at its top; looked for compose.yaml,":                          {"app/compose.yaml": "services: {}"},
		"no service of compose.yaml says on which port it answers":                                  {"compose.yaml": "services: {web: {image: 'x:1'}, db: {image: 'postgres:17', ports: ['5432:5432']}}"},
		"the services of compose.yaml hold data (db), and none of them has pages":                   {"compose.yaml": "services: {db: {image: 'postgres:17', ports: ['5432:5432']}}"},
		"every service of compose.yaml runs only with a profile (web with prod, full)":              {"compose.yaml": "services: {web: {image: 'x:1', ports: ['80:80'], profiles: [prod, full]}}"},
		"compose.yaml is refused by Compose":                                                        {"compose.yaml": "services: ["},
		"compose.yaml requires the variables MISSING, OTHER, which no .env.example has a value for": {"compose.yaml": "services: {web: {image: 'x:1', environment: {A: '${MISSING:?}', B: '${OTHER?}', C: '${SECRET:?}'}}}"},
		"the variable CERTIFICATE of .env.example has several lines":                                {"compose.yaml": "services: {web: {image: 'x:1', expose: [80]}}", ".env.example": "CERTIFICATE=\"one\ntwo\"\n"},
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
	_, err = From(t.Context(), dir, Given{ComposeFiles: []string{"deploy/stack.yaml"}})
	require.ErrorAs(t, err, &unguessed)
	assert.Equal(t, "routes=web:80", unguessed.Say)
	guessed, err := From(t.Context(), dir, Given{ComposeFiles: []string{"deploy/stack.yaml"}, Routed: true})
	require.NoError(t, err)
	assert.Equal(t, []string{"deploy/stack.yaml"}, guessed.ComposeFiles)
	assert.Empty(t, guessed.Routes)
	_, err = From(t.Context(), dir, Given{ComposeFiles: []string{"elsewhere.yaml"}, Routed: true})
	require.ErrorContains(t, err, "the repository has no elsewhere.yaml")
}

func TestALinkDoesNotLeadOutOfTheApp(t *testing.T) {
	elsewhere := filepath.Join(folder(t, map[string]string{"credentials": "STOLEN=canary\n"}), "credentials")
	dir := folder(t, map[string]string{"compose.yaml": "services: {web: {image: 'x:1', expose: [80]}}"})
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, ".env.example")))
	_, err := From(t.Context(), dir, Given{})
	require.ErrorContains(t, err, "escapes")
}

// BenchmarkFrom reads an app of 200 services with 150 variables each.
func BenchmarkFrom(b *testing.B) {
	var text, example strings.Builder
	text.WriteString("x-all: &all\n  environment:\n")
	for i := range 150 {
		fmt.Fprintf(&text, "    V%d: \"${V%d:-x}\"\n", i, i)
		fmt.Fprintf(&example, "V%d=x\n", i)
	}
	text.WriteString("services:\n  web: {image: 'x:1', ports: ['80:80']}\n")
	for i := range 200 {
		fmt.Fprintf(&text, "  s%d: {<<: *all, image: 'x:%d', restart: always, volumes: ['v%d:/d'], expose: [%d]}\n", i, i, i, 8000+i)
	}
	text.WriteString("volumes:\n")
	for i := range 200 {
		fmt.Fprintf(&text, "  v%d: {}\n", i)
	}
	dir := b.TempDir()
	for name, content := range map[string]string{"compose.yaml": text.String(), ".env.example": example.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := From(b.Context(), dir, Given{}); err != nil {
			b.Fatal(err)
		}
	}
}
