package attackers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/report"
)

// scanned is what the probe says of an address: ports that are open, that refuse and that stay silent, and of a few
// UDP ports those that answer and those that refuse.
type scanned struct {
	Address         string
	Open            []int
	Refused, Silent int
	UDP             []int
	UDPRefused      int
}

const allPorts = 65535

// FromOutside asks every TCP port of the server, over IPv4 and IPv6, from a place that is not the operator's.
func (s *Scene) FromOutside(t *testing.T) {
	var results []scanned
	require.NoError(t, json.Unmarshal([]byte(docker(t, "exec", s.outsider, "/probe", "scan", s.address, s.v6)), &results))
	require.Len(t, results, 2)
	for _, result := range results {
		assert.Equal(t, []int{80, 443}, result.Open, result.Address)
		assert.Equal(t, allPorts-2, result.Silent, "%s: a port that refuses is one that packets get to", result.Address)
		assert.Empty(t, result.UDP, result.Address)
		assert.Zero(t, result.UDPRefused, result.Address)
	}
	report.Add(t, section, "TCP ports that answer strangers, of 65535 over IPv4 and over IPv6", fmt.Sprintf("%v and %v", results[0].Open, results[1].Open))
}

// scanFromApp runs the probe in a container of the app's image: in the network of the app's release, and in one that
// speaks IPv6, where the server has an address, too.
const scanFromApp = `set -euo pipefail
image=$(docker ps --filter label=berth.release --format '{{.Image}}' | head -n 1)
scan() { docker run --rm --network "$1" --volume /usr/local/bin/probe:/probe:ro --entrypoint /probe "$image" scan "${@:2}"; }
docker network create --ipv6 --subnet fd00:6::/64 six >/dev/null
trap 'docker network rm six >/dev/null' EXIT
addresses() { ip -json "$1" addr | jq -r '.[] | select(.ifname != "lo") | .addr_info[] | select(.scope == "global") | .local' | sort -u; }
scan "$(docker network ls --filter label=com.docker.compose.network --format '{{.Name}}' | grep '^release-' | head -n 1)" $(addresses -4)
scan six $(addresses -6)
`

// readMetadata asks for the instance's metadata as an app would that somebody made ask.
const readMetadata = `set -euo pipefail
image=$(docker ps --filter label=berth.release --format '{{.Image}}' | head -n 1)
for address in 169.254.169.254 '[fd00:ec2::254]'; do
  docker run --rm --entrypoint python3 "$image" -c 'import sys, urllib.request as u
try: u.urlopen(u.Request("http://" + sys.argv[1] + "/latest/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}), timeout=3); print("reached")
except Exception: print("unreachable")' "$address"
done
`

// FromContainers asks every TCP port of the server on each of its addresses from inside the app, and its metadata.
func (s *Scene) FromContainers(t *testing.T) {
	r := s.rehearsal.In(t)
	docker(t, "cp", s.probe, s.host+":/usr/local/bin/probe")
	decoder := json.NewDecoder(strings.NewReader(r.SSHInput("sudo bash -s", scanFromApp)))
	var addresses []string
	for decoder.More() {
		var results []scanned
		require.NoError(t, decoder.Decode(&results))
		for _, result := range results {
			addresses = append(addresses, result.Address)
			assert.Equal(t, []int{80, 443}, result.Open, result.Address)
			assert.Empty(t, result.UDP, result.Address)
		}
	}
	require.Subset(t, addresses, []string{s.address, s.v6, "fd00:6::1", "172.17.0.1"})
	report.Add(t, section, "TCP ports of the server that the app's containers reach, of 65535 on each of its addresses", fmt.Sprintf("80 and 443 (%d addresses)", len(addresses)))
	assert.Equal(t, []string{"unreachable", "unreachable"}, strings.Fields(r.SSHInput("sudo bash -s", readMetadata)))
	report.Add(t, section, "The instance's metadata from a container, over IPv4 and IPv6", "unreachable")
}

// AfterReboot restarts the server and looks at what containers reach then.
func (s *Scene) AfterReboot(t *testing.T) {
	docker(t, "restart", "--time", "30", s.host)
	require.Eventually(t, func() bool {
		_, err := s.rehearsal.In(t).TrySSH("sudo docker ps --quiet --filter label=berth.release --filter health=healthy | grep .", "")
		return err == nil
	}, patience, pause, "the app is back")
	s.FromContainers(t)
}
