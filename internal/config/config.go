// Package config is the settings of one environment: loaded from the stack, defaulted and validated, all before the
// first resource is declared.
package config

import (
	"maps"
	"net/netip"
)

// Config is one environment as its stack describes it, with defaults filled in and every value validated.
type Config struct {
	// Allow names what the app may reach beyond its containers; see Allowable.
	Allow []string
	// Domain is the site's name, Aliases its further names: DNS names in lower case.
	Domain  string
	Aliases []string
	// Redirects lead names to others, each straight to the last; ExternalHosts are the names whose records are made elsewhere.
	Redirects     map[string]string
	ExternalHosts []string
	// Zone is the Route 53 hosted zone that holds the names. CreateZone makes it; otherwise it has to exist.
	Zone       string
	CreateZone bool
	// OperatorCIDRs are the networks from which SSH is allowed, masked.
	OperatorCIDRs []netip.Prefix
	// Region and AvailabilityZone are where the environment is created.
	Region, AvailabilityZone string
	// InstanceType is one of internal/instance.
	InstanceType string
	// Servers is how many servers there are; see Servers.
	Servers Servers
	// AMI is the machine image, "" for the newest Debian 13 when a server is first made.
	AMI string
	// VolumeSize of the data volume, in GiB.
	VolumeSize int
	// SubnetID is an existing subnet, "" for a network of the environment's own in VPCCIDR.
	SubnetID string
	VPCCIDR  netip.Prefix
	// Protect keeps `pulumi destroy` from the volume, the address, the zone, the bucket for dumps and the database.
	Protect bool
	// Tags are put on every resource.
	Tags map[string]string
	// Repository is the app's git repository, Ref the branch, tag or SHA to release.
	Repository, Ref string
	// DeployKey, a secret, opens a repository over SSH; RepositoryHostKey ("ssh-ed25519 AAAA…", without a comment)
	// identifies its host, and is "" for one over https.
	DeployKey, RepositoryHostKey string
	// ComposeFiles are the paths of the compose files inside the repository; a later one overrides those before it.
	ComposeFiles []string
	// Routes map paths of the site to services of the compose file.
	Routes []Route
	// TrustedProxies are networks, or names of Vendors, that are trusted to report a visitor's address; OnlyTrustedProxies refuses
	// all others.
	TrustedProxies     []string
	OnlyTrustedProxies bool
	// HTTP3 offers HTTP/3 beside HTTP/2. Nginx is a text of nginx's own for the site's server.
	HTTP3 bool
	Nginx string
	// Auth, a secret, are who may log in to routes that ask: user to password. Routes ask where there is anybody.
	Auth map[string]string
	// MaxBody is the size of the largest request body that the edge takes, in MiB. Timeout is how many seconds the app, or a
	// WebSocket, may be silent.
	MaxBody, Timeout int
	// ReleaseStrategy is BlueGreen or StopFirst.
	ReleaseStrategy string
	// HealthyWithin and DrainWithin are what a release waits for, in seconds: its services to become healthy, and open
	// requests to the one before it to end.
	HealthyWithin, DrainWithin int
	// KeepReleases is how many releases stay whole on the server, the running one among them.
	KeepReleases int
	// Migration runs before the switch, Database dumps and restores what Berth does not know; nil for none.
	Migration *Migration
	Database  *Database
	// Jobs run at set times.
	Jobs []Job
	// Images replace what the compose file says of a service: service to reference.
	Images map[string]string
	// External are the services that run elsewhere: service to host name or IPv4 address.
	External map[string]string
	// RDS is a Postgres in Amazon RDS, nil for none; RDSPassword, a secret, is its master user's.
	RDS         *RDS
	RDSPassword string
	// Registries are credentials, secret: a registry's name to "user:password".
	Registries map[string]string
	// Environment and Secrets are the app's variables.
	Environment, Secrets map[string]string
	// ACME is the certificate authority.
	ACME ACME
	// AlarmEmail is the address that alarms are sent to, "" for no monitoring.
	AlarmEmail string
	// SnapshotsKept is how many daily snapshots of the data volume are kept, 0 for none.
	SnapshotsKept int
	// DumpBucket makes an S3 bucket that database dumps are copied to.
	DumpBucket bool
	// RestoreDrill is how many days lie between two restores of the newest dumps beside the site, 0 for none.
	RestoreDrill int
	// VolumeSnapshot is the snapshot that the data volume is made from, "" for a blank one.
	VolumeSnapshot string
	// SSHPrivateKey, a secret, is the operator's own key; "" has one generated for the stack.
	SSHPrivateKey string
}

