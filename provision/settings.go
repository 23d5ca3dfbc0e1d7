package provision

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"berth/infra"
	"berth/internal/config"
)

// settings are what a step, or a script of the server, is given: by the names of its variables, with the types that it asks for
// in lib.sh's read_settings.
type settings map[string]any

// text is the settings as JSON, the same for the same settings.
func (s settings) text() (string, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("write the settings of a step: %w", err)
	}
	return string(text), nil
}

// volumeSettings tells the volume step which volume to mount; its size only makes the step run when it changes.
func volumeSettings(id string, sizeGiB int) (string, error) {
	return settings{"VOLUME_ID": id, "VOLUME_SIZE": sizeGiB}.text()
}

func edgeSettings(cfg *config.Config, address string) (string, error) {
	nginx, server, err := site(cfg)
	if err != nil {
		return "", err
	}
	users := cfg.Auth
	if users == nil {
		users = map[string]string{}
	}
	certificate := settings{
		"NAMES": strings.Join(cfg.Names(), " "), "ADDRESS": address, "EMAIL": cfg.ACME.Email, "DIRECTORY": cfg.ACME.Directory,
		"STAGING_DIRECTORY": cfg.ACME.StagingDirectory, "PROFILE": cfg.ACME.Profile,
	}
	return settings{
		"DOMAIN": cfg.Domain, "NGINX": nginx, "NGINX_SERVER": server, "HOSTNAMES": hosts(cfg), "CERTIFICATE": certificate, "ACCOUNT_BINDING": accountBinding(cfg.ACME), "ACME_ROOTS": strings.TrimSpace(cfg.ACME.Roots),
		"OWN": cfg.Nginx, "USERS": users, "PROXIES": strings.Join(slices.DeleteFunc(slices.Clone(cfg.TrustedProxies), func(proxy string) bool { return !isVendor(proxy) }), " "),
	}.text()
}

// accountBinding is certbot's configuration with the binding of the account, "" for none: its command line would show the key
// to everyone on the server.
func accountBinding(acme config.ACME) string {
	if acme.EABKey == "" {
		return ""
	}
	return fmt.Sprintf("eab-kid = %s\neab-hmac-key = %s", acme.EABKeyID, acme.EABKey)
}

// Release is what the release step is given of a commit.
type Release struct {
	// Commit is its SHA, App the settings of the stack that it follows, Plan what it does (docs/plan.md): both JSON.
	Commit, App, Plan string
	// Variables is the text of the app's .env.production, KnownHosts the git host's line for OpenSSH, "" for none.
	Variables, KnownHosts string
}

func releaseSettings(cfg *config.Config, stack string, release Release) (string, error) {
	docker, err := registryFile(cfg)
	if err != nil {
		return "", err
	}
	script := settings{
		"DOMAIN": cfg.Domain, "REPOSITORY": cfg.Repository, "COMMIT": release.Commit, "COMPOSE_FILE": strings.Join(cfg.ComposeFiles, ":"), "STRATEGY": cfg.ReleaseStrategy,
		"HEALTHY_WITHIN": cfg.HealthyWithin, "DRAIN_WITHIN": cfg.DrainWithin, "KEEP": cfg.KeepReleases, "APP": json.RawMessage(release.App),
	}
	return settings{
		"STACK": stack, "RELEASE": script, "RELEASE_PLAN": json.RawMessage(release.Plan), "APP_ENVIRONMENT": release.Variables, "DEPLOY_KEY": strings.TrimSpace(cfg.DeployKey),
		"KNOWN_HOSTS": release.KnownHosts, "REGISTRIES": json.RawMessage(docker),
	}.text()
}

// operationsSettings tells the health check whether to push what it finds, the nightly dump which bucket, "" for none, takes a
// copy, the restore drill how many days lie between two, 0 for none, and systemd which jobs there are.
func operationsSettings(cfg *config.Config, bucket string) (string, error) {
	jobs := cfg.Jobs
	if jobs == nil {
		jobs = []config.Job{}
	}
	return settings{"SSH_USER": infra.User, "JOBS": jobs, "OPERATIONS": settings{"REGION": cfg.Region, "MONITORED": cfg.AlarmEmail != "", "BUCKET": bucket, "DRILL_DAYS": cfg.RestoreDrill}}.text()
}

// firstOfSeveral is what the first of several servers needs beside the settings of the stack.
type firstOfSeveral struct {
	// group and targetGroup are where web servers are found, and what sends requests to them; balancer is its name.
	group, targetGroup, balancer string
	// fleetKey opens web servers, which show webHostKey.
	fleetKey, webHostKey string
	// edge are the settings of the step edge, which web servers have, too.
	edge string
	// server and sources are what web servers depend on beside: another of them runs the step again.
	server, sources string
}

func serversSettings(cfg *config.Config, first firstOfSeveral) (string, error) {
	var edge settings
	if err := json.Unmarshal([]byte(first.edge), &edge); err != nil {
		return "", fmt.Errorf("read the settings of the step edge: %w", err)
	}
	// Web servers ask for no certificate.
	edge["ACCOUNT_BINDING"] = ""
	because := sha256.Sum256([]byte(first.server + "\n" + first.sources))
	return settings{
		"EDGE": edge, "GROUP": first.group, "TARGET_GROUP": first.targetGroup, "REGION": cfg.Region, "REACH": infra.Reach, "NETWORK": network(cfg), "OPERATORS": cfg.OperatorCIDRs, "FLEET_KEY": strings.TrimSpace(first.fleetKey),
		"WEB_HOST_KEY": first.webHostKey, "MIN": cfg.Servers.Min - 1, "FIRST": cfg.Servers.First, "BALANCER": first.balancer, "AGAIN": hex.EncodeToString(because[:])[:12],
	}.text()
}

// joinedSettings are those of the step that waits for web servers. Where those of the step before change, it waits again; these do not show them.
func joinedSettings(cfg *config.Config, servers string) (string, error) {
	because := sha256.Sum256([]byte(servers))
	return settings{"MIN": cfg.Servers.Min - 1, "AGAIN": hex.EncodeToString(because[:])[:12]}.text()
}

// dockerHub is how Docker's client files credentials for Docker Hub. Source: docker/cli, "IndexServer".
const dockerHub = "https://index.docker.io/v1/"

// registryFile is the configuration of Docker's client with the credentials of the registries.
func registryFile(cfg *config.Config) (string, error) {
	type credentials struct {
		Auth string `json:"auth"`
	}
	registries := map[string]credentials{}
	for server, userAndPassword := range cfg.Registries {
		if server == "docker.io" {
			server = dockerHub
		}
		registries[server] = credentials{base64.StdEncoding.EncodeToString([]byte(userAndPassword))}
	}
	text, err := json.Marshal(map[string]any{"auths": registries})
	if err != nil {
		return "", fmt.Errorf("write the registries' credentials: %w", err)
	}
	return string(text), nil
}
