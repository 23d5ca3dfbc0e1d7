package config

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
)

// maxEmail is how long an address may be, in bytes. Source: RFC 5321, section 4.5.3.1.3, less the angle brackets.
const maxEmail = 254

// leastEABKey is how many bytes a binding's key has at least. Authorities give 32 and more.
const leastEABKey = 16

var (
	localPart     = regexp.MustCompile(`^[A-Za-z0-9._%+-]+$`)
	profileText   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	keyIDText     = regexp.MustCompile(`^[A-Za-z0-9._~+/=@:-]{1,256}$`)
	directoryText = regexp.MustCompile(`^https://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~%/-]*)?$`)
)

func (l *loader) acmeEmail() {
	a := &l.config.ACME
	if a.Email = l.raw("acmeEmail"); !validEmail(a.Email) {
		l.problem("acme-email-invalid", "acmeEmail", a.Email, "an e-mail address is required, where the certificate authority can reach you", set("acmeEmail", "you@example.com"))
	}
}

func (l *loader) acmeDirectory() {
	l.config.ACME.Directory = l.text("acmeDirectory")
	l.directory("acmeDirectory", l.config.ACME.Directory)
}

func (l *loader) acmeStagingDirectory() {
	a := &l.config.ACME
	staging := a.Directory
	if a.Directory == letsEncrypt {
		staging = letsEncryptStaging
	}
	a.StagingDirectory = cmp.Or(l.raw("acmeStagingDirectory"), staging)
	if a.StagingDirectory != a.Directory {
		l.directory("acmeStagingDirectory", a.StagingDirectory)
	}
}

func (l *loader) acmeProfile() {
	a := &l.config.ACME
	if a.Profile = l.raw("acmeProfile"); a.Profile != "" && !profileText.MatchString(a.Profile) {
		l.problem("acme-profile-invalid", "acmeProfile", a.Profile, "the name of a profile is required, one of those that the authority's directory lists", set("acmeProfile", "shortlived"))
	}
}

func (l *loader) acmeRoots() {
	a := &l.config.ACME
	if a.Roots = l.raw("acmeRoots"); a.Roots != "" && !certificates(a.Roots) {
		l.problem("acme-roots-invalid", "acmeRoots", "", "PEM certificates are required: what your own authority's HTTPS is trusted by", "cat root.pem | pulumi config set berth:acmeRoots")
	}
}

// fixEABKey sets the key of an external account binding, which the command reads.
const fixEABKey = "pulumi config set --secret berth:acmeEabKey"

func (l *loader) eabKeyID() {
	a := &l.config.ACME
	if a.EABKeyID = l.raw("acmeEabKeyId"); a.EABKeyID != "" && !keyIDText.MatchString(a.EABKeyID) {
		l.problem("acme-eab-key-id-invalid", "acmeEabKeyId", a.EABKeyID, "the key id is required as the authority's account pages show it: 1 to 256 letters, digits, and any of . _ ~ + / = @ : -", set("acmeEabKeyId", "KEY_ID"))
	}
}

// eabKey reads the key of an external account binding (RFC 8555, section 7.3.4), which is never shown.
func (l *loader) eabKey() {
	a := &l.config.ACME
	a.EABKey = strings.TrimRight(strings.TrimSpace(l.secret("acmeEabKey", fixEABKey)), "=")
	switch {
	case a.EABKeyID != "" && a.EABKey == "":
		l.problem("acme-eab-key-missing", "acmeEabKey", "", "a key id comes with its key, from the same page of the authority's", fixEABKey)
	case a.EABKeyID == "" && a.EABKey != "":
		l.problem("acme-eab-key-id-missing", "acmeEabKeyId", "", "a key comes with its key id, from the same page of the authority's", set("acmeEabKeyId", "KEY_ID"))
	}
	if key, err := base64.RawURLEncoding.DecodeString(a.EABKey); err != nil || a.EABKey != "" && len(key) < leastEABKey {
		l.problem("acme-eab-key-invalid", "acmeEabKey", "", "the key is required in base64url, 16 bytes or more: with - and _ where base64 has + and /", fixEABKey)
	}
}

// validEmail takes an address with a plain local part, which needs no quoting anywhere.
func validEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	local, domain, _ := strings.Cut(text, "@")
	return err == nil && address.Address == text && len(text) <= maxEmail && localPart.MatchString(local) && validName(strings.ToLower(domain)) == ""
}

func (l *loader) directory(key, value string) {
	address, err := url.Parse(value)
	if err != nil || !strings.HasPrefix(value, "https://") || !validHost(address.Hostname()) || !validPort(address) || address.User != nil ||
		!directoryText.MatchString(value) {
		l.problem("acme-directory-invalid", key, value, "the URL of an ACME directory is required, over https", set(key, letsEncrypt))
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