// Route forwards the paths that begin with Path to a port of a service. routeFields says what each field may be; as JSON it goes into
// the plan of a release.
type Route struct {
	// Host is the name that it is for, "" for all of the domain and its aliases.
	Host string `json:"host,omitempty"`
	// Path is that of its folder, with and without a slash at its end.
	Path string `json:"path"`
	// Service is the compose file's, Port the one on which it listens inside its container.
	Service string `json:"service"`
	Port    int    `json:"port"`
	// Health is a path that answers 2xx or 3xx when the service works, "" for any answer at Path that is no 5xx.
	Health string `json:"health"`
	// Protocol is what the service speaks: "grpc", or "" and "http".
	Protocol string `json:"protocol,omitempty"`
	// Buffering says whether nginx takes in whole answers, beside whole requests; false is neither, and nil requests alone.
	Buffering *bool `json:"buffering,omitempty"`
	// MaxBody and Timeout are those of the site where they are 0, but that a stream has no limit of its own.
	MaxBody int `json:"maxBody,omitempty"`
	Timeout int `json:"timeout,omitempty"`
	// AllowFrom are the networks that get in, none for all; Auth is false where a site that asks for a password does not here.
	AllowFrom Networks `json:"allowFrom,omitempty"`
	Auth      *bool    `json:"auth,omitempty"`
	// RateLimit is an address's, nil for none.
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
	// StripPrefix has the service get the path without Path.
	StripPrefix bool `json:"stripPrefix,omitempty"`
}

// Streamed says whether the service gets requests as they come, not whole.
func (r *Route) Streamed() bool {
	return r.Protocol == ProtocolGRPC || r.Buffering != nil && !*r.Buffering
}

// ACME is the certificate authority that is asked, after its staging twin.
type ACME struct {
	Email, Directory, StagingDirectory string
	// Profile is the kind of certificate to ask for, one of those that the directory names, "" for its default.
	Profile string
	// EABKeyID and EABKey, a secret (base64url without padding), bind the account to a customer's of the authority, "" for none.
	EABKeyID, EABKey string
	// Roots are PEM certificates that an authority's own HTTPS is trusted by beside the public ones, "" for none.
	Roots string
}

// Variables are all of the app's, those that anyone may read and the secrets, by name.
func (c *Config) Variables() map[string]string {
	all := make(map[string]string, len(c.Environment)+len(c.Secrets))
	maps.Copy(all, c.Environment)
	maps.Copy(all, c.Secrets)
	return all
}

// Directories of Let's Encrypt. Source: letsencrypt.org, "Staging Environment" and "ACME API".
const (
	letsEncrypt        = "https://acme-v02.api.letsencrypt.org/directory"
	letsEncryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// Load reads the settings of a stack: Pulumi's map of namespaced keys to values, lists and objects as JSON text.
// isSecret says which keys are stored encrypted. The error, a *Problems, holds everything that is wrong.
func Load(settings map[string]string, isSecret func(key string) bool) (*Config, error) {
	config, problems := Parse("berth", settings, isSecret)
	if problems != nil {
		return nil, problems
	}
	return config, nil
}

// Parse is Load for a project of any name, and for who wants to see as much as there is: the settings as far as they are
// sound, and beside them what is wrong, nil for nothing.
func Parse(project string, settings map[string]string, isSecret func(key string) bool) (*Config, *Problems) {
	l := &loader{settings: settings, isSecret: isSecret, config: &Config{}}
	l.readProjectSettings(project)
	l.refuseUnknown()
	for _, setting := range table {
		setting.parse(l)
	}
	l.several()
	l.inProject(project)
	if len(l.problems) > 0 {
		return l.config, &Problems{List: l.problems}
	}
	return l.config, nil
}
