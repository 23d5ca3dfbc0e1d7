package attackers

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"berth/tests/load"
	"berth/tests/report"
)

// upload is a body that is begun and not ended: what is announced of it, 0 for no length, and what is sent.
type upload struct {
	name            string
	announced, sent int
	// taken is how many of them an address may have under way. provision/nginx.go has the other end.
	taken int
	http2 bool
}

// Two that share a share do not follow one another, so that nginx has seen the end of the first.
var uploads = []upload{
	{name: "of 100 MB", announced: 100 * megabyte, sent: megabyte, taken: 5},
	{name: "below 1 MB", announced: 999_999, sent: 100_000, taken: 128},
	{name: "of unknown length", sent: megabyte, taken: 5},
	{name: "below 10 MB", announced: 9_999_999, sent: megabyte, taken: 12},
	{name: "of unknown length over HTTP/2", sent: 40_000, taken: 5, http2: true},
}

const (
	// bodySpace is the file system that bodies wait on, in bytes, spool all of those that visitors have nginx write.
	bodySpace, spool = 1024 * megabyte, (1024 + 256 + 384) * megabyte
	// beyond is how many uploads come on top of what is taken.
	beyond = 20
)

// begin sends an upload from one of the attacker's addresses and returns the answer's status, or "taken" with the connection.
func (s *Scene) begin(source, to string, u upload) (string, *held, error) {
	raw, err := s.reachFrom(source, net.JoinHostPort(to, "443"))
	if err != nil {
		return "", nil, err
	}
	if u.http2 {
		return beginHTTP2(raw, u)
	}
	conn, err := secured(raw, domain, "http/1.1")
	if err != nil {
		return "", nil, err
	}
	length := "Transfer-Encoding: chunked"
	if u.announced > 0 {
		length = fmt.Sprintf("Content-Length: %d", u.announced)
	}
	answer := make(chan string, 1)
	go func() {
		buffer := make([]byte, 1024)
		n, _ := conn.Read(buffer)
		answer <- statuses(string(buffer[:n]))[0]
	}()
	_, _ = fmt.Fprintf(conn, "POST /echo HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", domain, length)
	for piece, sent := strings.Repeat("a", 10_000), 0; sent < u.sent; sent += len(piece) {
		if u.announced == 0 {
			_, err = fmt.Fprintf(conn, "%x\r\n%s\r\n", len(piece), piece)
		} else {
			_, err = conn.Write([]byte(piece))
		}
		if err != nil {
			break // Whoever refuses early also stops reading.
		}
	}
	select {
	case status := <-answer:
		_ = conn.Close() // It may be closed already, by whoever refused.
		return status, nil, nil
	case <-time.After(2 * time.Second):
		return "taken", &held{conn, answer}, nil
	}
}

// held is an upload that goes on. Its answer, where one is awaited, may still come: what was sent waited in the network until then.
type held struct {
	net.Conn
	answer <-chan string
}

// beginHTTP2 sends a body that announces nothing, in a stream that it does not end.
func beginHTTP2(raw net.Conn, u upload) (string, *held, error) {
	conn, err := secured(raw, domain, "h2")
	if err != nil {
		return "", nil, err
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err = conn.Write([]byte(http2.ClientPreface))
	if err == nil {
		err = framer.WriteSettings()
	}
	if err == nil {
		err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: block([]string{":method", "POST", ":scheme", "https", ":path", "/echo", ":authority", domain})})
	}
	for sent := 0; err == nil && sent < u.sent; sent += 10_000 {
		err = framer.WriteData(1, false, make([]byte, 10_000))
	}
	if err != nil {
		_ = conn.Close()
		return "closed", nil, nil
	}
	f := &frames{framer, conn}
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	if status := f.answer(); status != "closed" {
		_ = conn.Close()
		return status, nil, nil
	}
	return "taken", &held{conn, nil}, nil
}

// together begins n uploads at once, each from the next of the addresses, and counts the answers. Those that are taken go on
// until release is called.
func (s *Scene) together(t *testing.T, n int, sources []string, to string, u upload) (counts map[string]int, taken []*held, release func()) {
	t.Helper()
	var lock sync.Mutex
	var all sync.WaitGroup
	counts = map[string]int{}
	for i := range n {
		all.Add(1)
		go func() {
			defer all.Done()
			status, conn, err := s.begin(sources[i%len(sources)], to, u)
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				t.Errorf("%s: %v", u.name, err)
			}
			counts[status]++
			if conn != nil {
				taken = append(taken, conn)
			}
		}()
	}
	all.Wait()
	return counts, taken, func() {
		for _, conn := range taken {
			_ = conn.Close()
		}
	}
}

