# Network namespaces in which a packet filter is tried. Sourced by firewall.sh and servers_firewall.sh, which run in a namespace of their own.
# shellcheck shell=bash
set -euo pipefail

mount -t tmpfs none /run
mkdir -p /run/netns
mkfifo /run/up
ip link set lo up
sysctl -q -w net.ipv4.ip_forward=1
trap 'jobs -p | xargs kill' EXIT

# serve NAMESPACE PORT... answers on ports, "" is the server.
serve() {
  local name=$1
  local -a inside=()
  shift
  [ -z "$name" ] || inside=(ip netns exec "$name")
  "${inside[@]}" python3 -c 'import socket, sys, time
ends = [socket.create_server(("", int(port))) for port in sys.argv[1:]]
print("up", flush=True)
time.sleep(600)' "$@" >/run/up &
  read -r _ </run/up
}

# ask WHAT NAMESPACE ADDRESS PORT [FROM] says whether what is asked for is reached, from address FROM of the namespace.
ask() {
  ip netns exec "$2" python3 -c 'import socket, sys
try: socket.create_connection(sys.argv[2:4], 1, (sys.argv[4], 0)).close(); print(sys.argv[1] + ": reached")
except OSError: print(sys.argv[1] + ": closed")' "$1" "$3" "$4" "${5:-}"
}
