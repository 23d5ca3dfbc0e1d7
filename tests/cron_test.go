package tests

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"berth/tests/harness"
)

// withoutSystemd hides systemd from everything it runs, has the timers set up, and has cron renew the certificate within
// the minute.
const withoutSystemd = `sudo unshare --mount bash -euc '
mount -t tmpfs tmpfs /run/systemd
mount -t tmpfs tmpfs /etc/cron.d
/opt/berth/ssl-manager.sh setup-cron
(source /opt/berth/lib.sh && eval "$(grep -h "^  timer " /opt/berth/steps/operations.sh)")
grep "" /etc/cron.d/*
rm /etc/cron.d/berth-health /etc/cron.d/berth-dump
/opt/berth/ssl-manager.sh check
sed -i -e "s/^JITTER=.*/JITTER=0/" -e "s/^0 0,12 /* * /" /etc/cron.d/berth-certificate
before=$(readlink /etc/letsencrypt/live/berth/cert.pem)
cron -f & trap "kill $!" EXIT
timeout 150 bash -c "while [ \$(readlink /etc/letsencrypt/live/berth/cert.pem) = $before ]; do sleep 0.2; done"
# It is done when nobody holds its lock.
flock /run/berth-certificate.cron true
cat /var/log/berth/berth-certificate.log'`

// testCron has cron do what systemd does elsewhere. Cron itself runs, and its own line.
func testCron(t *testing.T, r *harness.Rehearsal, address string) {
	t.Run("without systemd, cron renews", func(t *testing.T) {
		r := r.In(t)
		r.SSH("sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install cron && sudo sed -i /pam_loginuid/d /etc/pam.d/cron && sudo systemctl disable --quiet --now cron")
		serial := age(r, address, 90, 70)
		// Without pam_loginuid, since the rehearsal's host may not set the login id that it is there for.
		output := r.SSH(withoutSystemd)
		assert.Contains(t, output, "/etc/cron.d/berth-certificate:0 0,12 * * * root ")
		assert.Contains(t, output, "/etc/cron.d/berth-certificate:JITTER=21600")
		assert.Regexp(t, `(?m)^/etc/cron.d/berth-health:\* \* \* \* \* root .* /opt/berth/health-check.sh --push >>`, output)
		assert.Regexp(t, `(?m)^/etc/cron.d/berth-dump:30 2 \* \* \* root .* /opt/berth/deploy.sh dump >>`, output)
		assert.Contains(t, output, "next look: by cron, twice a day")
		serves(t, address, serial, false)
		assert.Contains(t, served(address, harness.Domain).Issuer.CommonName, "Pebble")
	})
}
