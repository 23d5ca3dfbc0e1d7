package config

import (
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"crypto/x509"
	"encoding/pem"
)

const (
	// maxVariables and maxVariable bound what is sent to the server in one step; maxVariable is in bytes.
	maxVariables, maxVariable = 200, 32 * 1024
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// variables reads the app's environment.
func (l *loader) variables() {
	c := l.config
	l.decode("environment", &c.Environment, "a map of texts", set("environment.LOG_LEVEL", "info"))
	mendSecret := func(name string) string { return "pulumi config set --secret --path 'berth:secrets." + name + "'" }
	if raw := l.raw("secrets"); raw != "" && !l.isSecret(namespace+"secrets") {
		l.problem("secrets", "", "it is stored in plain text; secrets have to be stored encrypted, and what was readable should be replaced by new ones", mendSecret("NAME"))
	}
	l.decode("secrets", &c.Secrets, "a map of texts", mendSecret("NAME"))
	if len(c.Environment)+len(c.Secrets) > maxVariables {
		l.problem("environment", "", fmt.Sprintf("with the secrets at most %d variables are allowed; there are %d", maxVariables, len(c.Environment)+len(c.Secrets)), "pulumi config rm --path 'berth:environment.NAME'")
	}
	for _, setting := range []string{"environment", "secrets"} {
		values := c.Environment
		if setting == "secrets" {
			values = c.Secrets
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			path, value := pathInto(setting, name), values[name]
			if !variableName.MatchString(name) {
				l.problem(path, "", "a variable's name has letters, digits and underscores, and does not begin with a digit", remove(path))
				continue
			}
			mend := set(path, "value")
			if setting == "secrets" {
				mend = mendSecret(name)
			}
			_, both := c.Environment[name]
			switch {
			case strings.ContainsAny(value, "\x00\r\n"):
				l.problem(path, value, "a value is one line without NUL characters; put what has more lines in base64", mend)
			case len(value) > maxVariable:
				l.problem(path, value, fmt.Sprintf("a value has at most %d bytes", maxVariable), mend)
			case setting == "secrets" && value == "":
				l.problem(path, "", "the secret is missing", mend)
			case setting == "secrets" && both:
				l.problem(path, "", "the name is in the environment too, where it is readable", remove("environment."+name))
			}
		}
	}
}

// authority reads whom to ask for certificates.
func (l *loader) authority() {
	a := &l.config.ACME
	a.Email = l.raw("acmeEmail")
	address, err := mail.ParseAddress(a.Email)
	if err != nil || address.Address != a.Email || strings.ContainsAny(a.Email, "\"' ") || len(a.Email) > 254 {
		l.problem("acmeEmail", a.Email, "an e-mail address is required, where the certificate authority can reach you", set("acmeEmail", "you@example.com"))
	}
	a.Directory = l.text("acmeDirectory", letsEncrypt)
	l.directory("acmeDirectory", a.Directory)
	staging := a.Directory
	if a.Directory == letsEncrypt {
		staging = letsEncryptStaging
	}
	a.StagingDirectory = l.text("acmeStagingDirectory", staging)
	if a.StagingDirectory != a.Directory {
		l.directory("acmeStagingDirectory", a.StagingDirectory)
	}
	if a.Roots = l.raw("acmeRoots"); a.Roots != "" && !certificates(a.Roots) {
		l.problem("acmeRoots", a.Roots, "PEM certificates are required: what your own authority's HTTPS is trusted by", "cat root.pem | pulumi config set berth:acmeRoots")
	}
}

func (l *loader) directory(key, value string) {
	address, err := url.Parse(value)
	if err != nil || address.Scheme != "https" || !validHost(address.Hostname()) || address.User != nil || strings.ContainsAny(value, " \"'\\") || strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		l.problem(key, value, "the URL of an ACME directory is required, over https", set(key, letsEncrypt))
	}
}

// certificates says whether the text is certificates and nothing else.
func certificates(text string) bool {
	rest, count := []byte(text), 0
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return count > 0 && strings.TrimSpace(string(rest)) == ""
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil || block.Type != "CERTIFICATE" {
			return false
		}
		count++
	}
}
