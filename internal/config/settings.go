package config

import (
	"fmt"
	"slices"
)

// kind is the type of a setting's value.
type kind string

const (
	isText        kind = "string"
	isNumber      kind = "integer"
	isBoolean     kind = "boolean"
	isList        kind = "array"
	isMap         kind = "object"
	isTextOrList  kind = "string or array" // `pulumi new` asks for texts only
	isNumberOrMap kind = "integer or object"
	isTextOrMap   kind = "string or object"
)

// setting is a row of the table. `make settings-table` writes Pulumi.yaml, Pulumi.production.yaml and README's table from it.
type setting struct {
	section  string // the heading that begins here in Pulumi.production.yaml, "" for none
	key      string
	kind     kind
	fallback any // the default: a string, an int or a bool; nil for none
	required bool
	secret   bool // has to be stored encrypted
	// parse reads and checks the value. It may use what the rows above have read.
	parse func(*loader)
	// about is the description in Pulumi.yaml and README, on one line.
	about string
	// prompt is what `pulumi new` asks, with the answer that it suggests; "" if it does not ask.
	prompt, answer string
	// manual is the comment in Pulumi.production.yaml, "" if the comment of the row above covers both.
	manual string
	// example is what follows the key in Pulumi.production.yaml, "" for the default. A block begins with a line break.
	example string
	// inUse is true for what Pulumi.production.yaml sets. The other settings are comments there.
	inUse bool
}

// table has all settings, in the order in which they are read and shown. init fills it, because the parsers
// look up defaults in it, which Go would refuse as an initialization cycle.
var table []setting

