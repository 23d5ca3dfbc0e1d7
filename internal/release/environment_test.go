package release

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/internal/release/compose"
)

func TestFilesOfVariables(t *testing.T) {
	none := func(cfg *config.Config) { cfg.Secrets = nil }
	check(t, map[string]app{
		"the commit lacks .env":          {compose: other("image: \"x:1\", env_file: .env"), advised: []string{"compose.yaml:3: other reads .env, which the commit does not hold: the stack's variables replace it"}},
		"and several":                    {compose: other("image: \"x:1\", env_file: [.env, .db.env]"), advised: []string{"other reads .env, .db.env, which the commit does not hold"}},
		"and the stack has none":         {compose: other("image: \"x:1\", env_file: .env"), stack: none, refused: []string{"compose.yaml:3: service other reads .env, which the commit does not hold; the stack's variables replace it, and there are none: pulumi config set"}},
		"all of them are named":          {compose: "services:\n  web: {image: \"x:1\", env_file: .env}\n  api:\n    image: \"x:1\"\n    env_file:\n      - .env\n      - .db.env\n", stack: none, refused: []string{"compose.yaml:2: service web reads .env,", "compose.yaml:6: service api reads .env,", "compose.yaml:7: service api reads .db.env,"}},
		"no file of variables":           {compose: other("image: \"x:1\", env_file: settings.txt"), refused: []string{"service other reads settings.txt, which the commit does not hold; commit it, or name .env.production there"}},
		"it may be missing":              {compose: other("image: \"x:1\", env_file: [{path: .env, required: false}]"), silent: []string{"which the commit does not hold"}},
		"it is there":                    {compose: other("image: \"x:1\", env_file: web.env"), files: []string{"web.env A=1\n"}, silent: []string{"which the commit does not hold"}},
		"labels":                         {compose: other("image: \"x:1\", label_file: labels"), refused: []string{"compose.yaml:3: service other reads the labels in labels, which the commit does not hold"}},
		"labels that are there":          {compose: other("image: \"x:1\", label_file: [labels, deploy/more], labels: {berth.overlap: maybe}"), files: []string{"labels berth.overlap=no\nberth.stateful=perhaps\n", "deploy/more other=1\n"}, refused: []string{"compose.yaml:3: service other has the label berth.stateful: \"perhaps\"", "compose.yaml:3: service other has the label berth.overlap: \"maybe\""}, silent: []string{"label_file"}},
		"labels by a link":               {compose: other("image: \"x:1\", label_file: [../labels]"), refused: []string{"compose.yaml:3: service other reads ../labels, which is outside the repository"}},
		"labels of the server":           {compose: other("image: \"x:1\", label_file: /srv/labels"), stack: func(cfg *config.Config) { cfg.Allow = []string{"host-mounts"} }, refused: []string{"service other has label_file /srv/labels, a file of the server"}},
		"meant for a laptop":             {compose: other("image: \"x:1\", env_file: .env.development"), refused: []string{"compose.yaml:3: service other reads .env.development, which is meant for a laptop"}, silent: []string{"which the commit does not hold"}},
		"a laptop's that may be missing": {compose: other("image: \"x:1\", env_file: [{path: .env.development, required: false}]"), silent: []string{"meant for a laptop"}},
		"a laptop's that is committed":   {compose: other("image: \"x:1\", env_file: [{path: .env.local, required: false}]"), files: []string{".env.local A=1\n"}, refused: []string{"service other reads .env.local, which is meant for a laptop"}},
		"a local one, replaced":          {compose: other("image: \"x:1\", env_file: .env.local"), advised: []string{"compose.yaml:3: other reads .env.local, which the commit does not hold: the stack's variables replace it"}},
		"a local one, and no variables":  {compose: other("image: \"x:1\", env_file: .env.local"), stack: none, refused: []string{"service other reads .env.local, which is meant for a laptop"}},
		"a committed .env":               {compose: other("image: \"ghcr.io/you/shop:${VERSION}\", healthcheck: {test: [CMD, \"true\"], retries: $RETRIES}"), files: []string{".env VERSION=1.2\nRETRIES=3\n"}},
		"a committed .env, profiles":     {compose: other("image: \"x:1\", profiles: [full], labels: {berth.stateful: maybe}"), files: []string{".env COMPOSE_PROFILES=full\n"}, refused: []string{"service other has the label"}},
		"a committed password":           {compose: other("image: \"x:1\""), files: []string{".env DB_PASSWORD=changethis\nPASSWORD=old\nPUBLIC_URL=x\nEMPTY_SECRET=\n"}, advised: []string{"compose.yaml: .env holds the values of DB_PASSWORD, which everyone can read who has the repository; set new ones, which come before them: pulumi config set --secret --path berth:secrets.DB_PASSWORD"}},
		"keys of the operator's":         {compose: other("build: {context: ., ssh: [\"k=./id\"]}"), files: []string{"Dockerfile FROM x"}, refused: []string{"service other is built with keys for SSH (build.ssh), which the server does not have; build the image elsewhere: pulumi config set --path 'berth:images[\"other\"]' REFERENCE"}},
		"keys of the agent":              {compose: other("build: {context: ., ssh: [default]}"), files: []string{"Dockerfile FROM x"}, refused: []string{"is built with keys for SSH"}},

		// Profiles.
		"all in profiles":             {compose: "services:\n  web: {image: \"x:1\", profiles: [prod, full]}\n", refused: []string{"compose.yaml:2: service web, which route / names, runs only with the profiles prod, full; turn one on: pulumi config set --path berth:environment.COMPOSE_PROFILES prod"}, silent: []string{"does not have", "no service that runs"}},
		"the routed one":              {compose: "services:\n  web: {image: \"x:1\", profiles: [prod]}\n  other: {image: \"x:1\", restart: always}\n", refused: []string{"service web, which route / names, runs only with the profiles prod"}, silent: []string{"does not have"}},
		"one that a profile turns on": {compose: "services:\n  web: {image: \"x:1\", profiles: [prod]}\n", stack: with(map[string]string{"COMPOSE_PROFILES": "a,prod"})},
		"the migration": {compose: routed + "  migrate: {image: \"x:1\", profiles: [tools]}\n", stack: func(cfg *config.Config) {
			cfg.Migration = &config.Migration{Service: "migrate"}
		}, refused: []string{"service migrate, which berth:migration names, runs only with the profiles tools"}, silent: []string{"does not have"}},
		"all in profiles, another routed": {compose: "services:\n  api: {image: \"x:1\", profiles: [prod]}\n", refused: []string{"every service runs only with a profile (api with prod), and none is on; turn one on", "route / names service web, which the compose file does not have"}},
	})
}

