package config

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// knownHosts are the Ed25519 host keys that git hosts publish. Sources: GitHub Docs, "GitHub's SSH key fingerprints";
// GitLab Docs, "SSH host keys fingerprints".
var knownHosts = map[string]string{
	"github.com": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
	"gitlab.com": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf",
}

var (
	gitPath     = regexp.MustCompile(`^[A-Za-z0-9_.~/-]+$`)
	gitUser     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	refText     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./+@#%=-]*$`)
	composeText = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_./ -]*\.ya?ml$`)
)

func (l *loader) ref() {
	c := l.config
	if c.Ref = l.text("ref"); !validRef(c.Ref) {
		l.problem("ref-invalid", "ref", c.Ref, "a branch, a tag or a commit's SHA is required", set("ref", defaultText("ref")))
	}
}

// composeFiles reads which compose files there are: one, or a list.
func (l *loader) composeFiles() {
	c := l.config
	setDefault := set("composeFile", defaultText("composeFile"))
	if single := l.single("composeFile"); single != "" {
		c.ComposeFiles = []string{single}
	} else if c.ComposeFiles, _ = l.list("composeFile", "the path of a compose file, or a list of such paths", setDefault); len(c.ComposeFiles) == 0 {
		c.ComposeFiles = []string{defaultText("composeFile")}
	}
	for i, file := range c.ComposeFiles {
		at, fix := fmt.Sprintf("composeFile[%d]", i), ""
		if fix = remove(at); len(c.ComposeFiles) == 1 {
			at, fix = "composeFile", setDefault
		}
		switch {
		case !composeText.MatchString(file) || path.Clean(file) != file || strings.Contains(file, ".."):
			l.problem("compose-file-invalid", at, file, "a path inside the repository that ends in .yaml or .yml is required; it has to stay inside", fix)
		case slices.Index(c.ComposeFiles, file) < i:
			l.problem("compose-file-twice", at, file, "the file is in the list already", fix)
		}
	}
}

// Allowable are the names that allow takes: what internal/release/trust refuses otherwise.
var Allowable = []string{"capabilities", "devices", "docker-socket", "host-mounts", "host-namespaces", "privileged", "unconfined"}

// allow reads what the app may reach beyond its containers.
func (l *loader) allow() {
	l.config.Allow, _ = l.list("allow", "a list of names", setAnew("allow", "allow[0]", "host-mounts"))
	for i, name := range l.config.Allow {
		if !slices.Contains(Allowable, name) {
			at := fmt.Sprintf("allow[%d]", i)
			l.problem("allow-unknown", at, name, "one of "+strings.Join(Allowable, ", ")+" is required", remove(at))
		}
	}
}

func (l *loader) repository() {
	c := l.config
	c.Repository = l.raw("repository")
	fix := set("repository", "https://github.com/you/app.git")
	if c.Repository == "" {
		l.problem("repository-missing", "repository", "", "the app's git repository is required", fix)
		return
	}
	if _, _, _, ok := gitHost(c.Repository); !ok {
		l.problem("repository-invalid", "repository", c.Repository, "a repository is reached by https://host/path, ssh://user@host/path or git@host:path, without a password", fix)
	}
}

func (l *loader) deployKey() {
	c := l.config
	c.DeployKey = l.privateKey("deployKey", fixDeployKey)
	if _, _, overSSH, ok := gitHost(c.Repository); ok && overSSH && c.DeployKey == "" {
		l.problem("deploy-key-missing", "deployKey", "", "a repository over SSH needs a deploy key, whose public half the repository's settings take as a read-only deploy key", fixDeployKey)
	}
}

// repositoryHostKey reads the key that identifies the host of a repository over SSH.
func (l *loader) repositoryHostKey() {
	c := l.config
	host, port, overSSH, ok := gitHost(c.Repository)
	if !ok || !overSSH {
		return
	}
	if c.RepositoryHostKey = l.raw("repositoryHostKey"); c.RepositoryHostKey == "" {
		c.RepositoryHostKey = knownHosts[strings.ToLower(host)]
	}
	scan := "ssh-keyscan -t ed25519 " + host
	if port != "" {
		scan = "ssh-keyscan -p " + port + " -t ed25519 " + host
	}
	// The key is asked for and set by two commands: in between a person compares it with what the host publishes.
	fix := scan + "; " + set("repositoryHostKey", "ssh-ed25519 AAAA…")
	const compare = "; compare what ssh-keyscan tells with what the host publishes"
	if c.RepositoryHostKey == "" {
		l.problem("repository-host-key-missing", "repositoryHostKey", "", "the public host key of "+host+" is required"+compare, fix)
	} else if key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(c.RepositoryHostKey)); err != nil || len(rest) > 0 || key.Type() != ssh.KeyAlgoED25519 {
		l.problem("repository-host-key-invalid", "repositoryHostKey", c.RepositoryHostKey, "one Ed25519 public key is required, ssh-ed25519 AAAA…"+compare, fix)
	} else {
		// Without a comment, which would be part of the line for known_hosts.
		c.RepositoryHostKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	}
}

// gitHost takes the host, and the port where there is one, out of a repository's address and says whether it is
// reached over SSH.
func gitHost(repository string) (host, port string, overSSH, ok bool) {
	if !strings.Contains(repository, "://") {
		user, rest, at := strings.Cut(repository, "@")
		host, location, colon := strings.Cut(rest, ":")
		return host, "", true, at && colon && gitUser.MatchString(user) && validHost(host) && gitPath.MatchString(location) && !strings.HasPrefix(location, "-")
	}
	address, err := url.Parse(repository)
	if err != nil || !validHost(address.Hostname()) || !validPort(address) || strings.ContainsAny(repository, "?#") ||
		len(address.Path) < 2 || !gitPath.MatchString(address.Path) || address.RawPath != "" {
		return "", "", false, false
	}
	_, password := address.User.Password()
	switch {
	// Git takes a scheme in capitals for a remote helper: the text counts here, not what it parses to.
	case strings.HasPrefix(repository, "https://"):
		return address.Hostname(), address.Port(), false, address.User == nil
	case strings.HasPrefix(repository, "ssh://"):
		return address.Hostname(), address.Port(), true, !password && gitUser.MatchString(address.User.Username())
	}
	return "", "", false, false
}

// validPort takes a URL without a port or with one from 1 to 65535.
func validPort(address *url.URL) bool {
	if address.Port() == "" {
		return !strings.HasSuffix(address.Host, ":")
	}
	port, err := strconv.ParseUint(address.Port(), 10, 16)
	return err == nil && port > 0
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
		!strings.Contains(ref+"/", ".lock/")
}
