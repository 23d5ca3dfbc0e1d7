package provision

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/provision/scripts"
)

// TestAnAddressLeavesRoomForOthers holds every limit to the space that bodies have: an address never has more than three
// quarters of it, and may always send.
func TestAnAddressLeavesRoomForOthers(t *testing.T) {
	spool, err := scripts.Read("edge/spool.sh")
	require.NoError(t, err)
	require.Contains(t, spool, fmt.Sprintf("provide bodies /var/lib/nginx/body %d ", bodySpace))
	for limit := 1; limit <= 256; limit++ {
		sum := 0
		for _, kind := range share(limit) {
			require.Positive(t, kind.AtOnce, "%s with %d", kind.Name, limit)
			sum += kind.AtOnce * map[string]int{"small": 1, "medium": 10, "large": limit}[kind.Name]
		}
		require.LessOrEqual(t, sum, bodySpace*3/4, "with %d", limit)
	}
}

// nginxMap reads the rendered map of a variable: its patterns in their order, and its default.
func nginxMap(t *testing.T, text, variable string) (patterns []*regexp.Regexp, values []string, fallback string) {
	t.Helper()
	_, rest, found := strings.Cut(text, " "+variable+" {\n")
	require.True(t, found, variable)
	body, _, _ := strings.Cut(rest, "\n}")
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ";")
		if name, is := strings.CutPrefix(line, "default "); is {
			fallback = name
		} else if pattern, is := strings.CutPrefix(line, `"~`); is {
			end := strings.LastIndex(pattern, `" `)
			patterns, values = append(patterns, regexp.MustCompile(pattern[:end])), append(values, pattern[end+2:])
		}
	}
	return patterns, values, fallback
}

// TestBodiesAreKnownByWhatTheyAnnounce holds what nginx takes a request's body for, in the order in which it looks.
func TestBodiesAreKnownByWhatTheyAnnounce(t *testing.T) {
	text, server, err := site(&config.Config{Domain: "app.example.com", MaxBody: 25})
	require.NoError(t, err)
	patterns, values, fallback := nginxMap(t, text, "$berth_body")
	for _, c := range []struct{ length, method, protocol, encoding, want string }{
		{"", "GET", "HTTP/1.1", "", "none"},
		{"", "POST", "HTTP/1.1", "", "none"},
		{"", "M-SEARCH", "HTTP/1.0", "", "none"},
		{"", "GET", "HTTP/2.0", "", "none"},
		{"", "HEAD", "HTTP/2.0", "", "none"},
		{"", "POST", "HTTP/2.0", "", "large"},
		{"", "PUT", "HTTP/2.0", "", "large"},
		{"", "GETX", "HTTP/2.0", "", "large"},
		{"", "DELETE", "HTTP/2.0", "", "large"},
		{"", "GET", "HTTP/1.1", "chunked", "large"},
		{"", "POST", "HTTP/1.1", "Chunked", "large"},
		{"", "POST", "HTTP/1.1", "1234 ", "large"},
		{"0", "POST", "HTTP/1.1", "", "none"},
		{"9999", "POST", "HTTP/2.0", "", "none"},
		{"10000", "GET", "HTTP/2.0", "", "small"},
		{"999999", "POST", "HTTP/1.1", "", "small"},
		{"1000000", "POST", "HTTP/1.1", "", "medium"},
		{"9999999", "PUT", "HTTP/2.0", "", "medium"},
		{"10000000", "POST", "HTTP/1.1", "", "large"},
		{"104857600", "GET", "HTTP/1.1", "", "large"},
		{"0000000000001", "POST", "HTTP/1.1", "", "large"},
	} {
		got := fallback
		for i, pattern := range patterns {
			if pattern.MatchString(strings.Join([]string{c.length, c.method, c.protocol, c.encoding}, " ")) {
				got = values[i]
				break
			}
		}
		assert.Equal(t, c.want, got, c)
	}
	assert.Equal(t, 2, strings.Count(text+server, "client_max_body_size 25m;"))
	assert.Equal(t, 3, strings.Count(text, "\nlimit_conn berth_small 128;")+strings.Count(text, "\nlimit_conn berth_medium 12;")+strings.Count(text, "\nlimit_conn berth_large 20;"))
	assert.NotContains(t, regexp.MustCompile(`limit_conn_zone \S+`).FindAllString(text, -1), "limit_conn_zone $binary_remote_addr", "an IPv6 network is one address")
}

// TestTheFirewallComesBeforeTheNetwork runs nft_service as its caller does: the rules are loaded before there is a network, and wait
// for nothing that comes after it.
func TestTheFirewallComesBeforeTheNetwork(t *testing.T) {
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", `source <(sed "s|/etc/systemd/system/|$1/|" scripts/lib.sh); systemctl() { :; }
nft_service berth-x "A description" /etc/berth/x.nft "docker.service nginx.service"`, "bash", folder)
	output, err := command.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	unit, err := os.ReadFile(filepath.Join(folder, "berth-x.service"))
	require.NoError(t, err)
	for _, line := range []string{"DefaultDependencies=no\n", "Before=docker.service nginx.service network-pre.target shutdown.target\n", "Wants=network-pre.target\n", "Conflicts=shutdown.target\n"} {
		assert.Contains(t, string(unit), "\n"+line)
	}
}

// TestLogsThatDoNotMountAreKept beside the file system that takes their place; what visitors send is made again at every start.
func TestLogsThatDoNotMountAreKept(t *testing.T) {
	for keep, want := range map[string]string{"keep": "logs.img logs.img.before", "": "logs.img"} {
		folder := t.TempDir()
		output, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", `exec 3>&1
source <(sed '/^main "\$@"$/d; s|/opt/berth/lib.sh|scripts/lib.sh|; s|^readonly FILES=.*|readonly FILES=`+folder+`|' scripts/edge/spool.sh)
echo old >"$FILES/logs.img"; at=$FILES/at; [ -n "`+keep+`" ] || rm "$FILES/logs.img"
mounted_on() { [ -e "$at/mounted" ]; }; make() { echo new >"$1"; }; chown() { :; }; chmod() { :; }
mount() { [ -e "$at/tried" ] || { touch "$at/tried"; return 1; }; touch "$at/mounted"; }
provide logs "$at" 1 root: 0700 "`+keep+`"; cd "$FILES"; echo logs.img*; cat logs.img*`).CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
		assert.Contains(t, string(output), "does not mount, so it is made again")
		assert.Contains(t, string(output), want+"\nnew\n")
		assert.Equal(t, keep != "", strings.Contains(string(output), "\nold\n"))
	}
}
