package config

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"
)

// knownHosts are the Ed25519 host keys that git hosts publish. Sources: GitHub Docs, "GitHub's SSH key fingerprints";
// GitLab Docs, "SSH host keys fingerprints".
var knownHosts = map[string]string{
	"github.com": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
	"gitlab.com": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf",
}

const (
	mendDeployKey = "ssh-keygen -t ed25519 -N '' -f deploy_key && cat deploy_key | pulumi config set --secret berth:deployKey (and give deploy_key.pub to the repository as a read-only deploy key)"
	mendSSHKey    = "ssh-keygen -t ed25519 -N '' -f operator_key && cat operator_key | pulumi config set --secret berth:sshPrivateKey"
)

var (
	gitPath     = regexp.MustCompile(`^[A-Za-z0-9_.~/-]+$`)
	gitUser     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	refText     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./+@#%=-]*$`)
	composeText = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_./ -]*\.ya?ml$`)
	routeText   = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*$`)
	serviceText = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
)

// release reads what is released: the repository, the commit, the compose file and the routes.
func (l *loader) release() {
	c := l.config
	c.DeployKey = l.secret("deployKey", mendDeployKey)
	if c.DeployKey != "" {
		l.privateKey("deployKey", c.DeployKey, mendDeployKey)
	}
	c.SSHPrivateKey = l.secret("sshPrivateKey", mendSSHKey)
	if c.SSHPrivateKey != "" {
		l.privateKey("sshPrivateKey", c.SSHPrivateKey, mendSSHKey)
	}
	l.repository()
	if c.Ref = l.text("ref", "main"); !validRef(c.Ref) {
		l.problem("ref", c.Ref, "a branch, a tag or a commit's SHA is required", set("ref", "main"))
	}
	if c.ComposeFile = l.text("composeFile", "compose.yaml"); !composeText.MatchString(c.ComposeFile) || path.Clean(c.ComposeFile) != c.ComposeFile || strings.Contains(c.ComposeFile, "..") {
		l.problem("composeFile", c.ComposeFile, "a path inside the repository that ends in .yaml or .yml is required; it may not lead out of it", set("composeFile", "compose.yaml"))
	}
	l.routes()
}

func (l *loader) repository() {
	c := l.config
	c.Repository = l.raw("repository")
	mend := set("repository", "https://github.com/you/app.git")
	if c.Repository == "" {
		l.problem("repository", "", "the app's git repository is required", mend)
		return
	}
	host, overSSH, ok := gitHost(c.Repository)
	if !ok {
		l.problem("repository", c.Repository, "a repository is reached by https://host/path, ssh://user@host/path or git@host:path, without a password", mend)
		return
	}
	c.RepositoryHostKey = l.raw("repositoryHostKey")
	if !overSSH {
		return
	}
	if c.DeployKey == "" {
		l.problem("deployKey", "", "a repository over SSH needs a deploy key", mendDeployKey)
	}
	if c.RepositoryHostKey == "" {
		c.RepositoryHostKey = knownHosts[host]
	}
	mend = "ssh-keyscan -t ed25519 " + host + ", compare the key with the one the host publishes, then " + set("repositoryHostKey", "ssh-ed25519 AAAA…")
	if c.RepositoryHostKey == "" {
		l.problem("repositoryHostKey", "", "the public host key of "+host+" is required", mend)
	} else if key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(c.RepositoryHostKey)); err != nil || len(rest) > 0 || key.Type() != ssh.KeyAlgoED25519 {
		l.problem("repositoryHostKey", c.RepositoryHostKey, "one Ed25519 public key is required: ssh-ed25519 AAAA…", mend)
	} else {
		// Without a comment, which would be part of the line for known_hosts.
		c.RepositoryHostKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	}
}

