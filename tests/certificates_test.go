package tests

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// aged puts a certificate of the site's names in the place of the one that certbot keeps, from an authority of its own: of
// so many days, so many per cent of which are over. Its output is the serial number, in decimal.
const aged = `sudo bash -euc '
exec 3>&1 >/root/aged.log 2>&1
live=/etc/letsencrypt/live/berth
NAMES=$(jq -r .NAMES /etc/berth/certificate.json)
cd "$(mktemp -d)"
begin=$(($(date +%%s) - %[1]d * 864 * %[2]d)) end=$(($(date +%%s) + %[1]d * 864 * (100 - %[2]d)))
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=an older authority" -keyout ca.key -out ca.pem
openssl req -new -key $live/privkey.pem -subj / -addext "subjectAltName=DNS:${NAMES// /,DNS:}" -out site.csr
openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -copy_extensions copy \
  -not_before "$(date --utc --date @$begin +%%Y%%m%%d%%H%%M%%SZ)" -not_after "$(date --utc --date @$end +%%Y%%m%%d%%H%%M%%SZ)" -out site.pem
cat site.pem >$live/cert.pem
cat ca.pem >$live/chain.pem
cat site.pem ca.pem >$live/fullchain.pem
/opt/berth/ssl-manager.sh install
python3 -c "print(int(\"$(openssl x509 -in site.pem -noout -serial | cut -d = -f 2)\", 16))" >&3'`

