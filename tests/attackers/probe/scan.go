package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// scanned is what the ports of an address said. Refused ports say that packets get there, silent ones that they do not.
type scanned struct {
	Address         string
	Open            []int
	Refused, Silent int
	// UDP ports that answered, and how many refused.
	UDP        []int
	UDPRefused int
}

const (
	ports      = 65535
	wellKnown  = 1024
	atOnce     = 6000
	answersFor = time.Second
)

// udp are the services one would rather not find: DNS, DHCP, NTP, SNMP, QUIC, mDNS, LLMNR, memcached.
var udp = []int{53, 67, 123, 161, 443, 5353, 5355, 11211}

func scanAll(ctx context.Context, addresses []string) error {
	var found []scanned
	for _, address := range addresses {
		found = append(found, scan(ctx, address))
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func scan(ctx context.Context, address string) scanned {
	result := scanned{Address: address, Open: []int{}, UDP: []int{}}
	awaitNetwork(ctx, address)
	var lock sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for port := 1; port <= ports; port++ {
		slots <- struct{}{}
		all.Add(1)
		go func() {
			defer func() { <-slots; all.Done() }()
			err := ask(ctx, address, port, answersFor)
			if port < wellKnown && silent(err) {
				// A busy machine answers late, and what is missed here would be taken for closed.
				err = ask(ctx, address, port, answersFor*5)
			}
			lock.Lock()
			defer lock.Unlock()
			switch {
			case err == nil:
				result.Open = append(result.Open, port)
			case silent(err):
				result.Silent++
			default:
				result.Refused++
			}
		}()
	}
	all.Wait()
	for _, port := range udp {
		switch err := askUDP(ctx, net.JoinHostPort(address, strconv.Itoa(port))); {
		case err == nil:
			result.UDP = append(result.UDP, port)
		case errors.Is(err, syscall.ECONNREFUSED):
			result.UDPRefused++
		}
	}
	slices.Sort(result.Open)
	return result
}

func ask(ctx context.Context, address string, port int, patience time.Duration) error {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func silent(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// awaitNetwork waits, for a few seconds at most, until something answers at the address: a network that was just made takes
// a moment.
func awaitNetwork(ctx context.Context, address string) {
	for range 5 {
		conn, err := (&net.Dialer{Timeout: answersFor}).DialContext(ctx, "tcp", net.JoinHostPort(address, "443"))
		if err == nil {
			_ = conn.Close()
			return
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		time.Sleep(answersFor / 5)
	}
}

func askUDP(ctx context.Context, target string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", target)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(answersFor)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}
