package attackers

import (
	"encoding/json"
	"fmt"
	"regexp"
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

// askMetadata asks for the instance's metadata as an app and as a user of the server would that somebody got into. Over IPv6 the
// attacker's container answers at $1, and is reached by its own address $2: so it is the address that the server's firewall
// closes. Each line says who asked, where, and whether it was reached.
const askMetadata = `set -euo pipefail
image=$(docker ps --filter label=berth.release --format '{{.Image}}' | head -n 1)
docker network create --ipv6 --subnet fd00:6::/64 six >/dev/null
ip -6 route replace "$1/128" via "$2" dev eth0
trap 'docker network rm six >/dev/null; ip -6 route del "$1/128"' EXIT
contained() { echo "$1 $3 $(docker run --rm "${@:5}" --network "$2" --entrypoint python3 "$image" -c 'import socket, sys, time
for _ in range(5):
  try: socket.create_connection(sys.argv[1:3], 2).close(); print("reached"); break
  except OSError: time.sleep(0.2)
else: print("unreachable")' "$3" "$4")"; }
user() { echo "$1 $2 $(setpriv --reuid "$1" --regid "$1" --clear-groups timeout 5 bash -c "</dev/tcp/$2/$3" 2>/dev/null && echo reached || echo unreachable)"; }
ipv4=169.254.169.254
contained container six "$2" 1080
contained container six "$1" 1080
contained container six $ipv4 80
contained container-on-default bridge $ipv4 80
contained container-of-host-network host "$1" 1080 --user 1000
contained container-of-host-network host $ipv4 80 --user 1000
for name in root www-data nobody $3; do
  [ "$name" != nobody ] || getent group nobody >/dev/null || groupadd --system nobody
  user "$name" "$2" 1080
  user "$name" "$1" 1080
  user "$name" $ipv4 80
done
`

// Metadata asks for the instance's metadata from containers and as users of the server, over IPv4 and IPv6.
func (s *Scene) Metadata(t *testing.T) {
	const ipv4, ipv6 = "169.254.169.254", "fd00:ec2::254"
	own := docker(t, "container", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}", s.outsider)
	docker(t, "exec", s.outsider, "sh", "-c", "ip -6 addr replace "+ipv6+"/128 dev lo; ip -6 route replace fd00:6::/64 via "+s.v6)
	said := s.rehearsal.In(t).SSHInput("sudo bash -s "+ipv6+" "+own+" admin", askMetadata)
	var want []string
	tried := 0
	for _, who := range []string{"container", "container-on-default", "container-of-host-network", "root", "www-data", "nobody", "admin"} {
		for _, address := range []string{own, ipv6, ipv4} {
			switch {
			case who == "container-on-default" && address != ipv4, who == "container-of-host-network" && address == own:
				continue
			case address == own, who == "root":
				want = append(want, who+" "+address+" reached")
			default:
				tried++
				want = append(want, who+" "+address+" unreachable")
			}
		}
	}
	assert.Equal(t, want, strings.Split(said, "\n"), "everybody's network works, root alone reaches the metadata")
	report.Add(t, section, "The instance's metadata from containers, and from users of the server other than root (www-data, nobody, the operator's), over IPv4 and IPv6", fmt.Sprintf("%d tried, 0 got through", tried))
}

// lookFromBuild looks from a step of an image's build whether the places $@ (ADDRESS/PORT) are reached.
const lookFromBuild = `set -euo pipefail
image=$(docker ps --filter label=berth.release --format '{{.Image}}' | head -n 1)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/Dockerfile" <<EOF
FROM $image
USER root
RUN for at in $*; do timeout 3 bash -c ": </dev/tcp/\$at" 2>/dev/null && echo "reached \$at"; done; echo looked
EOF
docker build --no-cache --progress plain "$folder" 2>&1
`

// FromBuilds checks what the steps of a build reach: what containers do.
func (s *Scene) FromBuilds(t *testing.T) {
	const open, metadata = "172.17.0.1/80", "169.254.169.254/80"
	closed := []string{"172.17.0.1/22", s.address + "/22", s.v6 + "/22", metadata}
	said := s.rehearsal.In(t).SSHInput("sudo bash -s "+strings.Join(append(closed, open), " "), lookFromBuild)
	require.Regexp(t, `(?m)^#\d+ [\d.]+ looked$`, said)
	var reached []string
	for _, found := range regexp.MustCompile(`(?m)^#\d+ [\d.]+ reached (\S+)$`).FindAllStringSubmatch(said, -1) {
		reached = append(reached, found[1])
	}
	assert.Equal(t, []string{open}, reached, said)
	report.Add(t, section, "SSH of the server and the instance's metadata from a step of a build", fmt.Sprintf("%d tried, got through: 0", len(closed)))
}

// FromContainers asks every TCP port of the server on each of its addresses from inside the app.
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
}

// AfterReboot restarts the server and checks what containers reach then. Its network outlives that here, so the rules are
// taken away while it is down, as a kernel has none after it starts.
func (s *Scene) AfterReboot(t *testing.T) {
	docker(t, "stop", "--time", "30", s.host)
	docker(t, "exec", strings.Replace(s.host, s.rehearsal.Name+"-", s.rehearsal.Name+"-eni-", 1), "nft", "delete", "table", "inet", "berth")
	docker(t, "start", s.host)
	require.Eventually(t, func() bool {
		_, err := s.rehearsal.In(t).TrySSH("sudo docker ps --quiet --filter label=berth.release --filter health=healthy | grep .", "")
		return err == nil
	}, patience, pause, "the app is back")
	s.FromContainers(t)
	s.Metadata(t)
}