// served is the certificate that visitors of a name get, whoever signed it, and nil where there is none.
func served(address, name string) *x509.Certificate {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	connection, err := tls.DialWithDialer(dialer, "tcp", net.JoinHostPort(address, "443"), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer func() { _ = connection.Close() }()
	return connection.ConnectionState().PeerCertificates[0]
}

// serves waits until visitors get, or no longer get, the certificate with a serial number: nginx puts a reload through in
// its own time.
func serves(t *testing.T, address, serial string, wanted bool) {
	t.Helper()
	require.Eventuallyf(t, func() bool {
		certificate := served(address, harness.Domain)
		return certificate != nil && (certificate.SerialNumber.String() == serial) == wanted
	}, 20*time.Second, 100*time.Millisecond, "serial number %s is served: %t", serial, wanted)
}

// age makes the served certificate one of so many days, so many per cent of which are over.
func age(r *harness.Rehearsal, address string, days, percent int) (serial string) {
	r.T().Helper()
	serial = r.SSH(fmt.Sprintf(aged, days, percent))
	serves(r.T(), address, serial, true)
	return serial
}

// authority takes the certificate authority off the network, or puts it back.
func authority(r *harness.Rehearsal, there bool) {
	r.T().Helper()
	args := []string{"network", "disconnect", r.Name + "-internet", r.Name + "-acme"}
	if there {
		args = []string{"network", "connect", "--ip", r.Address(harness.AuthorityHost), r.Name + "-internet", r.Name + "-acme"}
	}
	output, err := exec.CommandContext(r.T().Context(), "docker", args...).CombinedOutput()
	require.NoErrorf(r.T(), err, "%s", output)
}

// unset takes back a setting that --set made.
func unset(r *harness.Rehearsal, path string) {
	r.T().Helper()
	var kept []struct {
		Path, Value string
		Secret      bool
	}
	file := filepath.Join(r.Dir, "settings.json")
	require.NoError(r.T(), json.Unmarshal([]byte(r.File("settings.json")), &kept))
	for i, setting := range kept {
		if setting.Path == path {
			kept = slices.Delete(kept, i, i+1)
			break
		}
	}
	text, err := json.Marshal(kept)
	require.NoError(r.T(), err)
	require.NoError(r.T(), os.WriteFile(file, text, 0o600))
}

func renewalTimer(t *testing.T, s scene) {
	r := s.r
	timer := r.SSH("systemctl cat berth-certificate.timer")
	for _, line := range []string{"OnCalendar=*-*-* 0,12:0:00", "RandomizedDelaySec=21600", "Persistent=true"} {
		assert.Contains(t, timer, line)
	}
	assert.Equal(t, "active", r.SSH("systemctl is-active berth-certificate.timer"))
}

// renewedInTime is the part for a certificate of so many days: with early per cent of its life over it is kept, with due it is renewed.
func renewedInTime(days, early, due int) func(*testing.T, scene) {
	return func(t *testing.T, s scene) {
		r, address := s.r, s.address
		// The timer comes twice a day, at a random time, and would ask as well.
		r.SSH("sudo systemctl stop berth-certificate.timer")
		defer r.SSH("sudo systemctl start berth-certificate.timer")
		serial, orders := age(r, address, days, early), r.Orders()
		r.Renew(true)
		assert.Equal(t, orders, r.Orders(), "no request was sent")
		serves(t, address, serial, true)
		serial = age(r, address, days, due)
		r.Renew(true)
		assert.Equal(t, orders+1, r.Orders())
		serves(t, address, serial, false)
		assert.Contains(t, served(address, harness.Domain).Issuer.CommonName, "Pebble")
	}
}

func wrongDNSOrHTTP(t *testing.T, s scene) {
	r, address := s.r, s.address
	serial, orders := age(r, address, 90, 70), r.Orders()
	r.SSH("sudo cp /etc/hosts /root/hosts && echo 192.0.2.1 www." + harness.Domain + " | sudo tee -a /etc/hosts")
	assert.Contains(t, r.Renew(false), "www."+harness.Domain+" does not resolve to "+address+" (it resolves to: 192.0.2.1)")
	r.SSH("sudo cp /root/hosts /etc/hosts")
	r.SSH("sudo cp /etc/nginx/conf.d/berth.conf /root/berth.conf && sudo sed -i 's/\\(listen .*\\)\\b80\\b/\\18081/' /etc/nginx/conf.d/berth.conf && sudo systemctl reload nginx")
	require.Eventually(t, func() bool {
		_, err := r.TrySSH("curl --silent --max-time 3 http://"+harness.Domain+"/", "")
		return err != nil
	}, 20*time.Second, 100*time.Millisecond)
	assert.Contains(t, r.Renew(false), "http://"+harness.Domain+"/ does not answer from this server")
	assert.Equal(t, orders, r.Orders())
	serves(t, address, serial, true)
	r.SSH("sudo cp /root/berth.conf /etc/nginx/conf.d/berth.conf && sudo systemctl reload nginx")
	require.Eventually(t, func() bool {
		_, err := r.TrySSH("curl --silent --max-time 3 http://"+harness.Domain+"/", "")
		return err == nil
	}, 20*time.Second, 100*time.Millisecond)
	r.Renew(true)
	assert.Equal(t, orders+1, r.Orders())
}

func failingRenewal(t *testing.T, s scene) {
	r, address := s.r, s.address
	alarmsOn(r)
	authority(r, false)
	away := true
	t.Cleanup(func() {
		if away {
			_ = exec.Command("docker", "network", "connect", "--ip", r.Address(harness.AuthorityHost), r.Name+"-internet", r.Name+"-acme").Run()
		}
	})
	serial := age(r, address, 90, 70)
	assert.Contains(t, r.Renew(false), "renewal failed; the site stays on the certificate it has; the next try: ")
	serves(t, address, serial, true)
	assert.Equal(t, "ok", r.Health()["certificate"], "there is a month left")
	assert.Equal(t, "warning", r.Health()["units"])

	before := len(r.Mails())
	serial = age(r, address, 6, 88)
	r.Renew(false)
	serves(t, address, serial, true)
	output, err := r.TrySSH("sudo /opt/berth/ssl-manager.sh check", "")
	require.Error(t, err)
	assert.Regexp(t, `1[67] hours are left, and it was due for renewal 2 days ago; why that failed`, output)
	mailed(r, before, "ALARM", "certificate")

	authority(r, true)
	away = false
	r.Renew(true)
	serves(t, address, serial, false)
	assert.Equal(t, "ok", r.Health()["certificate"])
	mailed(r, before, "OK", "certificate")
	_, err = r.TrySSH("sudo test -e /data/tls/refused", "")
	assert.Error(t, err, "an authority that was not there has not refused")
}

func placeholderMailed(t *testing.T, s scene) {
	r := s.r
	alarmsOn(r)
	before := len(r.Mails())
	r.SSH("sudo /opt/berth/ssl-manager.sh revert")
	mailed(r, before, "ALARM", "certificate")
	r.SSH("sudo /opt/berth/ssl-manager.sh install")
	mailed(r, before, "OK", "certificate")
}

func anotherName(t *testing.T, s scene) {
	r, address := s.r, s.address
	blog := "blog." + harness.Domain
	orders := r.Orders()
	output := r.Run("up", "--set", "aliases[1]="+blog, "--set", "acmeProfile=shortlived")
	assert.Subset(t, harness.Changed(output), []string{"edge", "certificate"})
	certificate := served(address, blog)
	require.NotNil(t, certificate)
	assert.ElementsMatch(t, []string{harness.Domain, "www." + harness.Domain, blog}, certificate.DNSNames)
	assert.Less(t, certificate.NotAfter.Sub(certificate.NotBefore), 7*24*time.Hour)
	assert.Equal(t, orders+2, r.Orders(), "one of staging, one of the authority")
	r.Renew(true)
	assert.Equal(t, orders+2, r.Orders())

	unset(r, "aliases[1]")
	r.Run("up", "--set", "acmeProfile=classic")
	certificate = served(address, harness.Domain)
	assert.ElementsMatch(t, []string{harness.Domain, "www." + harness.Domain}, certificate.DNSNames)
	assert.Greater(t, certificate.NotAfter.Sub(certificate.NotBefore), 80*24*time.Hour)
	assert.Nil(t, served(address, blog), "the name is no longer the site's")
}

func renewalByTimer(t *testing.T, s scene) {
	r, site, address := s.r, s.site, s.address
	serial := func() string {
		site.Client.CloseIdleConnections()
		return site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").TLS.PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	r.SSH("sudo systemctl start berth-certificate.service")
	assert.Equal(t, before, serial(), "a certificate with most of its life left is kept")
	old := age(r, address, 90, 70)
	r.Renew(true)
	serves(t, address, old, false)
	assert.NotEqual(t, before, serial(), "the new certificate is served")
	assert.Contains(t, r.SSH("systemctl list-timers --all --no-legend berth-certificate.timer"), "berth-certificate.timer")
}

func certificateState(t *testing.T, s scene) {
	r, site := s.r, s.site
	var status struct {
		Severity int
		Names    []string
		Issuer   string
	}
	require.NoError(t, json.Unmarshal([]byte(r.SSH("sudo /opt/berth/ssl-manager.sh check --json")), &status))
	assert.Equal(t, 0, status.Severity)
	assert.ElementsMatch(t, []string{harness.Domain, "www." + harness.Domain}, status.Names)
	r.SSH("sudo /opt/berth/ssl-manager.sh revert")
	output, err := r.TrySSH("sudo /opt/berth/ssl-manager.sh check", "")
	require.Error(t, err, "the exit code is a warning's")
	assert.Contains(t, output, `issued by "placeholder"`)
	assert.Contains(t, output, "sudo /opt/berth/ssl-manager.sh generate")
	r.SSH("sudo /opt/berth/ssl-manager.sh install")
	// nginx puts a reload through in its own time.
	assert.Eventually(t, func() bool { _, err := r.TrySSH("sudo /opt/berth/ssl-manager.sh check", ""); return err == nil }, 10*time.Second, 100*time.Millisecond)
	site.Client.CloseIdleConnections()
	assert.Equal(t, http.StatusOK, site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").StatusCode)
}

func refusedAuthority(t *testing.T, s scene) {
	r := s.r
	output, err := r.TrySSH(`sudo bash -c 'printf "%s\n1\n%s\n" "$(date +%s)" "$(jq -r .NAMES /etc/berth/certificate.json)" >/data/tls/refused
mv /data/letsencrypt/live /data/letsencrypt/away; trap "mv /data/letsencrypt/away /data/letsencrypt/live; rm /data/tls/refused" EXIT
/opt/berth/ssl-manager.sh generate'`, "")
	require.Error(t, err)
	assert.Contains(t, output, "the authority refused before, so it is asked again from")
}
