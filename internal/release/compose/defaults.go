package compose

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"berth/internal/plain"
)

// serversOwn matches variables by which programs of the server are configured: Compose makes every variable of an env file one
// of its own environment and of the programs that it runs. The repository does not decide on these; COMPOSE_PROFILES is none.
// Source: docker/compose v2.26.1, cmd/compose, setEnvWithDotEnv; the manuals of Docker, ld.so, git, OpenSSH, Go and bash.
var serversOwn = regexp.MustCompile(`(?i)^(COMPOSE_.*|DOCKER_(HOST|CONFIG|CONTEXT|TLS|TLS_VERIFY|CERT_PATH|API_VERSION|AUTH_CONFIG|BUILDKIT|CLI_.*|CONTENT_TRUST.*|DEFAULT_PLATFORM|CUSTOM_HEADERS)|BUILDKIT_.*|BUILDX_.*|` +
	`LD_.*|GLIBC_.*|MALLOC_.*|GCONV_PATH|LOCPATH|NLSPATH|TZDIR|HOSTALIASES|RES_OPTIONS|LOCALDOMAIN|GIT_.*|SSH_.*|SSL_CERT_(FILE|DIR)|GODEBUG|GOTRACEBACK|GOMAXPROCS|GOGC|GOMEMLIMIT|OTEL_.*|` +
	`(HTTPS?|FTP|ALL|NO)_PROXY|NOTIFY_SOCKET|LISTEN_.*|XDG_.*|BASH_.*|PATH|HOME|SHELL|PWD|TMPDIR|IFS|ENV)$`)

// Defaults are the stack's variables above those of the .env that the app has committed beside its compose file, which Compose
// reads on a laptop.
func Defaults(committed []byte, variables map[string]string) (map[string]string, error) {
	values, err := dotenv.UnmarshalBytesWithLookup(committed, func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	})
	if err != nil {
		return nil, fmt.Errorf("the committed .env is not one that Compose can read: %s", plain.Line(err.Error()))
	}
	all := map[string]string{}
	for name, value := range values {
		if plainName.MatchString(name) && !strings.ContainsRune(value, 0) && (name == profiles || !serversOwn.MatchString(name)) {
			all[name] = value
		}
	}
	maps.Copy(all, variables)
	return all, nil
}

// profiles is the variable that says which profiles run.
const profiles = "COMPOSE_PROFILES"
