package dns

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var example = []Zone{
	{Name: "example.test", NameServers: []string{"ns-1.awsdns.test", "ns-2.awsdns.test"}, Records: []Record{
		{"app.example.test", "A", 300, []string{"198.51.100.16"}},
		{"app.example.test", "AAAA", 300, []string{"2001:db8::10"}},
		{"app.example.test", "CAA", 300, []string{`0 issue "letsencrypt.org"`, `0 issuewild ";"`}},
		{"www.example.test", "CNAME", 60, []string{"App.example.test"}},
		{"loop.example.test", "CNAME", 60, []string{"pool.example.test"}},
		{"pool.example.test", "CNAME", 60, []string{"loop.example.test"}},
		{"dead.example.test", "CNAME", 60, []string{"none.example.test"}},
		{"into.example.test", "CNAME", 60, []string{"host.sub.example.test"}},
		{"out.example.test", "CNAME", 60, []string{"elsewhere.test"}},
		{`\052.wild.example.test`, "A", 60, []string{"198.51.100.17"}},
		{"own.wild.example.test", "TXT", 60, []string{"own"}},
		{"a.deep.example.test", "TXT", 60, []string{`two words "quoted"`}},
		{"bad.example.test", "A", 60, []string{"not an address"}},
	}},
	{Name: "sub.example.test.", Records: []Record{{"host.sub.example.test", "A", 5, []string{"198.51.100.18"}}}},
}

var elsewhere = []Zone{{Name: "elsewhere.test", Records: []Record{{"elsewhere.test", "A", 5, []string{"198.51.100.99"}}}}}

// serve starts a handler on loopback over both transports and returns its address.
func serve(t *testing.T, handler *Handler) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	server, err := Listen(ctx, "127.0.0.1:0", handler)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	return server.Address()
}

func fixed(zones []Zone, upstreams ...string) *Handler {
	return &Handler{Zones: func() ([]Zone, error) { return zones, nil }, Upstreams: upstreams}
}

func exchange(t *testing.T, network, server string, query *dns.Msg) *dns.Msg {
	t.Helper()
	answer, _, err := (&dns.Client{Net: network}).Exchange(query, server)
	require.NoError(t, err)
	return answer
}

func ask(t *testing.T, network, server, name, kind string) *dns.Msg {
	t.Helper()
	return exchange(t, network, server, new(dns.Msg).SetQuestion(name, dns.StringToType[kind]))
}

func TestAnswersFromTheZones(t *testing.T) {
	server := serve(t, fixed(example))
	for _, test := range []struct {
		name, kind string
		code       int
		answers    []string
	}{
		{"app.example.test.", "A", dns.RcodeSuccess, []string{"app.example.test.\t300\tIN\tA\t198.51.100.16"}},
		{"APP.Example.TEST.", "A", dns.RcodeSuccess, []string{"198.51.100.16"}},
		{"app.example.test.", "AAAA", dns.RcodeSuccess, []string{"2001:db8::10"}},
		{"app.example.test.", "CAA", dns.RcodeSuccess, []string{`0 issue "letsencrypt.org"`, `0 issuewild ";"`}},
		{"app.example.test.", "ANY", dns.RcodeSuccess, []string{"A", "AAAA", "CAA", "CAA"}},
		{"a.deep.example.test.", "TXT", dns.RcodeSuccess, []string{`"two words \"quoted\""`}},
		{"example.test.", "NS", dns.RcodeSuccess, []string{"ns-1.awsdns.test.", "ns-2.awsdns.test."}},
		{"example.test.", "SOA", dns.RcodeSuccess, []string{"ns-1.awsdns.test."}},
		{"host.sub.example.test.", "A", dns.RcodeSuccess, []string{"198.51.100.18"}},

		{"www.example.test.", "A", dns.RcodeSuccess, []string{"CNAME\tApp.example.test.", "198.51.100.16"}},
		{"www.example.test.", "CNAME", dns.RcodeSuccess, []string{"CNAME\tApp.example.test."}},
		{"into.example.test.", "A", dns.RcodeSuccess, []string{"CNAME", "198.51.100.18"}},
		{"out.example.test.", "A", dns.RcodeSuccess, []string{"CNAME\telsewhere.test."}},
		{"loop.example.test.", "A", dns.RcodeServerFailure, nil},

		{"x.wild.example.test.", "A", dns.RcodeSuccess, []string{"x.wild.example.test.\t60"}},
		{"y.x.wild.example.test.", "A", dns.RcodeSuccess, []string{"y.x.wild.example.test.\t60"}},
		{"bad.example.test.", "A", dns.RcodeServerFailure, nil},
		{"elsewhere.test.", "A", dns.RcodeRefused, nil},
		{"notexample.test.", "A", dns.RcodeRefused, nil},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(test.name+" "+test.kind+" "+network, func(t *testing.T) {
				answer := ask(t, network, server, test.name, test.kind)
				assert.Equal(t, dns.RcodeToString[test.code], dns.RcodeToString[answer.Rcode])
				assert.Equal(t, len(test.answers) > 0, answer.Authoritative)
				require.Len(t, answer.Answer, len(test.answers))
				for i, want := range test.answers {
					assert.Contains(t, answer.Answer[i].String(), want)
				}
			})
		}
	}
}

