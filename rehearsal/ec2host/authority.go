package ec2host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"context"
	"crypto/tls"
)

// writeAuthorityCertificate makes the certificate with which the authority serves its own API, and the root that
// signed it: the program's acmeRoots setting is thereby used for real. What exists is kept.
func writeAuthorityCertificate(folder, address string) error {
	return writeCertificate(folder, "Rehearsal ACME API", &x509.Certificate{IPAddresses: []net.IP{net.ParseIP(address)}})
}

// writeCertificate makes a certificate for the names and addresses of a template, its key, and the root that signed it.
// What exists is kept.
func writeCertificate(folder, name string, template *x509.Certificate) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, acmeAPIKey)); err == nil {
		return nil
	}
	rootKey, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name + " root"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	leaf := leafOf(root, name, template)
	rootDER, err1 := x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	leafDER, err2 := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, rootKey)
	rootKeyDER, err3 := x509.MarshalECPrivateKey(rootKey)
	keyDER, err4 := x509.MarshalECPrivateKey(key)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	write := func(name, kind string, der []byte) error {
		return os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	}
	// The key comes last: it says that all are there.
	return errors.Join(write(acmeAPIRoot, "CERTIFICATE", rootDER), write(rootKeyFile, "EC PRIVATE KEY", rootKeyDER), write(acmeAPICert, "CERTIFICATE", leafDER), write(acmeAPIKey, "EC PRIVATE KEY", keyDER))
}

// rootKeyFile is the key of the root, with which Certificate Manager signs.
const rootKeyFile = "api-root.key"

func leafOf(root *x509.Certificate, name string, template *x509.Certificate) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, IPAddresses: template.IPAddresses, DNSNames: template.DNSNames,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// issued is the folder of the certificates that Certificate Manager issued, each a file with its key.
func (w *World) issued() string { return w.path("balancer", "certificates") }

// Issue makes a certificate of Certificate Manager's for names, signed by the rehearsal's AWS, unless it is there. It gives the name of
// the file, which the load balancer finds in its folder certificates.
func (w *World) Issue(id string, names []string) (string, error) {
	file := id[strings.LastIndexAny(id, "/:")+1:] + ".pem"
	path := filepath.Join(w.issued(), file)
	if _, err := os.Stat(path); err == nil {
		return file, nil
	}
	pair, err := tls.LoadX509KeyPair(w.path("cloudwatch", acmeAPIRoot), w.path("cloudwatch", rootKeyFile))
	if err != nil {
		return "", fmt.Errorf("issue a certificate for %s: the rehearsal's AWS has no root, or an older version made it; take the rehearsal down: make rehearse-clean: %w", strings.Join(names, ", "), err)
	}
	root, err1 := x509.ParseCertificate(pair.Certificate[0])
	key, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	leaf := leafOf(root, names[0], &x509.Certificate{DNSNames: names})
	leaf.SerialNumber = big.NewInt(time.Now().UnixNano())
	leafDER, err1 := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, pair.PrivateKey)
	keyDER, err2 := x509.MarshalECPrivateKey(key)
	if err := errors.Join(err1, err2, os.MkdirAll(w.issued(), 0o700)); err != nil {
		return "", err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})...)
	// At once, since HAProxy reads it at any time.
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return "", err
	}
	return file, os.Rename(path+".new", path)
}

// SiteRoots fetches the root that the authority signs the site's certificates with, PEM: what a browser has to trust
// in a rehearsal. Pebble makes a new one each time it starts. Behind a load balancer it is AWS's as well.
func (w *World) SiteRoots(ctx context.Context) (string, error) {
	roots, err := w.ACMERoots()
	if err != nil {
		return "", err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(roots))
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+w.authority()+":15000/roots/0", nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("fetch the authority's root: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil || !strings.Contains(string(body), "BEGIN CERTIFICATE") {
		return "", fmt.Errorf("fetch the authority's root: %s: %w", response.Status, err)
	}
	if _, err := os.Stat(w.issued()); err != nil {
		return string(body), nil
	}
	own, err := os.ReadFile(w.path("cloudwatch", acmeAPIRoot))
	return string(body) + string(own), err
}
