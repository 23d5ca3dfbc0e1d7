package provision

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"

	"berth/config"
)

// assignments writes variables as a shell fragment, quoted so that no value can be more than a value. A script reads
// it with source; the keys are ours.
func assignments(pairs ...string) string {
	var text strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&text, "%s=%s\n", pairs[i], shellescape.Quote(pairs[i+1]))
	}
	return text.String()
}

// volumeSettings tells the volume step which volume to mount; its size only makes the step run when it changes.
func volumeSettings(id string, sizeGiB int) string {
	return assignments("VOLUME_ID", id, "VOLUME_SIZE", fmt.Sprint(sizeGiB))
}

func edgeSettings(cfg *config.Config, address string) (string, error) {
	nginx, err := site(cfg)
	if err != nil {
		return "", err
	}
	certificate := assignments(
		"NAMES", strings.Join(cfg.Names(), " "),
		"ADDRESS", address,
		"EMAIL", cfg.ACME.Email,
		"DIRECTORY", cfg.ACME.Directory,
		"STAGING_DIRECTORY", cfg.ACME.StagingDirectory,
	)
	return assignments("DOMAIN", cfg.Domain, "NGINX", nginx, "CERTIFICATE_SETTINGS", certificate, "ACME_ROOTS", strings.TrimSpace(cfg.ACME.Roots)), nil
}

// app is what the release's plan is made with; release/plan.jq reads it.
type app struct {
	Routes    []appRoute        `json:"routes"`
	Images    map[string]string `json:"images"`
	Strategy  string            `json:"strategy"`
	Migration *config.Migration `json:"migration"`
	Database  *config.Database  `json:"database"`
}

type appRoute struct {
	Path    string `json:"path"`
	Service string `json:"service"`
	Port    int    `json:"port"`
	Health  string `json:"health"`
}

// appSettings is the app as JSON.
func appSettings(cfg *config.Config) (string, error) {
	given := app{Images: map[string]string{}, Strategy: cfg.ReleaseStrategy, Migration: cfg.Migration, Database: cfg.Database}
	for _, route := range cfg.Routes {
		given.Routes = append(given.Routes, appRoute(route))
	}
	maps.Copy(given.Images, cfg.Images)
	text, err := json.Marshal(given)
	if err != nil {
		return "", fmt.Errorf("write the release's settings: %w", err)
	}
	return string(text), nil
}

func releaseSettings(cfg *config.Config, stack, commit string) (string, error) {
	given, err := appSettings(cfg)
	if err != nil {
		return "", err
	}
	docker, err := registryFile(cfg)
	if err != nil {
		return "", err
	}
	release := assignments(
		"DOMAIN", cfg.Domain,
		"REPOSITORY", cfg.Repository,
		"COMMIT", commit,
		"COMPOSE_FILE", cfg.ComposeFile,
		"STRATEGY", cfg.ReleaseStrategy,
		"HEALTHY_WITHIN", fmt.Sprint(cfg.HealthyWithin),
		"DRAIN_WITHIN", fmt.Sprint(cfg.DrainWithin),
		"KEEP", fmt.Sprint(cfg.KeepReleases),
		"APP", given,
	)
	return assignments(
		"STACK", stack,
		"RELEASE_SETTINGS", release,
		"APP_ENVIRONMENT", environmentFile(cfg),
		"DEPLOY_KEY", strings.TrimSpace(cfg.DeployKey),
		"KNOWN_HOSTS", knownHosts(cfg),
		"REGISTRIES", docker,
	), nil
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

// environmentFile is .env.production: a line a variable, sorted, each value quoted so that Compose
// takes it literally.
func environmentFile(cfg *config.Config) string {
	lines := make([]string, 0, len(cfg.Environment)+len(cfg.Secrets))
	for _, variables := range []map[string]string{cfg.Environment, cfg.Secrets} {
		for name, value := range variables {
			lines = append(lines, name+"="+quoteForCompose(value))
		}
	}
	slices.Sort(lines)
	return strings.Join(append(lines, ""), "\n")
}

// quoteForCompose quotes a value so that Compose reads it literally. Single quotes interpolate nothing, but how they
// escape a quote differs between Compose's versions, so a value that would need it goes into double quotes, whose
// escapes do not. Source: compose-go's dotenv parser.
func quoteForCompose(value string) string {
	if !strings.Contains(value, "'") && !strings.HasSuffix(value, `\`) {
		return "'" + value + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value) + `"`
}

// knownHosts is the git host's line for OpenSSH, "" where the repository is not reached over SSH.
func knownHosts(cfg *config.Config) string {
	host, port, ok := sshHost(cfg.Repository)
	if !ok {
		return ""
	}
	if port != "" && port != "22" {
		host = "[" + host + "]:" + port
	}
	return host + " " + cfg.RepositoryHostKey
}
