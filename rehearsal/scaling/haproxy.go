package scaling

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// HAProxy is the load balancer's program, with its files in a folder.
type HAProxy struct{ Folder string }

// Files of its folder. The container has the folder at inside.
const (
	inside     = "/var/lib/balancer"
	configFile = "haproxy.cfg"
	stateFile  = "servers.state"
	masterFile = "master.sock"
)

// stateHead are the first two lines of a file of servers' states. Source: HAProxy's management guide, "show servers state".
const stateHead = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status " +
	"srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"

// Apply writes a configuration and has HAProxy take it, while connections that are open go on where they are. One that it has
// already changes nothing.
func (h HAProxy) Apply(config string) error {
	path := filepath.Join(h.Folder, configFile)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if string(before) == config {
		return nil
	}
	if err := h.keepStates(config); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(config), 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	if before == nil {
		return nil // It waits for its first one.
	}
	answer, err := h.ask("reload")
	if err == nil && !strings.Contains(answer, "Success=1") {
		err = fmt.Errorf("HAProxy refuses its configuration: %s", strings.TrimSpace(answer))
	}
	if err != nil {
		// It is tried again.
		return errors.Join(err, os.WriteFile(path, before, 0o600))
	}
	return nil
}

// serverLine is a server with health checks in a configuration.
var serverLine = regexp.MustCompile(`^\s+server (\S+) (\S+):(\d+) .*\bcheck\b`)

// keepStates writes what a configuration's servers are like when it takes effect: as they are now, and unhealthy where they are new.
func (h HAProxy) keepStates(config string) error {
	known := map[Server]string{}
	if answer, err := h.ask("@1 show servers state"); err == nil {
		for line := range strings.Lines(answer) {
			if fields := strings.Fields(line); len(fields) > 20 && !strings.HasPrefix(line, "#") {
				known[Server{fields[1], fields[3]}] = strings.TrimSpace(line)
			}
		}
	}
	text, name, backends, servers := stateHead, "", 0, 0
	for line := range strings.Lines(config) {
		if found, is := strings.CutPrefix(line, "backend "); is {
			name, backends, servers = strings.TrimSpace(found), backends+1, 0
		}
		parts := serverLine.FindStringSubmatch(line)
		if parts == nil {
			continue
		}
		servers++
		state, has := known[Server{name, parts[1]}]
		if !has {
			// The state says, too, whether a server is spoken to by TLS.
			tls := 0
			if strings.Contains(line, " ssl verify none") {
				tls = 1
			}
			state = fmt.Sprintf("%d %s %d %s %s 0 0 1 1 0 1 0 0 6 0 0 0 - %s - %d 0 - - 0", backends, name, servers, parts[1], parts[2], parts[3], tls)
		}
		text += state + "\n"
	}
	return os.WriteFile(filepath.Join(h.Folder, stateFile), []byte(text), 0o600)
}

// worker is a line of HAProxy's list of its processes.
var worker = regexp.MustCompile(`^(\d+)\s+worker`)

// Servers tells of each server, with the connections that processes of earlier configurations still have, and of the requests of each
// process.
func (h HAProxy) Servers() (map[Server]Status, map[Counter]Requests, error) {
	processes, err := h.ask("show proc")
	if err != nil {
		return nil, nil, err
	}
	found, requests := map[Server]Status{}, map[Counter]Requests{}
	current := true
	for line := range strings.Lines(processes) {
		parts := worker.FindStringSubmatch(line)
		if parts == nil {
			continue
		}
		answer, err := h.ask("@!" + parts[1] + " show stat")
		if err != nil {
			if current {
				return nil, nil, err
			}
			continue // It has ended.
		}
		rows, err := readStats(answer)
		if err != nil {
			return nil, nil, err
		}
		addServers(found, rows, current)
		addRequests(requests, rows, parts[1])
		// The first of the list is the one of now.
		current = false
	}
	return found, requests, nil
}

// What HAProxy writes in place of a server's name, in the rows of a whole frontend or backend.
const wholeFrontend, wholeBackend = "FRONTEND", "BACKEND"

// stats is a row of a process's statistics, by its columns' names.
type stats map[string]string

func (s stats) number(column string) int {
	value, _ := strconv.Atoi(s[column])
	return value
}

// backend is the target group that a row belongs to. A server of the backend for when none is healthy is the same target.
func (s stats) backend() string { return strings.TrimSuffix(s["pxname"], anySuffix) }

// readStats reads a process's statistics.
func readStats(answer string) ([]stats, error) {
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(answer, "# ")))
	reader.FieldsPerRecord = -1
	rows, err := reader.ReadAll()
	if err == nil && len(rows) == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("read HAProxy's statistics: %w", err)
	}
	var all []stats
	for _, row := range rows[1:] {
		if len(row) != len(rows[0]) {
			continue
		}
		one := stats{}
		for i, name := range rows[0] {
			one[name] = row[i]
		}
		all = append(all, one)
	}
	return all, nil
}

// addServers adds a process's servers. Health is that of the process of now; connections are all processes'.
func addServers(found map[Server]Status, rows []stats, current bool) {
	for _, row := range rows {
		if row["svname"] == wholeFrontend || row["svname"] == wholeBackend {
			continue
		}
		key := Server{row.backend(), row["svname"]}
		status := found[key]
		status.Connections += row.number("scur")
		if current && key.Backend == row["pxname"] {
			status.Up = strings.HasPrefix(row["status"], "UP")
		}
		found[key] = status
	}
}

// addRequests adds a process's requests: those that a server was chosen for, and as errors of the load balancer's own those of a backend
// that are no server's.
func addRequests(found map[Counter]Requests, rows []stats, process string) {
	for _, row := range rows {
		key := Counter{process, row.backend()}
		switch row["svname"] {
		case wholeFrontend:
		case wholeBackend:
			found[key] = found[key].plus(Requests{Errors: row.number("hrsp_5xx")})
		default:
			found[key] = found[key].plus(Requests{Count: row.number("stot"), Errors: -row.number("hrsp_5xx")})
		}
	}
}

// ask has HAProxy's master carry out a command.
func (h HAProxy) ask(command string) (string, error) {
	connection, err := net.DialTimeout("unix", filepath.Join(h.Folder, masterFile), time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }() // Everything was read.
	if err := connection.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(connection, command+"\n"); err != nil {
		return "", err
	}
	if one, ok := connection.(*net.UnixConn); ok {
		if err := one.CloseWrite(); err != nil {
			return "", err
		}
	}
	answer, err := io.ReadAll(connection)
	return string(answer), err
}