// addresses gives the attacker n more addresses, from the first number on, and returns them.
func (s *Scene) addresses(t *testing.T, device, format string, first, n int) []string {
	t.Helper()
	all, script := []string{}, "set -e\n"
	for number := first; number < first+n; number++ {
		address := fmt.Sprintf(format, number)
		script += "ip addr replace " + address + " dev " + device + "\n"
		address, _, _ = strings.Cut(address, "/")
		all = append(all, address)
	}
	docker(t, "exec", s.outsider, "sh", "-c", script)
	return all
}

// Uploads sends bodies, and does not end them, from one address, from a whole IPv6 network, and from many addresses.
func (s *Scene) Uploads(t *testing.T) {
	r := s.rehearsal.In(t)
	share := func(what string, sources []string, to string) {
		tried, through := 0, 0
		for _, u := range uploads {
			counts, _, release := s.together(t, u.taken+beyond, sources, to, u)
			assert.Equalf(t, map[string]int{"taken": u.taken, "429": beyond}, counts, "%s, %s", what, u.name)
			release()
			tried, through = tried+beyond, through+max(0, counts["taken"]-u.taken)
		}
		report.Add(t, section, what, fmt.Sprintf("%d tried, %d got through", tried, through))
	}
	share("Uploads at once from one address, beyond its share, of each size and of unknown length", []string{r.Address(outsiderHost)}, s.address)

	own := docker(t, "container", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}", s.outsider)
	device := docker(t, "exec", s.outsider, "sh", "-c", "ip -oneline -6 addr show to "+own+" | awk '{ print $2 }'")
	r.SSH("sudo ip -6 route replace fd00:bad::/32 via " + own + " dev eth0")
	defer r.SSH("sudo ip -6 route del fd00:bad::/32")
	const members = 40
	share(fmt.Sprintf("The same from %d addresses of one IPv6 network (/64)", members), s.addresses(t, device, "fd00:bad:0:1:%x::1/128 nodad", 1, members), s.v6)
	large := uploads[0]
	counts, _, release := s.together(t, 4*large.taken, s.addresses(t, device, "fd00:bad:0:%x::1/128 nodad", 1, 4), s.v6, large)
	release()
	assert.Equal(t, map[string]int{"taken": 4 * large.taken}, counts, "each network has a share of its own")

	s.many(t)
}

// many fills the space from many addresses, and looks what is left for others, and of the disk.
func (s *Scene) many(t *testing.T) {
	r := s.rehearsal.In(t)
	size := func(command string) int {
		size, err := strconv.Atoi(strings.TrimSpace(r.SSH(command)))
		require.NoError(t, err)
		return size
	}
	// From 180 on there are none of the rehearsal's.
	const at = 60
	sources := s.addresses(t, "eth0", strings.TrimSuffix(r.Address(0), "0")+"%d/24", 180, at)
	// Eight of them find room. Of those that then fill it together, all may meet its end.
	const room = 8
	body := upload{name: "nearly all of 100 MB", announced: 100 * megabyte, sent: 95 * megabyte}
	before, early, releaseEarly := s.together(t, room, sources[:room], s.address, body)
	assert.Equal(t, map[string]int{"taken": room}, before)
	counts, taken, releaseRest := s.together(t, at-room, sources[room:], s.address, body)
	counts["taken"] += before["taken"]
	taken = append(taken, early...)
	others := s.during(t, load.Plan{Rate: 50, Request: "/work", WritePath: "/count"}, 5*time.Second)
	used := size("sudo du --block-size=1 --summarize --one-file-system --total /var/lib/berth/spool /var/lib/nginx | tail -n 1 | cut -f 1")
	for _, upload := range taken {
		select {
		case status := <-upload.answer:
			counts["taken"]--
			counts[status]++
		default:
		}
	}
	releaseEarly()
	releaseRest()
	assert.Equal(t, at, counts["taken"]+counts["503"], "%v", counts)
	assert.Positive(t, counts["503"], "the space was filled")
	assert.GreaterOrEqual(t, counts["taken"], room, "what was there before stays")
	assert.Zero(t, others.Failed)
	assert.GreaterOrEqual(t, used, counts["taken"]*95*megabyte, "what is measured is where bodies wait")
	assert.LessOrEqual(t, used, spool)
	assert.LessOrEqual(t, size("df --block-size=1 --output=size /var/lib/nginx/body | tail -n 1"), bodySpace)
	assert.LessOrEqual(t, size("df --block-size=1 --output=size /var/lib/nginx/body /var/lib/nginx/proxy /var/log/nginx | awk 'NR > 1 { sum += $1 } END { print sum }'"), spool)
	report.Add(t, section, fmt.Sprintf("Uploads of 100 MB at once from %d addresses", at),
		fmt.Sprintf("%d taken, %d answered 503, %d of at most %d MiB of the disk used; %d of %d requests of others failed", counts["taken"], counts["503"], used/megabyte, spool/megabyte, others.Failed, others.Sent))
}