// gitHost takes the host out of a repository's address and says whether it is reached over SSH.
func gitHost(repository string) (host string, overSSH, ok bool) {
	if !strings.Contains(repository, "://") {
		user, rest, at := strings.Cut(repository, "@")
		host, location, colon := strings.Cut(rest, ":")
		return host, true, at && colon && gitUser.MatchString(user) && validHost(host) && gitPath.MatchString(location) && !strings.HasPrefix(location, "-")
	}
	address, err := url.Parse(repository)
	if err != nil || !validHost(address.Hostname()) || address.RawQuery != "" || address.Fragment != "" || strings.ContainsAny(repository, "?#") ||
		len(address.Path) < 2 || !gitPath.MatchString(address.Path) || address.RawPath != "" {
		return "", false, false
	}
	_, password := address.User.Password()
	switch address.Scheme {
	case "https":
		return address.Hostname(), false, address.User == nil
	case "ssh":
		return address.Hostname(), true, !password && gitUser.MatchString(address.User.Username())
	}
	return "", false, false
}

// validHost takes a DNS name or an IPv4 address.
func validHost(host string) bool {
	for part := range strings.SplitSeq(host, ".") {
		if !label.MatchString(strings.ToLower(part)) {
			return false
		}
	}
	return true
}

// validRef follows git check-ref-format, within the characters that mean nothing to a shell or to git itself.
func validRef(ref string) bool {
	return len(ref) <= 200 && refText.MatchString(ref) && !strings.Contains(ref, "..") && !strings.Contains(ref, "//") &&
		!strings.Contains(ref, "@{") && !strings.Contains(ref, "/.") && !strings.HasSuffix(ref, "/") && !strings.HasSuffix(ref, ".") &&
		!strings.HasSuffix(ref, ".lock")
}

// privateKey refuses what is no Ed25519 private key without a passphrase.
func (l *loader) privateKey(key, value, mend string) {
	signer, err := ssh.ParsePrivateKey([]byte(value))
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		l.problem(key, "", "it has a passphrase, which nobody could type during an update; a key without one is required", mend)
	case err != nil:
		l.problem(key, "", "it is no private key in OpenSSH's format", mend)
	case signer.PublicKey().Type() != ssh.KeyAlgoED25519:
		l.problem(key, "", "it is of type "+signer.PublicKey().Type()+"; an Ed25519 key is required", mend)
	}
}

func (l *loader) routes() {
	c := l.config
	mend := set("routes[0].path", "/") + " && " + set("routes[0].service", "web") + " && " + set("routes[0].port", "80")
	if !l.decode("routes", &c.Routes, "a list of {path, service, port}", mend) {
		return
	}
	if len(c.Routes) == 0 {
		l.problem("routes", "", "at least one route is required, from / to a service of the compose file and its port", mend)
		return
	}
	seen := map[string]bool{}
	for i, route := range c.Routes {
		at := func(field string) string { return fmt.Sprintf("routes[%d].%s", i, field) }
		switch {
		case !routeText.MatchString(route.Path) || strings.Contains(route.Path, "//") || strings.Contains(route.Path, ".."):
			l.problem(at("path"), route.Path, "a path begins with / and holds letters, digits and . _ ~ - /", set(at("path"), "/"))
		case strings.HasPrefix(route.Path, "/.well-known/acme-challenge"):
			l.problem(at("path"), route.Path, "the certificate authority asks there", set(at("path"), "/"))
		case seen[route.Path]:
			l.problem(at("path"), route.Path, "the path has a route already", remove(fmt.Sprintf("routes[%d]", i)))
		}
		seen[route.Path] = true
		if !serviceText.MatchString(route.Service) {
			l.problem(at("service"), route.Service, "a service of the compose file is required", set(at("service"), "web"))
		}
		if route.Port < 1 || route.Port > 65535 {
			l.problem(at("port"), fmt.Sprint(route.Port), "the port on which the service listens is 1 to 65535", set(at("port"), "8000"))
		}
	}
	if !seen["/"] {
		l.problem("routes", "", "no route begins at /, so the site itself would lead nowhere", set(fmt.Sprintf("routes[%d].path", len(c.Routes)), "/"))
	}
}