func init() {
	table = []setting{
		{
			section: "The site", key: "domain", kind: isText, required: true, parse: (*loader).domain,
			about:   "The site's name: a DNS name in lower case, such as app.example.com.",
			prompt:  "The site's name, such as app.example.com",
			manual:  `The site's name: a DNS name in lower case, without scheme, path or final dot. HTTPS answers at this name.`,
			example: "app.example.com", inUse: true,
		},
		{
			key: "aliases", kind: isList, parse: (*loader).aliases,
			about: "Further names of the site, in the same zone. The certificate covers them all.",
			manual: `Further names of the site, in the same zone: at most 99 with those of routes and redirects, no wildcards (the certificate
authority validates over HTTP). The certificate covers them all. If you add or remove a name, Berth gets another certificate.`,
			example: `
  - www.app.example.com`, inUse: true,
		},
		{
			key: "zone", kind: isText, parse: (*loader).zone,
			about:   "The Route 53 hosted zone that holds the names. Default: the domain's registrable part.",
			manual:  `The Route 53 hosted zone that holds the names. Default: the domain's registrable part, here example.com.`,
			example: "example.com",
		},
		{
			key: "createZone", kind: isBoolean, fallback: false,
			parse: func(l *loader) { l.config.CreateZone = l.boolean("createZone") },
			about: "Create the hosted zone. Its name servers are an output; enter them at the registrar.",
			manual: `Create the zone. Its name servers are the output nameServers; enter them at your registrar. By default, the zone has
to exist.`,
		},
		{
			section: "The environment on AWS", key: "operatorCidrs", kind: isTextOrList, required: true, parse: (*loader).operators,
			about:  "The networks from which SSH is allowed: a list, or one network, such as 203.0.113.7/32. Never everyone.",
			prompt: "The network from which SSH is allowed, such as your own address and /32",
			manual: `The networks from which SSH is allowed: at most 40, never 0.0.0.0/0 or ::/0. For your own address, add /32.
One network may be a plain text: pulumi config set berth:operatorCidrs 203.0.113.7/32`,
			example: `
  - 203.0.113.7/32`, inUse: true,
		},
		{
			key: "region", kind: isText, fallback: "eu-central-1", parse: (*loader).region,
			about:  "The AWS region.",
			prompt: "The AWS region", answer: "eu-central-1",
			manual: `The region, and the availability zone of server and volume in it. Default: the region's zone a. Volume and server stay
in the zone in which they were created. A change recreates them.`,
		},
		{
			key: "availabilityZone", kind: isText, parse: (*loader).availabilityZone,
			about:   "The availability zone of server and volume. Default: the region's zone a.",
			example: "eu-central-1a",
		},
		{
			key: "instanceType", kind: isText, fallback: "t3.micro", parse: (*loader).instance,
			about: "A type of the families t3, t3a, m, c or r with an x86-64 processor, from the fifth generation on. A change stops and starts the server.",
			manual: `An instance type: t3 or t3a (nano to 2xlarge), or general purpose (m), compute optimised (c) or memory optimised (r) from
the fifth generation on, with an x86-64 processor (m7i.large, c7a.xlarge). A t3.micro has 1 GiB of memory. A change stops and
starts the server, which takes about two minutes. The preview shows what it costs. Local disks (c5d, m6id) are not used.`,
		},
		{
			key: "servers", kind: isNumberOrMap, fallback: 1, parse: (*loader).servers,
			about: "How many servers there are, 1 to 20, the first one included; or {min, max, cpu, first, sticky, accessLogs}. Several are behind a load balancer.",
			manual: `How many servers there are: 1 to 20, the first one included. The first server has the data, the jobs and the releases. The
others, web servers, are an Auto Scaling group behind a load balancer. They run each service that keeps no data and that a
route uses, or that such a service depends on. The label berth.servers: "all" or "first" overrides where a service runs. The
preview says where each one runs and why, and what it costs.
With {min, max}, the number follows the web servers' CPU, which Auto Scaling keeps at cpu percent (10 to 90, default: 60). With
first: false, the first server takes no requests. With sticky: true, a visitor stays at one server. With accessLogs: 30, the
load balancer's access logs are kept in a private bucket for 30 days:
  pulumi config set --path berth:servers.min 2
  pulumi config set --path berth:servers.max 4`,
		},
		{
			key: "ami", kind: isText, parse: (*loader).image,
			about: "The machine image. Default: a new server gets the newest Debian 13 and keeps it. A change replaces the server.",
			manual: `The machine image, an x86-64 Debian 13. By default, a new server gets the newest image and keeps it: a newer image never
replaces a running server. If you set or change it, the server is replaced and keeps its data. The preview says so.`,
			example: "ami-0123456789abcdef0",
		},
		{
			key: "volumeSize", kind: isNumber, fallback: 20,
			parse:  func(l *loader) { l.config.VolumeSize = l.number("volumeSize", minVolume, maxVolume, "GiB") },
			about:  "Size of the data volume in GiB, 8 to 16384. It grows in place and never shrinks.",
			manual: `Size of the data volume in GiB: 8 to 16384. It grows in place, at most four times in 24 hours, and never shrinks.`,
		},
		{
			key: "subnetId", kind: isText, parse: (*loader).subnet,
			about:   "An existing public subnet to use. By default, Berth creates a network.",
			manual:  `An existing public subnet to use, or the range of the network that Berth creates (private, /16 to /24).`,
			example: "subnet-0123456789abcdef0",
		},
		{
			key: "vpcCidr", kind: isText, fallback: "10.20.0.0/16", parse: (*loader).network,
			about: "The range of the network that Berth creates: private, /16 to /24.",
		},
		{
			key: "tags", kind: isMap, parse: (*loader).tags,
			about:  "Tags on every resource.",
			manual: `Tags on every resource, in addition to Berth's own Name, ManagedBy, Project and Stack. At most 40.`,
			example: `
  Team: web`,
		},
		{
			section: "What is released", key: "repository", kind: isText, required: true, parse: (*loader).repository,
			about:   "The app's git repository, over https or SSH.",
			prompt:  "The app's git repository, such as https://github.com/you/app.git",
			manual:  `The app's git repository: https://host/path, ssh://user@host/path or git@host:path.`,
			example: "https://github.com/you/app.git", inUse: true,
		},
		{
			key: "ref", kind: isText, fallback: "main", parse: (*loader).ref,
			about:  "The branch, tag or commit to release. Every preview resolves a branch or tag.",
			manual: `The branch, tag or commit. Every preview resolves a branch or tag and shows the commit that would be released.`,
		},
		{
			key: "deployKey", kind: isText, secret: true, parse: (*loader).deployKey,
			about: "An Ed25519 private key that may read the repository. A repository over SSH needs it.",
			manual: `An Ed25519 private key without a passphrase that may read the repository. A repository over SSH needs it:
  ssh-keygen -t ed25519 -N '' -f deploy_key && cat deploy_key | pulumi config set --secret berth:deployKey`,
			example: encryptedExample,
		},
		{
			key: "repositoryHostKey", kind: isText, parse: (*loader).repositoryHostKey,
			about:   "The git host's public key, ssh-ed25519 AAAA…; built in for github.com and gitlab.com.",
			manual:  `The git host's public key. Built in for github.com and gitlab.com; required for any other host over SSH.`,
			example: "ssh-ed25519 AAAA…",
		},
		{
			key: "composeFile", kind: isTextOrList, fallback: "compose.yaml", parse: (*loader).composeFiles,
			about: "The compose file's path inside the repository, or a list of paths. A later file overrides the ones before it.",
			manual: `The compose file's path inside the repository. Of several files, a later one overrides the ones before it:
  pulumi config set --path 'berth:composeFile[0]' compose.yaml
  pulumi config set --path 'berth:composeFile[1]' compose.prod.yaml`,
		},
		{
			key: "routes", kind: isTextOrList, required: true, parse: (*loader).routes,
			about:  "Which paths are routed to which port of which service: a list of {path, service, port}, each with options ([the edge](docs/edge.md)). If one service answers everything: web:80.",
			prompt: "The compose file's service that answers, and its port", answer: "web:80",
			manual: `Which paths are routed to which port of which service; one path is /. The compose file does not need to publish
a port: the server listens on 80 and 443 and forwards each path to its service. If one service answers everything, set
its name and port: pulumi config set berth:routes web:80
A route may have a health path, which answers 2xx or 3xx when its service works. A release requests it before and after the
switch. Without a health path, any answer except 5xx is accepted, and at / any answer except 5xx and 404:
  - path: /api/
    service: api
    port: 8000
    health: /api/healthz

A route may have its own limit and timeout (see maxBody and timeout below). nginx can take in whole answers for visitors who
read slowly (buffering: true), or pass on requests to the service as they come (buffering: false). It also speaks gRPC (docs/edge.md):
  - path: /files/
    service: api
    port: 8000
    maxBody: 2048
    buffering: false
    timeout: 3600
  - path: /shop.Orders/
    service: orders
    port: 50051
    protocol: grpc

A route may be for one name: the domain, an alias, or a further host in the zone, which gets DNS records and is in the
certificate. If a name's own routes do not cover a path, the routes without a host do, for the domain and its aliases.
With stripPrefix the service gets /users for /api/users:
  - host: api.example.com
    path: /
    service: api
    port: 8000
  - path: /tools/
    service: tools
    port: 9000
    stripPrefix: true

A route may allow some networks only, and limit the rate of requests of each address. More requests are answered with 429:
  - path: /admin/
    service: api
    port: 8000
    allowFrom: [203.0.113.0/24, 2001:db8::/32]
    rateLimit: {requests: 10, per: minute, burst: 20}      # or 10/minute`,
			example: `
  - path: /
    service: web
    port: 80
  - path: /api/
    service: api
    port: 8000`, inUse: true,
		},
		{
			key: "redirects", kind: isMap, parse: (*loader).redirects,
			about: "Names that redirect to another name with 308: name to name, such as www.example.com to example.com.",
			manual: `Names that redirect to another name with 308 and keep path and query. They get DNS records and are in the certificate, too:
  pulumi config set --path 'berth:redirects["www.example.com"]' app.example.com`,
			example: `
  www.example.com: app.example.com
  shop.example.org: app.example.com`,
		},
		{
			key: "externalHosts", kind: isList, parse: (*loader).hosts,
			about: "Names of aliases, routes or redirects whose DNS records you create elsewhere. The output records lists them.",
			manual: `Names of aliases, routes or redirects outside the zone, with DNS elsewhere. The preview and the output records list the DNS
records that you create there.`,
			example: `
  - shop.example.org`,
		},
		{
			key: "maxBody", kind: isNumber, fallback: 100,
			parse: func(l *loader) { l.config.MaxBody = l.number("maxBody", 1, maxBody, "MiB") },
			about: "The largest request body in MiB, 1 to 256. A larger one is answered with 413.",
			manual: `The largest request body in MiB, 1 to 256. A larger one is answered with 413. Request bodies are buffered on a file system
of 1 GiB, so that visitors cannot fill the disk. One address may send as many at a time as fit into its share: of those from
10 MB on, and of unknown length, 5 with the default, 2 with 256. Upload larger files to S3 with a signed URL.`,
		},
		{
			key: "timeout", kind: isNumber, fallback: 300, parse: (*loader).timeout,
			about: "Seconds, 1 to 86400, for which the app may send nothing before its answer ends. For WebSockets, both sides.",
			manual: `Seconds for which the app may send nothing: 1 to 86400. Then a request without an answer gets 504, and an answer that has
begun ends. A WebSocket ends when neither side sends anything for as long.`,
		},
		{
			key: "auth", kind: isMap, secret: true, parse: (*loader).users,
			about: "Who may log in with HTTP basic authentication: user to password. With a user, every route requires a password, except with auth: false.",
			manual: `Who may log in with HTTP basic authentication. With a user, every route requires a password, except one with auth: false.
With alarmEmail, routes[0].health has to be in such a route, because Route 53 has no password:
  pulumi config set --secret --path berth:auth.alice`,
			example: `
  alice:
    secure: …`,
		},
		{
			key: "trustedProxies", kind: isList, parse: (*loader).proxies,
			about: "Proxies in front of the site that are trusted to report a visitor's address: cloudflare, cloudfront, or networks.",
			manual: `Proxies in front of the site: cloudflare, cloudfront, or networks of your own. They are trusted to report a visitor's address.
Limits, allowed networks and the app then use that address. onlyTrustedProxies refuses requests from anywhere else.`,
			example: `
  - cloudflare`,
		},
		{
			key: "onlyTrustedProxies", kind: isBoolean, fallback: false, parse: (*loader).onlyProxies,
			about: "Accept requests only from the trusted proxies. Port 80 still answers the certificate authority.",
		},
		{
			key: "http3", kind: isBoolean, fallback: false,
			parse:  func(l *loader) { l.config.HTTP3 = l.boolean("http3") },
			about:  "Offer HTTP/3 over UDP port 443, in addition to HTTP/2.",
			manual: `Offer HTTP/3, over UDP port 443.`,
		},
		{
			key: "nginx", kind: isText, parse: (*loader).nginx,
			about: "Your own nginx directives for the site's server, at your own risk.",
			manual: `Your own nginx directives for the site's server, at your own risk: they can undo anything that nginx does for the site. nginx
checks them before they are used. If it refuses them, nothing changes: cat snippet.conf | pulumi config set berth:nginx`,
			example: `|
  add_header X-Frame-Options DENY always;`,
		},
		{
			key: "images", kind: isMap, parse: (*loader).images,
			about: "Images built elsewhere, instead of the compose file's: service to reference.",
			manual: `Images built elsewhere, so that a small server never builds. They replace image and build of a service of the compose file.
By tag or, better, by digest.`,
			example: `
  api: registry.example.com/you/api:1.4.2`,
		},
		{
			key: "registries", kind: isMap, secret: true, parse: (*loader).registries,
			about: "Credentials to pull images with: registry to user:password.",
			manual: `The credentials to pull private images with, user:password. A token is a password:
  pulumi config set --secret --path 'berth:registries["registry.example.com"]'`,
			example: `
  registry.example.com:
    secure: …`,
		},
		{
			section: "How a release goes out", key: "releaseStrategy", kind: isText, fallback: BlueGreen, parse: (*loader).strategy,
			about: "blue-green starts a release beside the one it replaces. stop-first stops the old one before.",
			manual: `blue-green starts a release beside the one it replaces, so that no request fails. stop-first stops the old release first,
for apps that cannot run twice. Services with data (a named volume, or the label berth.stateful: "true") never run twice.
The label berth.stateful: "false" excludes a service from that.`,
		},
		{
			key: "allow", kind: isList, parse: (*loader).allow,
			about: "What the app may reach beyond its containers: capabilities, devices, docker-socket, host-mounts, host-namespaces, privileged, unconfined.",
			manual: `What the app's containers may reach beyond themselves. The preview refuses what is not in this list. The names are
capabilities, devices, docker-socket, host-mounts, host-namespaces, privileged, unconfined. host-mounts includes volume drivers and writing to the
commit's files; host-namespaces includes networks that bypass the server's packet filter, and logging drivers that send;
privileged includes other runtimes; unconfined includes security profiles of your own.`,
			example: "[]",
		},
		{
			key: "healthyWithin", kind: isNumber, fallback: 300,
			parse: func(l *loader) { l.config.HealthyWithin = l.number("healthyWithin", minHealthy, maxHealthy, "seconds") },
			about: "Seconds, 5 to 900, in which a release's services have to become healthy.",
			manual: `Seconds: how long services may take to become healthy (5 to 900), and how long open requests and WebSockets may take to
end after the switch (0 to 600).`,
		},
		{
			key: "drainWithin", kind: isNumber, fallback: 30,
			parse: func(l *loader) { l.config.DrainWithin = l.number("drainWithin", minDrain, maxDrain, "seconds") },
			about: "Seconds, 0 to 600, that open requests and WebSockets may take to end after a switch.",
		},
		{
			key: "keepReleases", kind: isNumber, fallback: 3,
			parse:  func(l *loader) { l.config.KeepReleases = l.number("keepReleases", minKeep, maxKeep, "releases") },
			about:  "How many releases are kept on the server to roll back to, 2 to 20, including the running one.",
			manual: `How many releases are kept whole on the server, including the running one: 2 to 20.`,
		},
		{
			key: "migration", kind: isMap, parse: (*loader).migration,
			about: "A command that runs once in a service's new image before the switch: {service, command}.",
			manual: `A command that runs once in the new image of a service, when the database runs and before a new service takes requests.
If the command fails, the release ends and the previous one continues.`,
			example: `
  service: api
  command: ./migrate`,
		},
		{
			key: "jobs", kind: isList, parse: (*loader).jobs,
			about: "Commands that run at set times: {name, schedule, service, command, timeout}. The schedule is cron's, in UTC.",
			manual: `Commands that run at set times, each in a container of its own, with the service as it is in the running release. The schedule
is cron's five fields, or @hourly, @daily, @weekly or @monthly, in UTC. The command is one line for
the container's sh. A job is ended after timeout seconds, 10 to 86400 (default: 3600).`,
			example: `
  - name: nightly
    schedule: "30 2 * * *"
    service: worker
    command: ./cleanup --older-than 30d
    timeout: 1800`,
		},
		{
			key: "database", kind: isMap, parse: (*loader).database,
			about: "How to dump and restore a database that Berth does not know: {service, dump, restore}.",
			manual: `Every release dumps the databases first. Berth knows Postgres, MySQL, MariaDB, Redis, Valkey, KeyDB, MongoDB and SQLite files
(docs/dumps.md). For another database, set two commands that run in its container: dump writes to standard output, restore
reads standard input.`,
			example: `
  service: mongo
  dump: mongodump --archive
  restore: mongorestore --archive --drop`,
		},
		{
			key: "external", kind: isMap, parse: (*loader).external,
			about: "Services that run elsewhere, such as a database in RDS: service to host. They have no container here ([elsewhere](docs/external.md)).",
			manual: `Services of the compose file that run elsewhere, such as a database in RDS: service to host name or IPv4 address. They have no
container here, and what the compose file and its env files say of them as a host names this one instead (docs/external.md).`,
			example: `
  db: shop.abc123.eu-central-1.rds.amazonaws.com`,
		},
		{
			key: "rds", kind: isTextOrMap, parse: (*loader).rds,
			about: "A Postgres in Amazon RDS that Berth declares: postgres, or {engine, version, class, sizeGB, multiAZ, user, database} ([elsewhere](docs/external.md)).",
			manual: `A Postgres in Amazon RDS that Berth declares, private and protected, with the vendor's backups of 7 days. No service is pointed
there by this: docs/external.md moves the data, and then berth:external names the host, the output rdsHost. It is postgres alone, or
  engine     postgres
  version    15, 16 or 17 (default)
  class      db.t4g.micro (default), small, medium or large, or db.m7g.large, xlarge or 2xlarge; a change restarts the database
  sizeGB     of storage, 20 (default) to 65536; it grows in place and never shrinks
  multiAZ    true keeps a standby in another zone, at twice the price (default: false)
  user, database   the master user and the database that it owns (default: app); they never change
  pulumi config set berth:rds postgres && pulumi config set --secret berth:rdsPassword`,
			example: `
  engine: postgres
  version: "17"
  class: db.t4g.micro
  sizeGB: 20
  multiAZ: false
  user: app
  database: app`,
		},
		{
			key: "rdsPassword", kind: isText, secret: true, parse: (*loader).rdsPassword,
			about:   "The password of the database's master user: 8 to 128 printable ASCII characters without a space and / \" @. A change changes it in place.",
			manual:  `The password of its master user: 8 to 128 printable ASCII characters without a space and / " @. A change changes it in place.`,
			example: encryptedExample,
		},
		{
			key: "environment", kind: isMap, parse: (*loader).environment,
			about: "The app's variables that are not secret.",
			manual: `The app's variables. They and the secrets become .env.production on the server, which only root can read. A value is one
line. Put quotes around a number with a point, which YAML would otherwise rewrite ("1.10").`,
			example: `
  LOG_LEVEL: info`, inUse: true,
		},
		{
			key: "secrets", kind: isMap, secret: true, parse: (*loader).secrets,
			about: "The app's secret variables, each stored encrypted.",
			manual: `The app's secret variables; none of them may be in the environment above. To set one:
  pulumi config set --secret --path 'berth:secrets.DATABASE_PASSWORD'`,
			example: `
  DATABASE_PASSWORD:
    secure: …`,
		},
		{
			section: "Certificates", key: "acmeEmail", kind: isText, required: true, parse: (*loader).acmeEmail,
			about:   "The e-mail address at which the certificate authority can reach you.",
			prompt:  "E-mail address for the certificate authority",
			manual:  `The e-mail address at which the certificate authority can reach you.`,
			example: "you@example.com", inUse: true,
		},
		{
			key: "acmeDirectory", kind: isText, fallback: letsEncrypt, parse: (*loader).acmeDirectory,
			about: "The ACME directory of the certificate authority.",
			manual: `The authority's ACME directory. The staging directory is asked first, so that a mistake does not count against the rate
limits. Its default is Let's Encrypt's staging, or the same directory for another authority.`,
		},
		{
			key: "acmeStagingDirectory", kind: isText, parse: (*loader).acmeStagingDirectory,
			about:   "The directory that is asked first. Default: Let's Encrypt's staging, or acmeDirectory for another authority.",
			example: letsEncryptStaging,
		},
		{
			key: "acmeProfile", kind: isText, parse: (*loader).acmeProfile,
			about: "The certificate profile to request, by its name in the authority's directory, such as shortlived. Default: the authority's own.",
			manual: `The certificate profile, by its name in the authority's directory. Default: the authority's own. A certificate of Let's
Encrypt's profile shortlived is valid for 6 days and renewed after 3; shortlived and tlsserver take at most 25 names.`,
			example: "shortlived",
		},
		{
			key: "acmeEabKeyId", kind: isText, parse: (*loader).eabKeyID,
			about: "The key id of an external account binding, which some authorities require: Google, ZeroSSL, Sectigo, SSL.com, Actalis.",
			manual: `External account binding, which some authorities require: Google, ZeroSSL, Sectigo, SSL.com, Actalis. Their account pages
show key id and key (base64url). Both are used once, to register the account, and some expire after days. The key is secret:
  pulumi config set --secret berth:acmeEabKey`,
			example: "kid-…",
		},
		{
			key: "acmeEabKey", kind: isText, secret: true, parse: (*loader).eabKey,
			about:   "The key that belongs to acmeEabKeyId, in base64url.",
			example: encryptedExample,
		},
		{
			key: "acmeRoots", kind: isText, parse: (*loader).acmeRoots,
			about:  "PEM certificates of the roots that an authority of your own is trusted by.",
			manual: `PEM certificates of the roots that an authority of your own is trusted by: cat root.pem | pulumi config set berth:acmeRoots`,
			example: `|
  -----BEGIN CERTIFICATE-----
  …`,
		},
		{
			section: "Monitoring and backups", key: "alarmEmail", kind: isText, parse: (*loader).alarmEmail,
			about: "The e-mail address that alarms are sent to. Without it there is no monitoring.",
			manual: `One e-mail address that alarms are sent to. Without it there is no monitoring. AWS asks the address twice to confirm: for
the stack's region, and for us-east-1, from where the site is checked: at / or, if the first route has a health path, at that
path, which has to answer 2xx or 3xx without a login.`,
			example: "you@example.com",
		},
		{
			key: "snapshotsKept", kind: isNumber, fallback: 7,
			parse: func(l *loader) {
				l.config.SnapshotsKept = l.number("snapshotsKept", 0, maxSnapshots, "daily snapshots")
			},
			about: "How many daily snapshots of the data volume are kept, 0 to 365; 0 takes none.",
			manual: `How many daily snapshots of the data volume are kept: 0 to 365; 0 takes none. They are taken at 03:00 UTC. Existing snapshots
stay when you set it to 0.`,
		},
		{
			key: "dumpBucket", kind: isBoolean, fallback: false,
			parse: func(l *loader) { l.config.DumpBucket = l.boolean("dumpBucket") },
			about: "Create a private S3 bucket that database dumps are copied to.",
			manual: `Create a private S3 bucket for database dumps. The server can add to it, but cannot read or empty it. A dump is deleted after
90 days, and an overwritten or deleted version 90 days later. The bucket is protected. It can be destroyed only when it is empty.`,
		},
		{
			key: "restoreDrill", kind: isNumber, fallback: 7,
			parse: func(l *loader) { l.config.RestoreDrill = l.number("restoreDrill", 0, maxDrill, "days") },
			about: "Days between two restore drills, 0 to 90; 0 runs none. A drill restores the newest dumps beside the site and counts their rows.",
			manual: `Days between two restore drills, 0 to 90; 0 runs none. At night, a drill restores the newest dump of each database into a
separate server beside the site, within the resources that the site leaves, and counts its rows. health-check.sh shows the
result of the last one.`,
		},
		{
			key: "volumeSnapshot", kind: isText, parse: (*loader).volumeSnapshot,
			about: "The snapshot to create the data volume from. A change replaces the volume and the server.",
			manual: `The snapshot to create the data volume from. To restore one: find it, set it, disable the protection, and enable it again
when the site is up. The preview shows that volume and server are replaced. The site is down for some minutes.
  aws ec2 describe-snapshots --owner-ids self --query 'Snapshots[].[StartTime,SnapshotId,Description]' --output text
  pulumi config set berth:volumeSnapshot snap-… && pulumi config set berth:protect false && pulumi up
  pulumi config set berth:protect true && pulumi up
The replaced volume leaves a final snapshot. Leave the setting as it is afterwards: it changes nothing more. The volume has
to be at least as large as the snapshot's: set berth:volumeSize accordingly.`,
			example: "snap-0123456789abcdef0",
		},
		{
			section: "Access", key: "sshPrivateKey", kind: isText, secret: true,
			parse: func(l *loader) { l.config.SSHPrivateKey = l.privateKey("sshPrivateKey", fixSSHKey) },
			about: "Your own Ed25519 key for the server. By default, one is generated for the stack.",
			manual: `Your own Ed25519 key for the server, without a passphrase. By default, one is generated for the stack. A change replaces the
server, which keeps its data.`,
			example: encryptedExample,
		},
		{
			section: "Protection", key: "protect", kind: isBoolean, fallback: true,
			parse: func(l *loader) { l.config.Protect = l.boolean("protect") },
			about: "Refuse to destroy the volume, the address, the zone, the bucket for dumps and the database in RDS.",
			manual: `Refuse to destroy the volume, the address, the zone, the bucket for dumps and the database in RDS. To destroy everything, set it
to false, run pulumi up and pulumi destroy. The volume and the database each leave a final snapshot.

Leave this setting in use and at the end: Pulumi writes its own encryptionsalt: below the last setting in use. What is
uncommented below that line is outside config:, where it is not a setting.`,
			inUse: true,
		},
	}
}

// encryptedExample shows a value that Pulumi has encrypted.
const encryptedExample = "\n  secure: …"

// find is the row of a setting, an empty one if there is no such setting.
func find(key string) setting {
	for _, setting := range table {
		if setting.key == key {
			return setting
		}
	}
	return setting{}
}

// defaultText is a setting's default as Pulumi hands it over, "" for none.
func defaultText(key string) string {
	if fallback := find(key).fallback; fallback != nil {
		return fmt.Sprint(fallback)
	}
	return ""
}

// isSecretKey says whether a setting has to be stored encrypted.
func isSecretKey(key string) bool { return find(key).secret }

// keysOf are the sorted names, without their namespace, of the settings that a condition holds for.
func keysOf(holds func(setting) bool) []string {
	var keys []string
	for _, setting := range table {
		if holds(setting) {
			keys = append(keys, setting.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Keys are all settings.
func Keys() []string { return keysOf(func(setting) bool { return true }) }

// SecretKeys are the settings that have to be stored encrypted.
func SecretKeys() []string { return keysOf(func(s setting) bool { return s.secret }) }
