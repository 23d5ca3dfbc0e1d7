package dns

import (
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

const (
	// longestChain bounds how many aliases (CNAME) are followed for one question, as resolvers do.
	longestChain = 8
	// forwardTimeout is how long one upstream resolver may take, that of the stub resolver in resolv.conf(5).
	forwardTimeout = 5 * time.Second
	// udpSize is what this server takes in one datagram. Source: the DNS flag day 2020.
	udpSize = 1232
)

// Handler answers DNS questions. It implements dns.Handler of the library.
type Handler struct {
	// Zones gives the hosted zones as they are now; it is asked for every question, so a change needs no restart.
	Zones func() ([]Zone, error)
	// Upstreams are "host:port" of the resolvers for names outside the zones, asked in this order. Where there are
	// none, such names are refused.
	Upstreams []string
	// Failed hears of questions that could not be answered (SERVFAIL); it may be nil.
	Failed func(error)
}

// ServeDNS answers one message.
func (h *Handler) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	network := w.RemoteAddr().Network()
	reply, err := h.answer(query, network)
	if err != nil {
		reply = new(dns.Msg).SetRcode(query, dns.RcodeServerFailure)
		if h.Failed != nil {
			h.Failed(err)
		}
	}
	reply.RecursionAvailable = len(h.Upstreams) > 0
	size := dns.MaxMsgSize
	if network == "udp" {
		size = dns.MinMsgSize
	}
	if option := query.IsEdns0(); option != nil {
		if network == "udp" {
			size = max(size, int(option.UDPSize()))
		}
		if reply.IsEdns0() == nil {
			reply.SetEdns0(udpSize, false)
		}
	}
	reply.Truncate(size)
	// A client that went away needs no answer.
	_ = w.WriteMsg(reply)
}

func (h *Handler) answer(query *dns.Msg, network string) (*dns.Msg, error) {
	switch {
	case query.Opcode != dns.OpcodeQuery:
		return new(dns.Msg).SetRcode(query, dns.RcodeNotImplemented), nil
	case len(query.Question) != 1:
		return new(dns.Msg).SetRcode(query, dns.RcodeFormatError), nil
	case query.Question[0].Qclass != dns.ClassINET:
		return new(dns.Msg).SetRcode(query, dns.RcodeRefused), nil
	}
	zones, err := h.Zones()
	if err != nil {
		return nil, fmt.Errorf("read the hosted zones: %w", err)
	}
	if zone := closest(zones, fqdn(query.Question[0].Name)); zone != nil {
		return h.fromZones(zones, zone, query, network)
	}
	return h.forward(query, network)
}

// fromZones answers from the zone. An alias is followed into other zones and, for a client that wants the whole answer
// (a host's own resolver library does), out of them.
func (h *Handler) fromZones(zones []Zone, zone *Zone, query *dns.Msg, network string) (*dns.Msg, error) {
	reply := new(dns.Msg).SetReply(query)
	reply.Authoritative = true
	asked := query.Question[0]
	name, followed := fqdn(asked.Name), map[string]bool{}
	for range longestChain {
		records, exists, err := zone.lookup(name)
		if err != nil {
			return nil, err
		}
		found, alias := match(records, asked.Qtype)
		reply.Answer = append(reply.Answer, found...)
		followed[name] = true
		switch {
		case len(found) == 0 && !exists:
			reply.Rcode = dns.RcodeNameError
			fallthrough
		case len(found) == 0:
			reply.Ns = []dns.RR{zone.soa()}
			return reply, nil
		case alias == "":
			return reply, nil
		case followed[alias]:
			return nil, fmt.Errorf("answer %s: its aliases form a loop through %s", asked.Name, alias)
		}
		name = alias
		if zone = closest(zones, name); zone == nil {
			return reply, h.addForwarded(reply, query, name, network)
		}
	}
	return nil, fmt.Errorf("answer %s: more than %d aliases follow one another", asked.Name, longestChain)
}

// match gives the records that answer a question of the type, and the name to go on with where they are an alias.
func match(records []dns.RR, qtype uint16) (found []dns.RR, alias string) {
	for _, record := range records {
		if kind := record.Header().Rrtype; kind == qtype || qtype == dns.TypeANY {
			found = append(found, record)
		}
	}
	if len(found) > 0 {
		return found, ""
	}
	for _, record := range records {
		if cname, ok := record.(*dns.CNAME); ok {
			return []dns.RR{cname}, fqdn(cname.Target)
		}
	}
	return nil, ""
}

// addForwarded completes an answer whose alias points out of the zones.
func (h *Handler) addForwarded(reply, query *dns.Msg, name, network string) error {
	if !query.RecursionDesired || len(h.Upstreams) == 0 {
		return nil
	}
	rest, err := h.forward(new(dns.Msg).SetQuestion(name, query.Question[0].Qtype), network)
	if err != nil {
		return err
	}
	reply.Answer = append(reply.Answer, rest.Answer...)
	reply.Ns, reply.Rcode = rest.Ns, rest.Rcode
	return nil
}

// forward asks the upstream resolvers in their order; the first that answers, be it with an error code, decides.
func (h *Handler) forward(query *dns.Msg, network string) (*dns.Msg, error) {
	if len(h.Upstreams) == 0 {
		return new(dns.Msg).SetRcode(query, dns.RcodeRefused), nil
	}
	client := &dns.Client{Net: network, Timeout: forwardTimeout, UDPSize: dns.DefaultMsgSize}
	var failures []error
	for _, upstream := range h.Upstreams {
		reply, _, err := client.Exchange(query, upstream)
		if err == nil {
			return reply, nil
		}
		failures = append(failures, fmt.Errorf("forward %s to %s: %w", query.Question[0].Name, upstream, err))
	}
	return nil, errors.Join(failures...)
}