// TestAMissingVariableIsNamedAsTheCause in whatever way it strikes.
func TestAMissingVariableIsNamedAsTheCause(t *testing.T) {
	s := newSource(t)
	for name, test := range map[string]struct {
		definition, extra string
		says, not         []string
	}{
		"a mount":    {`volumes: ["${DATA}/uploads:/data"]`, "", []string{"compose.yaml:2: web takes the variable DATA, which the stack lacks, so it is empty; set it: pulumi config set --path berth:environment.DATA VALUE", "mounts /uploads of the server"}, nil},
		"a spec":     {`volumes: ["${DATA}:/data"]`, "", []string{"the variable DATA", "empty section between colons"}, nil},
		"a number":   {"healthcheck: {test: [CMD, x], retries: $RETRIES}", "", []string{"the variable RETRIES", "invalid syntax"}, nil},
		"a boolean":  {`read_only: "${RO}"`, "", []string{"the variable RO"}, nil},
		"a port":     {`ports: ["${PORT}:${PORT}"]`, "", []string{"the variable PORT"}, nil},
		"a secret":   {`environment: ["K=${SECRET_KEY:?set it}", "D=${DB_PASSWORD?}"]`, "", []string{"compose.yaml:2: web takes the variables SECRET_KEY, DB_PASSWORD, which the stack lacks; set them: pulumi config set --secret --path berth:secrets.SECRET_KEY && pulumi config set --secret --path berth:secrets.DB_PASSWORD"}, []string{"error while interpolating", "is empty"}},
		"with words": {`environment: ["A=${A:?is not set; copy .env.example}", "B=${B:?error: no}"]`, "", []string{"web takes the variables A, B"}, []string{"error while interpolating"}},
		"a file":     {"secrets: [s]", "secrets: {s: {file: \"${DIR:?}/s\"}}\n", []string{"compose.yaml:3: the file takes the variable DIR"}, []string{"error while interpolating"}},
		"both kinds": {`environment: ["K=${SECRET_KEY:?set it}"], wrong: "${X}"`, "", []string{"the variables SECRET_KEY, X, which the stack lacks"}, nil},
		"elsewhere":  {`extends: {file: base.yaml, service: base}`, "", []string{"required variable ELSEWHERE is missing a value"}, nil},
	} {
		files := map[string]string{"base.yaml": "services: {base: {image: \"x:${ELSEWHERE:?}\"}}\n", "compose.yaml": "services:\n  web: {image: \"x:1\", " + test.definition + "}\n" + test.extra}
		_, err := Make(t.Context(), s.cfg, s.repo, s.commit(name, files))
		require.Error(t, err, name)
		for _, part := range test.says {
			assert.ErrorContains(t, err, part, name)
		}
		for _, part := range test.not {
			assert.NotContains(t, err.Error(), part, name)
		}
	}
}

