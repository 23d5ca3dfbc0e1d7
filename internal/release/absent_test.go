package release

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"berth/internal/config"
)

// other is an app with a service of its own beside web.
func other(definition string, sections ...string) string {
	return routed + "  other: {restart: always, " + definition + "}\n" + strings.Join(sections, "\n") + "\n"
}

func TestWhatIsNotThereIsAProblem(t *testing.T) {
	const docker = "app/Dockerfile FROM debian:13 AS base\nFROM base AS runtime\n"
	check(t, map[string]app{
		// Builds.
		"a context":                        {compose: other("build: ./frontend"), refused: []string{"compose.yaml:3: service other is built from ./frontend, which the commit does not hold; commit it, or build the image elsewhere: pulumi config set --path 'berth:images[\"other\"]' REFERENCE"}},
		"a context, deep, written long":    {compose: other("build: {context: vendor/laravel/sail/runtimes/8.3, dockerfile: Dockerfile}"), refused: []string{"is built from ./vendor/laravel/sail/runtimes/8.3, which the commit does not hold"}, silent: []string{"is built with"}},
		"a context that is a file":         {compose: other("build: app/Dockerfile"), files: []string{docker}, refused: []string{"is built from ./app/Dockerfile, which is a file and no folder"}},
		"an image in its place":            {compose: other("build: ./frontend"), stack: func(c *config.Config) { c.Images = map[string]string{"other": "x:1"} }},
		"from elsewhere":                   {compose: other("build: https://github.com/you/app.git")},
		"a Dockerfile":                     {compose: other("build: app"), files: []string{"app/x x"}, refused: []string{"service other is built with ./app/Dockerfile, which the commit does not hold"}},
		"a Dockerfile of another name":     {compose: other("build: {context: app, dockerfile: docker/prod.Dockerfile}"), files: []string{docker}, refused: []string{"is built with ./app/docker/prod.Dockerfile, which the commit does not hold"}},
		"a Dockerfile in small letters":    {compose: other("build: app"), files: []string{"app/dockerfile FROM x\n"}},
		"a Dockerfile beside":              {compose: other("build: {context: app, dockerfile: ../Dockerfile.app}"), files: []string{"Dockerfile.app FROM x", docker}, refused: []string{"which is outside its folder"}, silent: []string{"is built with"}},
		"a Dockerfile in the compose file": {compose: other("build: {context: app, dockerfile_inline: FROM x}"), files: []string{"app/x x"}},
		"a stage":                          {compose: other("build: {context: app, target: prod}"), files: []string{docker}, refused: []string{"service other is built up to the stage prod, which its Dockerfile does not have; it has: base, runtime"}},
		"a stage that is there":            {compose: other("build: {context: app, target: Runtime}"), files: []string{docker}},
		"a stage by its number":            {compose: other("build: {context: app, target: \"0\"}"), files: []string{docker}},
		"a stage, none has a name":         {compose: other("build: {context: app, target: prod}"), files: []string{"app/Dockerfile FROM x\n"}, refused: []string{"it has: none with a name"}},
		"a named context":                  {compose: other("build: {context: app, additional_contexts: {shared: ./shared}}"), files: []string{docker}, refused: []string{"service other has the build context shared, ./shared, which the commit does not hold"}},
		"named contexts of other kinds":    {compose: other("build: {context: app, additional_contexts: {a: \"docker-image://x:1\", b: \"https://example.com/a.git\"}}"), files: []string{docker}},
		"a submodule":                      {compose: other("build: app"), submodules: []string{"app"}, refused: []string{"is built from ./app, and git keeps app in another repository (a submodule), which Berth does not fetch"}},
		"a submodule in a context":         {compose: other("build: app"), files: []string{docker}, submodules: []string{"app/themes/dark"}, refused: []string{"git keeps app/themes/dark in another repository"}},
		"a context in a submodule":         {compose: other("build: lib/app"), submodules: []string{"lib"}, refused: []string{"git keeps lib in another repository"}, silent: []string{"commit does not hold"}},
		"a submodule the build leaves out": {compose: other("build: ."), files: []string{"Dockerfile FROM x", ".dockerignore # not for the image\n/docs/\n"}, submodules: []string{"docs/theme"}},
		"a submodule beside the context":   {compose: other("build: app"), files: []string{docker}, submodules: []string{"docs"}},

		"Git LFS":         {compose: other("build: app"), files: []string{docker, "app/static/logo.png version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 9\n"}, refused: []string{"is built from ./app, and git keeps app/static/logo.png in Git LFS"}},
		"Git LFS, beside": {compose: other("build: app"), files: []string{docker, "docs/logo.png version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 9\n"}},

		// Images.
		"no tag":                   {compose: other("image: \"ghcr.io/you/shop:${VERSION}\""), refused: []string{"compose.yaml:3: service other has the image ghcr.io/you/shop:, which names none, because the stack lacks the variable VERSION; set it: pulumi config set --path berth:environment.VERSION VALUE"}},
		"no repository":            {compose: other("image: \"${IMAGE}:1\""), refused: []string{"which names none, because the stack lacks the variable IMAGE"}},
		"no registry":              {compose: other("image: \"${REGISTRY}/${NAME}:1\""), refused: []string{"lacks the variable REGISTRY, NAME; set it: pulumi config set --path berth:environment.REGISTRY VALUE && pulumi config set --path berth:environment.NAME VALUE"}},
		"a tag that is set":        {compose: other("image: \"ghcr.io/you/shop:${VERSION}\""), stack: with(map[string]string{"VERSION": "1"})},
		"large letters":            {compose: other("image: \"Nginx:1.27\""), refused: []string{"Docker takes small letters alone; write nginx:1.27"}},
		"large letters, no tag":    {compose: other("image: \"ghcr.io/You/app\""), refused: []string{"write ghcr.io/you/app"}},
		"a large tag":              {compose: other("image: \"you/app:RELEASE.2025\"")},
		"a port and no tag":        {compose: other("image: \"localhost:5000/shop\"")},
		"a space":                  {compose: other("image: \"you/app: 1\""), refused: []string{"which names none; write REPOSITORY:TAG"}},
		"half a digest":            {compose: other("image: \"you/app@sha256:abc\""), refused: []string{"which names none"}},
		"an image that is built":   {compose: other("build: ., image: \"shop:${VERSION}\""), files: []string{"Dockerfile FROM x"}},
		"an image in its place, 2": {compose: other("image: \"shop:${VERSION}\""), stack: func(c *config.Config) { c.Images = map[string]string{"other": "x:1"} }},

		// Mounts.
		"a file":                      {compose: other("image: \"x:1\", volumes: [\"./nginx.conf:/etc/nginx/nginx.conf:ro\"]"), refused: []string{"service other mounts the file ./nginx.conf, which the commit does not hold, so on the server it would be an empty folder"}},
		"a file to write":             {compose: other("image: \"x:1\", volumes: [\"./acme.json:/acme.json\"]"), refused: []string{"mounts the file ./acme.json"}},
		"a file that is there":        {compose: other("image: \"x:1\", volumes: [\"./nginx.conf:/etc/nginx/nginx.conf:ro\"]"), files: []string{"nginx.conf x"}},
		"a folder with a point":       {compose: other("image: \"x:1\", volumes: [\"./conf.d:/etc/nginx/conf.d\"]")},
		"a folder, kept":              {compose: other("image: \"x:1\", volumes: [\"./uploads:/uploads\"]")},
		"a folder that is only read":  {compose: other("image: \"x:1\", volumes: [\"./certs:/certs:ro\"]"), advised: []string{"other reads ./certs, which the commit does not hold and no service writes to"}},
		"a folder that another fills": {compose: other("image: \"x:1\", volumes: [\"./media:/m:ro\"]") + "", stack: nil, advised: []string{"other reads ./media"}},
		"the stack's variables":       {compose: other("image: \"x:1\", volumes: [\"./.env.production:/app/.env:ro\"]"), refused: []string{"mounts the file ./.env.production, which the commit does not hold"}},
		"a submodule, mounted":        {compose: other("image: \"x:1\", volumes: [\"./theme/dark:/t:ro\"]"), submodules: []string{"theme"}, refused: []string{"mounts ./theme/dark, and git keeps theme in another repository"}},
		"a folder filled by another": {compose: routed + "  a: {image: \"x:1\", restart: always, volumes: [\"./media:/m:ro\"]}\n  b: {image: \"x:1\", restart: always, volumes: [\"./media:/m\"]}\n",
			silent: []string{"which the commit does not hold"}},

		// Secrets and configs.
		"a secret's file":        {compose: other("image: \"x:1\", secrets: [db_password]", "secrets: {db_password: {file: ./db_password.txt}}"), refused: []string{"compose.yaml:4: secret db_password (of other) is the file ./db_password.txt, which the commit does not hold", "pulumi config set --secret --path berth:secrets.DB_PASSWORD"}},
		"a config's file":        {compose: other("image: \"x:1\", configs: [c]", "configs: {c: {file: conf/app.yml}}"), refused: []string{"config c (of other) is the file ./conf/app.yml, which the commit does not hold"}},
		"a secret that is there": {compose: other("image: \"x:1\", secrets: [s]", "secrets: {s: {file: s}}"), files: []string{"s x"}},
		"a secret by a variable": {compose: other("image: \"x:1\", secrets: [s]", "secrets: {s: {environment: DB_PASSWORD}}"), refused: []string{"secret s (of other) is the variable DB_PASSWORD, which the stack lacks; set it: pulumi config set --secret --path berth:secrets.DB_PASSWORD"}},
		"a variable that is set": {compose: other("image: \"x:1\", secrets: [s]", "secrets: {s: {environment: PASSWORD}}")},
		"an external secret":     {compose: other("image: \"x:1\", secrets: [s]", "secrets: {s: {external: true}}"), refused: []string{"secret s (of other) is external, which only Swarm has"}},
		"an external config":     {compose: other("image: \"x:1\", configs: [c]", "configs: {c: {external: true, name: shop_c}}"), refused: []string{"config c (of other) is external"}},
		"a config of its own":    {compose: other("image: \"x:1\", configs: [c]", "configs: {c: {content: x}}")},
		"a secret of a build":    {compose: other("build: {context: ., secrets: [npm]}", "secrets: {npm: {environment: NPM_TOKEN}}"), files: []string{"Dockerfile FROM x"}, refused: []string{"secret npm (of other) is the variable NPM_TOKEN"}},
		"an unused secret":       {compose: other("image: \"x:1\"", "secrets: {s: {file: ./gone}}")},
		"a secret that is a folder": {compose: other("image: \"x:1\", secrets: [s]", "secrets: {s: {file: ./keys}}"), files: []string{"keys/a x"},
			refused: []string{"secret s (of other) is ./keys, which is a folder"}},

		// What others are to have made.
		"a network":          {compose: other("image: \"x:1\", networks: [proxy]", "networks: {proxy: {external: true}}"), refused: []string{"compose.yaml:4: network proxy is external, so it has to exist already, and the server has none; take external out"}},
		"the network of all": {compose: other("image: \"x:1\"", "networks: {default: {name: web, external: true}}"), refused: []string{"network default is external"}},
		"a volume":           {compose: other("image: \"x:1\", volumes: [\"data:/d\"]", "volumes: {data: {external: true, name: shop_data}}"), refused: []string{"volume data is external", "it outlives every release"}},
		"an unused network":  {compose: other("image: \"x:1\"", "networks: {proxy: {external: true}}")},
		"false":              {compose: other("image: \"x:1\", networks: [n]", "networks: {n: {external: false}}")},
		"an external link":   {compose: other("image: \"x:1\", external_links: [legacy_db:db]"), refused: []string{"service other has the external link legacy_db:db"}},
	})
}

// TestSubmodulesAreSeen by way of git, too.
func TestSubmodulesAreSeen(t *testing.T) {
	s := newSource(t)
	first := s.commit("first", map[string]string{"compose.yaml": routed + "  other: {restart: always, image: \"x:1\", volumes: [\"./theme:/t:ro\"]}\n"})
	require.NoError(t, os.Mkdir(filepath.Join(s.folder, "theme"), 0o755))
	s.git("update-index", "--add", "--cacheinfo", "160000,"+first+",theme")
	s.git("commit", "--quiet", "--message", "a submodule")
	_, err := Make(t.Context(), s.cfg, s.repo, s.git("rev-parse", "HEAD"))
	require.ErrorContains(t, err, "compose.yaml:3: service other mounts ./theme, and git keeps theme in another repository (a submodule)")
}