// An absent name (NXDOMAIN) and a name without records of the type (no data) differ, and both come with the SOA that
// says how long to remember it.
func TestAbsence(t *testing.T) {
	server := serve(t, fixed(example))
	for _, test := range []struct {
		name, kind string
		code       int
		zone       string
	}{
		{"app.example.test.", "MX", dns.RcodeSuccess, "example.test."},
		{"deep.example.test.", "A", dns.RcodeSuccess, "example.test."},
		{"example.test.", "A", dns.RcodeSuccess, "example.test."},
		{"x.wild.example.test.", "AAAA", dns.RcodeSuccess, "example.test."},
		{"own.wild.example.test.", "A", dns.RcodeSuccess, "example.test."},
		{"none.example.test.", "A", dns.RcodeNameError, "example.test."},
		{"x.app.example.test.", "A", dns.RcodeNameError, "example.test."},
		{"below.own.wild.example.test.", "A", dns.RcodeNameError, "example.test."},
		{"app.sub.example.test.", "A", dns.RcodeNameError, "sub.example.test."},
		{"dead.example.test.", "A", dns.RcodeNameError, "example.test."},
	} {
		t.Run(test.name+" "+test.kind, func(t *testing.T) {
			answer := ask(t, "udp", server, test.name, test.kind)
			assert.Equal(t, dns.RcodeToString[test.code], dns.RcodeToString[answer.Rcode])
			require.Len(t, answer.Ns, 1)
			require.IsType(t, &dns.SOA{}, answer.Ns[0])
			assert.Equal(t, test.zone, answer.Ns[0].Header().Name)
		})
	}
}

func TestOtherNamesAreForwarded(t *testing.T) {
	upstream := serve(t, fixed(elsewhere))
	// The first upstream does not answer: nothing listens on port 1 (tcpmux).
	server := serve(t, fixed(example, "127.0.0.1:1", upstream))
	for name, answers := range map[string]int{"elsewhere.test.": 1, "out.example.test.": 2} {
		answer := ask(t, "udp", server, name, "A")
		require.Len(t, answer.Answer, answers)
		assert.True(t, strings.HasSuffix(answer.Answer[answers-1].String(), "198.51.100.99"))
		assert.True(t, answer.RecursionAvailable)
	}
	assert.Equal(t, dns.RcodeNameError, ask(t, "tcp", server, "none.elsewhere.test.", "A").Rcode, "the upstream's word is passed on")

	query := new(dns.Msg).SetQuestion("out.example.test.", dns.TypeA)
	query.RecursionDesired = false
	assert.Len(t, exchange(t, "udp", server, query).Answer, 1, "the alias alone")

	alone := serve(t, fixed(example, "127.0.0.1:1"))
	assert.Equal(t, dns.RcodeServerFailure, ask(t, "udp", alone, "elsewhere.test.", "A").Rcode)
}

func TestAChangeIsSeenByTheNextQuestion(t *testing.T) {
	var now atomic.Pointer[[]Zone]
	now.Store(&[]Zone{{Name: "example.test"}})
	server := serve(t, &Handler{Zones: func() ([]Zone, error) { return *now.Load(), nil }})
	require.Equal(t, dns.RcodeNameError, ask(t, "udp", server, "app.example.test.", "A").Rcode)
	now.Store(&example)
	assert.Len(t, ask(t, "udp", server, "app.example.test.", "A").Answer, 1)
}

func TestAnUnreadableAccountIsAServerFailureAndIsReported(t *testing.T) {
	heard := make(chan error, 1)
	server := serve(t, &Handler{
		Zones:  func() ([]Zone, error) { return nil, errors.New("gone") },
		Failed: func(err error) { heard <- err },
	})
	assert.Equal(t, dns.RcodeServerFailure, ask(t, "udp", server, "app.example.test.", "A").Rcode)
	assert.ErrorContains(t, <-heard, "gone")
}

func TestWhatIsNoQuestionForUs(t *testing.T) {
	server := serve(t, fixed(example))
	chaos := new(dns.Msg).SetQuestion("app.example.test.", dns.TypeTXT)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	assert.Equal(t, dns.RcodeRefused, exchange(t, "udp", server, chaos).Rcode)
	assert.Equal(t, dns.RcodeNotImplemented, exchange(t, "udp", server, new(dns.Msg).SetNotify("example.test.")).Rcode)
}

func TestALongAnswerIsCutOverUDPAndWholeOverTCP(t *testing.T) {
	long := Record{Name: "long.example.test", Type: "TXT", TTL: 5}
	for range 10 {
		long.Values = append(long.Values, strings.Repeat("x", 200))
	}
	server := serve(t, fixed([]Zone{{Name: "example.test", Records: []Record{long}}}))
	assert.True(t, ask(t, "udp", server, "long.example.test.", "TXT").Truncated)
	assert.Len(t, ask(t, "tcp", server, "long.example.test.", "TXT").Answer, 10)
	large := new(dns.Msg).SetQuestion("long.example.test.", dns.TypeTXT).SetEdns0(4096, false)
	answer := exchange(t, "udp", server, large)
	assert.Len(t, answer.Answer, 10)
	assert.NotNil(t, answer.IsEdns0())
}
