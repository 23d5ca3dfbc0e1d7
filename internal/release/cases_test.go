package release

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// composeCase is an app that keeps data, and what has to be said of it.
type composeCase struct {
	compose string
	// files are more of its files: "PATH CONTENT".
	files []string
	allow []string
	// because is why a service is persistent, by its name; no other is.
	because map[string]string
	// refused and advised are parts of sentences. Where refused is empty, nothing is.
	refused, advised []string
	// silent are parts of sentences that must not appear.
	silent []string
}

const routed = "services:\n  web: {image: \"x:1\", restart: always, healthcheck: {test: [CMD, \"true\"]}}\n"

func TestDataIsNotDoubledEmptiedOrDropped(t *testing.T) {
	hosts := []string{"host-mounts", "docker-socket"}
	bind := func(mount string) string {
		return routed + "  vault: {image: \"y:1\", restart: always, volumes: [" + mount + "]}\n"
	}
	keeps := func(folder string) map[string]string {
		return map[string]string{"vault": "it keeps files in " + folder}
	}
	for name, test := range map[string]composeCase{
		// Files of the server.
		"a folder of the server":               {compose: bind(`"/srv/vault:/data"`), allow: hosts, because: keeps("/srv/vault")},
		"a folder of the server, written long": {compose: bind(`{type: bind, source: /var/lib/vault, target: /data}`), allow: hosts, because: keeps("/var/lib/vault")},
		"the second of two":                    {compose: bind(`"/etc/vault:/c:ro", "/mnt/x:/data"`), allow: hosts, because: keeps("/mnt/x")},
		"not allowed":                          {compose: bind(`"/srv/vault:/data"`), refused: []string{"service vault mounts /srv/vault of the server"}},
		"read alone":                           {compose: bind(`"/srv/vault:/data:ro"`), allow: hosts},
		"the Docker socket":                    {compose: bind(`"/var/run/docker.sock:/var/run/docker.sock"`), allow: hosts},
		"another socket":                       {compose: bind(`"/run/dbus/system_bus_socket:/s"`), allow: hosts},
		"the time":                             {compose: bind(`"/etc/localtime:/etc/localtime"`), allow: hosts},
		"no access":                            {compose: routed + "  vault: {image: \"y:1\", restart: always, volumes: [\"/srv/v:/d\"], labels: {berth.stateful: \"false\"}}\n", allow: hosts},

		// Folders of the commit.
		"a committed folder":       {compose: bind(`"./conf:/conf"`), files: []string{"conf/a.conf x"}, advised: []string{"vault mounts conf, a folder of the commit, and cannot write there; write :ro", "'berth:allow[0]' host-mounts"}},
		"one that it may write to": {compose: bind(`"./conf:/conf"`), files: []string{"conf/a.conf x"}, allow: hosts, advised: []string{"vault can write to conf, a folder of the commit"}},
		"one of a stateful service": {compose: bind(`"./conf:/conf", "vol:/v"`) + "volumes: {vol: {}}\n", files: []string{"conf/a.conf x"},
			because: map[string]string{"vault": "it has the named volume vol"}, advised: []string{"vault mounts conf, a folder of the commit, and cannot write there"}},
		"a committed folder, read alone": {compose: bind(`"./conf:/conf:ro"`), files: []string{"conf/a.conf x"}, silent: []string{"can write"}},
		"a committed file":               {compose: bind(`"./conf/a.conf:/a.conf"`), files: []string{"conf/a.conf x"}, silent: []string{"can write"}},
		"an uncommitted folder":          {compose: bind(`"./conf:/conf"`), because: keeps("conf"), silent: []string{"can write"}},

		// Volumes with a place of their own.
		"a device in the checkout": {compose: routed + "  db: {image: \"postgres:17\", volumes: [\"data:/d\"]}\nvolumes: {data: {driver_opts: {type: none, o: bind, device: ./data}}}\n",
			refused: []string{"the volume data (of db) keeps its files in ./data of the checkout, which goes with the release"}},
		"another way to write it": {compose: routed + "  db: {image: \"postgres:17\", volumes: [\"data:/d\"]}\nvolumes: {data: {driver_opts: {type: none, o: \"rw,bind\", device: data}}}\n", allow: hosts,
			refused: []string{"the volume data (of db) keeps its files in ./data of the checkout"}},
		"a device above the checkout": {compose: routed + "  db: {image: \"postgres:17\", volumes: [\"data:/d\"]}\nvolumes: {data: {driver_opts: {type: none, o: bind, device: ../data}}}\n", allow: hosts,
			refused: []string{"the volume data (of db) keeps its files in ../data, which is outside the repository"}},
		"a device of the server": {compose: routed + "  db: {image: \"postgres:17\", volumes: [\"data:/d\"]}\nvolumes: {data: {driver_opts: {type: none, o: bind, device: /srv/data}}}\n", allow: hosts,
			because: map[string]string{"db": "it has the named volume data"}},

		// A volume's name of one letter, which Compose takes for a drive of Windows.
		"a volume of one letter": {compose: bind(`"v:/v"`) + "volumes: {v: {}}\n", refused: []string{"service vault mounts v:/v, which is no absolute path: Compose takes a name of one letter for a Windows drive; give the volume a longer name"}},
		"written long":           {compose: bind(`{type: volume, source: v, target: /v}`) + "volumes: {v: {}}\n", because: map[string]string{"vault": "it has the named volume v"}},

		// Two databases on the same files.
		"two databases with one volume": {compose: routed + "  db: {image: \"postgres:17\", volumes: [\"data:/d\"]}\n  old: {image: \"postgres:16\", volumes: [\"data:/e\"]}\nvolumes: {data: {}}\n",
			refused: []string{"services db and old keep their files in the same volume, data, and two servers that use the same files damage them"}},
		"one that only reads": {compose: routed + "  db: {image: \"postgres:17\", volumes: [\"data:/d\"]}\n  old: {image: \"postgres:16\", volumes: [\"data:/e:ro\"]}\nvolumes: {data: {}}\n",
			because: map[string]string{"db": "it has the named volume data", "old": "it has the named volume data"}, silent: []string{"same volume"}},
		"a backup of the files": {compose: routed + "  db: {image: \"postgres:17\", volumes: [\"data:/d\"]}\n  files: {image: \"y/backup:16\", volumes: [\"data:/e\"]}\nvolumes: {data: {}}\n",
			because: map[string]string{"db": "it has the named volume data", "files": "it has the named volume data"}, silent: []string{"same volume"}},

		// What points outside the repository.
		"a mount":       {compose: bind(`"../uploads:/d"`), allow: hosts, refused: []string{"service vault mounts ../uploads, which is outside the repository"}},
		"a mount, far":  {compose: bind(`"../../../a/b:/d"`), allow: hosts, refused: []string{"service vault mounts ../../../a/b, which is outside"}},
		"a mount, ro":   {compose: bind(`"../uploads:/d:ro"`), refused: []string{"service vault mounts ../uploads, which is outside"}},
		"a build":       {compose: routed + "  vault: {build: ../vault}\n", allow: hosts, refused: []string{"service vault is built from ../vault, which is outside"}},
		"a secret":      {compose: routed + "  vault: {image: \"y:1\", secrets: [s]}\nsecrets: {s: {file: ../s}}\n", allow: hosts, refused: []string{"secret s is the file ../s, which is outside"}},
		"a config":      {compose: routed + "  vault: {image: \"y:1\", configs: [c]}\nconfigs: {c: {file: ../c}}\n", allow: hosts, refused: []string{"config c is the file ../c, which is outside"}},
		"an env file":   {compose: routed + "  vault: {image: \"y:1\", env_file: ../.env}\n", allow: hosts, refused: []string{"service vault reads ../.env, which is outside"}},
		"an extension":  {compose: routed + "  vault: {extends: {file: ../common.yaml, service: vault}}\n", refused: []string{"../common.yaml"}},
		"by a way back": {compose: bind(`"./a/../conf:/conf:ro"`), files: []string{"conf/a x"}},

		// Labels.
		"another word":          {compose: routed + "  s: {image: \"y:1\", labels: {berth.stateful: \"yes\"}}\n", refused: []string{`service s has the label berth.stateful: "yes", which takes true or false`}},
		"another case":          {compose: routed + "  s: {image: \"y:1\", labels: [\"berth.stateful=True\"]}\n", refused: []string{`berth.stateful: "True"`}},
		"nothing":               {compose: routed + "  s: {image: \"y:1\", labels: [berth.stateful]}\n", refused: []string{`berth.stateful: ""`}},
		"mistyped":              {compose: routed + "  s: {image: \"y:1\", labels: {berth.statefull: \"true\"}}\n", refused: []string{"the label berth.statefull, which does not exist [label-unknown]; the nearest is berth.stateful"}},
		"Berth's own":           {compose: routed + "  s: {image: \"y:1\", labels: {berth.release: x}}\n", refused: []string{"the label berth.release, which does not exist"}},
		"overlap, another word": {compose: routed + "  s: {image: \"y:1\", labels: {berth.overlap: \"no\"}}\n", refused: []string{`service s has the label berth.overlap: "no", which takes true or false [label-value-invalid]; write: labels: {berth.overlap: "true"}, or "false"`}},
		"overlap, mistyped":     {compose: routed + "  s: {image: \"y:1\", labels: {berth.overlaps: \"true\"}}\n", refused: []string{"the label berth.overlaps, which does not exist [label-unknown]; the nearest is berth.overlap, "}},
		"overlap, routed":       {compose: strings.Replace(routed, "restart:", "labels: {berth.overlap: \"false\"}, restart:", 1), refused: []string{"service web has the label berth.overlap: \"false\", and a route uses it"}},
		"overlap, routed, true": {compose: strings.Replace(routed, "restart:", "labels: {berth.overlap: \"true\"}, restart:", 1)},
		"overlap, persistent":   {compose: routed + "  s: {image: \"y:1\", restart: always, labels: {berth.overlap: \"true\", berth.stateful: \"true\"}}\n", refused: []string{"service s has the label berth.overlap: \"true\", but is persistent, because it is labelled berth.stateful"}},
		"overlap, both":         {compose: routed + "  s: {image: \"y:1\", restart: always, labels: {berth.overlap: \"false\", berth.stateful: \"true\"}}\n", because: map[string]string{"s": "it is labelled berth.stateful"}},
		"overlap, a network":    {compose: strings.Replace(routed, "restart:", "network_mode: \"service:vpn\", restart:", 1) + "  vpn: {image: \"y:1\", restart: always, labels: {berth.overlap: \"false\"}}\n", refused: []string{"service web has network_mode: service:vpn, and goes down when vpn is stopped"}},
		"overlap, below deploy": {compose: routed + "  s: {image: \"y:1\", deploy: {labels: {berth.overlap: \"false\"}}}\n", refused: []string{"berth.overlap below deploy, where it means nothing"}},
		"below deploy":          {compose: routed + "  s: {image: \"y:1\", deploy: {labels: {berth.stateful: \"true\"}}}\n", refused: []string{"berth.stateful below deploy, where it means nothing"}},
		"of a volume":           {compose: bind(`"vol:/v"`) + "volumes: {vol: {labels: {berth.stateful: \"true\"}}}\n", refused: []string{"volume vol has the label berth.stateful"}},
		"true, unquoted":        {compose: routed + "  s: {image: \"y:1\", restart: always, labels: {berth.stateful: true}}\n", because: map[string]string{"s": "it is labelled berth.stateful"}},
		"somebody else's":       {compose: routed + "  s: {image: \"y:1\", restart: always, labels: {berths.free: \"2\", traefik.enable: \"true\"}}\n"},
		"a database, marked":    {compose: routed + "  db: {image: \"mysql:8\", restart: always, labels: {berth.stateful: \"false\"}, environment: {MYSQL_ROOT_PASSWORD: \"${PASSWORD}\"}}\n", silent: []string{"as databases have"}},

		// Unknown databases.
		"a root's password": {compose: routed + "  db: {image: \"acme/thing:1\", restart: always, environment: {THING_ROOT_PASSWORD: \"${PASSWORD}\"}}\n", advised: []string{"db has THING_ROOT_PASSWORD, as databases have"}},
		"its file":          {compose: routed + "  db: {image: \"acme/thing:1\", restart: always, environment: [SA_PASSWORD_FILE=/x]}\n", advised: []string{"db has SA_PASSWORD_FILE, as databases have"}},
		"of the database beside": {compose: routed + "  db: {image: \"mysql:8\", environment: {MYSQL_ROOT_PASSWORD: \"${PASSWORD}\"}}\n  worker: {image: \"x:1\", restart: always, environment: {MYSQL_ROOT_PASSWORD: \"${PASSWORD}\"}}\n",
			because: map[string]string{"db": "its image is mysql:8"}, silent: []string{"as databases have"}},

		// Dockerfiles.
		"built from a database": {compose: routed + "  db: {build: db, restart: always}\n", files: []string{"db/Dockerfile FROM docker.io/library/postgres:17-alpine\nCOPY x /x\n"}, because: map[string]string{"db": "its image is built from docker.io/library/postgres:17-alpine"}},
		"by a stage": {compose: routed + "  db: {build: {context: db, args: {KIND: mongo}}, restart: always}\n",
			files: []string{"db/Dockerfile ARG KIND=debian\nARG V=8\nFROM golang:1 AS build\nFROM --platform=linux/amd64 ${KIND}:$V AS base\nRUN a \\\n  FROM\nFROM base\n"}, because: map[string]string{"db": "its image is built from mongo:8"}},
		"by a target":                 {compose: routed + "  db: {build: {context: db, target: one}, restart: always}\n", files: []string{"db/Dockerfile FROM redis:7 AS one\nFROM debian:13\n"}, because: map[string]string{"db": "its image is built from redis:7"}},
		"in the compose file":         {compose: routed + "  db: {build: {context: ., dockerfile_inline: \"FROM neo4j:5\"}, restart: always}\n", because: map[string]string{"db": "its image is built from neo4j:5"}},
		"a database it was built in":  {compose: routed + "  app: {build: app, restart: always}\n", files: []string{"app/Dockerfile FROM postgres:17 AS client\nFROM debian:13\nCOPY --from=client /usr/bin/psql /\n"}},
		"it declares a volume":        {compose: routed + "  app: {build: app, restart: always}\n", files: []string{"app/Dockerfile FROM debian:13 AS base\nVOLUME [\"/var/lib/app\", \"/tmp\"]\nFROM base\n"}, because: map[string]string{"app": "its image declares the volume /var/lib/app"}},
		"it declares what is covered": {compose: routed + "  app: {build: app, restart: always, tmpfs: [\"/scratch:size=1m\"]}\n", files: []string{"app/Dockerfile FROM debian:13\nVOLUME /scratch/ /tmp\n"}},
		"it declares, and is marked":  {compose: routed + "  app: {build: app, restart: always, labels: {berth.stateful: \"false\"}}\n", files: []string{"app/Dockerfile FROM debian:13\nVOLUME /work\n"}},
		"a volume without a name":     {compose: routed + "  app: {build: app, restart: always, volumes: [/work]}\n", files: []string{"app/Dockerfile FROM debian:13\nVOLUME /work\n"}, because: map[string]string{"app": "its image declares the volume /work"}},

		// Who waits for whom.
		"a job before a stateful service": {compose: `services:
  web: {image: "x:1", restart: always, healthcheck: {test: [CMD, "true"]}, volumes: ["media:/media"], depends_on: {migrate: {condition: service_completed_successfully}}}
  migrate: {image: "x:1", command: ./migrate, depends_on: {seed: {condition: service_completed_successfully}, db: {condition: service_healthy}}}
  seed: {image: "x:1", command: ./seed}
  db: {image: "postgres:17", restart: always, healthcheck: {test: [CMD, pg_isready]}, volumes: ["pg:/d"]}
volumes: {media: {}, pg: {}}
`, because: map[string]string{"web": "it has the named volume media", "db": "it has the named volume pg", "migrate": "it runs before web, which is persistent", "seed": "it runs before migrate, which is persistent"}},
		"a job by its policy": {compose: routed + "  app: {image: \"x:1\", restart: always, volumes: [\"vol:/v\"], depends_on: [init]}\n  init: {image: \"x:1\", restart: \"no\"}\nvolumes: {vol: {}}\n",
			because: map[string]string{"app": "it has the named volume vol", "init": "it runs before app, which is persistent"}},
		"a job that must not": {compose: routed + "  app: {image: \"x:1\", volumes: [\"vol:/v\"], depends_on: {init: {condition: service_completed_successfully}}}\n  init: {image: \"x:1\", labels: {berth.stateful: \"false\"}}\nvolumes: {vol: {}}\n",
			refused: []string{"service app is persistent, because it has the named volume vol, and waits for init", "berth:migration.service init"}},
		"healthy first": {compose: routed + "  app: {image: \"x:1\", volumes: [\"vol:/v\"], depends_on: {web: {condition: service_healthy}}}\nvolumes: {vol: {}}\n",
			refused: []string{"service app is persistent, because it has the named volume vol, and waits for web", "give web labels: {berth.stateful: \"true\"}, or app \"false\""}},
		"a proxy in front": {compose: "services:\n  web: {image: \"nginx:1.27\", restart: always, volumes: [\"certs:/c\"], depends_on: [api]}\n  api: {image: \"x:1\", restart: always}\nvolumes: {certs: {}}\n",
			refused: []string{"service web is persistent, because it has the named volume certs, and depends on api", "pulumi config set --path 'berth:routes[0].service' api", `labels: {berth.stateful: "false"}`}},
		"a proxy in front, marked": {compose: "services:\n  web: {image: \"nginx:1.27\", restart: always, volumes: [\"certs:/c\"], depends_on: [api], labels: {berth.stateful: \"false\"}}\n  api: {image: \"x:1\", restart: always}\nvolumes: {certs: {}}\n"},
		"helpers behind": {compose: "services:\n  web: {image: \"paperless:2\", restart: always, volumes: [\"media:/m\"], depends_on: [tika]}\n  tika: {image: \"x:1\", restart: always}\nvolumes: {media: {}}\n",
			because: map[string]string{"web": "it has the named volume media"}, advised: []string{"web is persistent, because it has the named volume media, and depends on tika", "route to tika itself"}},
		"both are persistent": {compose: routed + "  app: {image: \"x:1\", restart: always, volumes: [\"vol:/v\"], depends_on: {db: {condition: service_healthy}}}\n  db: {image: \"redis:7\", restart: always, healthcheck: {test: [CMD, \"true\"]}}\nvolumes: {vol: {}}\n",
			because: map[string]string{"app": "it has the named volume vol", "db": "its image is redis:7"}, silent: []string{"depends on"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t)
			files := map[string]string{"compose.yaml": test.compose, ".env.example": "PASSWORD=\n"}
			for _, file := range test.files {
				at, content, _ := strings.Cut(file, " ")
				files[at] = content
			}
			s.cfg.Allow = test.allow
			release, err := Make(t.Context(), s.cfg, s.repo, s.commit("first", files))
			if len(test.refused) > 0 {
				require.Error(t, err)
				for _, part := range test.refused {
					assert.Contains(t, err.Error(), part)
				}
				assert.NotContains(t, err.Error(), "berth-preview-", "the operator has no such folder")
				if slices.Contains(test.allow, "host-mounts") {
					assert.NotContains(t, err.Error(), "host-mounts")
				}
				return
			}
			require.NoError(t, err)
			if test.because == nil {
				test.because = map[string]string{}
			}
			assert.Equal(t, test.because, release.Plan.Because)
			assert.Equal(t, slices.Sorted(maps.Keys(test.because)), append([]string(nil), release.Plan.Stateful...))
			text := strings.Join(release.Advice, "\n")
			for _, part := range test.advised {
				assert.Contains(t, text, part)
			}
			for _, part := range test.silent {
				assert.NotContains(t, text, part)
			}
		})
	}
}