func TestOnlySecretsAreBlanked(t *testing.T) {
	s := newSource(t)
	s.cfg.Environment = map[string]string{"DB_HOST": "services", "DEBUG": "true", "NAME": "wrong_key"}
	s.cfg.Secrets = map[string]string{"TOKEN": "tok3n-value", "DB_PASSWORD": "services"}
	_, err := Make(t.Context(), s.cfg, s.repo, s.commit("first", map[string]string{"compose.yaml": "services:\n  web:\n    image: \"x:1\"\n    env_file: .env\n    wrong_key: true\n"}))
	require.ErrorContains(t, err, "services.web.wrong_key is not known to Compose")
	_, err = Make(t.Context(), s.cfg, s.repo, s.commit("second", map[string]string{"compose.yaml": "services:\n  web:\n    image: \"x:1\"\n    ports: [\"${TOKEN}\"]\n"}))
	require.ErrorContains(t, err, "${TOKEN}")
	assert.NotContains(t, err.Error(), "tok3n-value")
}

// TestACommittedEnvReachesTheServer in the variables that are sent to it, below the stack's.
func TestACommittedEnvReachesTheServer(t *testing.T) {
	s := newSource(t)
	s.cfg.ComposeFiles = []string{"deploy/compose.yaml"}
	sha := s.commit("first", map[string]string{
		"deploy/compose.yaml": "services:\n  web: {image: \"ghcr.io/you/shop:${VERSION}\", env_file: .env, profiles: [full]}\n",
		"deploy/.env":         "VERSION=1.2\nPASSWORD=theirs\nCOMPOSE_PROFILES=full\nCOMPOSE_FILE=a.yaml:b.yaml\n", ".env": "VERSION=9\n", "deploy/.env.example": "VERSION=\n",
	})
	release, err := Make(t.Context(), s.cfg, s.repo, sha)
	require.NoError(t, err)
	want := map[string]string{"VERSION": "1.2", "PASSWORD": "it's $secret", "COMPOSE_PROFILES": "full"}
	assert.Equal(t, want, release.Variables)
	variables, err := appVariables(t.Context(), s.cfg, s.repo, sha)
	require.NoError(t, err)
	assert.Equal(t, want, variables, "an update does not plan again")
	assert.Equal(t, "ghcr.io/you/shop:1.2", release.Plan.Pulls[0].Reference)
	assert.Contains(t, compose.Environment(variables), "PASSWORD=\"it's \\$secret\"")

	_, err = Make(t.Context(), s.cfg, s.repo, s.commit("broken", map[string]string{"deploy/.env": "A=1\nwhat is this?\n"}))
	require.ErrorContains(t, err, "cannot be released as it is; nothing was touched:\n  - "+filepath.Join("deploy", ".env")+": the committed .env is not one that Compose can read")
	assert.Equal(t, 1, strings.Count(err.Error(), "\n"))
}
