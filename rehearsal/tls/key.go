package tls

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // The real provider's identifiers are SHA-1; nothing is protected by them.
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"
)

// key is a key pair in every form that the real provider writes.
type key struct {
	// id is the hexadecimal SHA-1 of the public key's DER form.
	id string
	// privateOpenSSH, privatePEM (PKCS #8) and publicPEM (SubjectPublicKeyInfo) are PEM blocks.
	privateOpenSSH, privatePEM, publicPEM string
	public                                ssh.PublicKey
}

// generate makes an Ed25519 key pair.
func generate() (key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return key{}, err
	}
	open, err1 := ssh.MarshalPrivateKey(private, "")
	pkcs8, err2 := x509.MarshalPKCS8PrivateKey(private)
	spki, err3 := x509.MarshalPKIXPublicKey(public)
	line, err4 := ssh.NewPublicKey(public)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return key{}, err
	}
	id := sha1.Sum(spki) //nolint:gosec // See the import.
	return key{
		id:             hex.EncodeToString(id[:]),
		privateOpenSSH: string(pem.EncodeToMemory(open)),
		privatePEM:     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		publicPEM:      string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})),
		public:         line,
	}, nil
}

// outputs are the resource's computed outputs, the private ones secret.
func (k key) outputs() resource.PropertyMap {
	secret := func(text string) resource.PropertyValue { return resource.MakeSecret(resource.NewStringProperty(text)) }
	return resource.PropertyMap{
		"privateKeyOpenssh":  secret(k.privateOpenSSH),
		"privateKeyPem":      secret(k.privatePEM),
		"privateKeyPemPkcs8": secret(k.privatePEM),
		// The line ends in a newline, as the real provider's does.
		"publicKeyOpenssh":           resource.NewStringProperty(string(ssh.MarshalAuthorizedKey(k.public))),
		"publicKeyPem":               resource.NewStringProperty(k.publicPEM),
		"publicKeyFingerprintSha256": resource.NewStringProperty(ssh.FingerprintSHA256(k.public)),
		"publicKeyFingerprintMd5":    resource.NewStringProperty(ssh.FingerprintLegacyMD5(k.public)),
	}
}
