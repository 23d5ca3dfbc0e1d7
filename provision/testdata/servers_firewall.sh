#!/usr/bin/env bash
# Tells what hosts of the network reach of the first of several servers, with the packet filter $1 and iptables' rules of file $2, in
# network namespaces of its own: of the server itself, and of a container in each of two networks.
set -euo pipefail
mount -t tmpfs none /run
mkdir -p /run/netns

# attach NAME BRIDGE ADDRESS GATEWAY puts a namespace on a bridge.
attach() {
  ip netns add "$1"
  ip link add "end-$1" type veth peer name eth0 netns "$1"
  ip link add "$2" type bridge
  ip link set "end-$1" master "$2" up
  ip addr add "$4/24" dev "$2"
  ip link set "$2" up
  ip -n "$1" addr add "$3/24" dev eth0
  ip -n "$1" link set eth0 up
  ip -n "$1" route add default via "$4"
}

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

# ask WHAT NAMESPACE FROM ADDRESS PORT says whether what is asked for is reached.
ask() {
  ip netns exec "$2" python3 -c 'import socket, sys
try: socket.create_connection(sys.argv[3:5], 1, (sys.argv[2], 0)).close(); print(sys.argv[1] + ": reached")
except OSError: print(sys.argv[1] + ": closed")' "$1" "$3" "$4" "$5"
}

main() {
  local rule port from
  mkfifo /run/up
  ip link set lo up
  sysctl -q -w net.ipv4.ip_forward=1
  ip netns add network
  ip link add up0 type veth peer name eth0 netns network
  ip addr add 10.0.0.1/16 dev up0
  ip link set up0 up
  for from in 10.0.1.2 10.0.9.9; do ip -n network addr add "$from/16" dev eth0; done
  ip -n network link set eth0 up
  ip -n network route add default via 10.0.0.1
  attach reach berth-reach 100.64.20.10 100.64.20.1
  attach other br-other 172.18.0.2 172.18.0.1
  iptables -N DOCKER-USER
  iptables -I FORWARD -j DOCKER-USER
  while read -r rule; do
    # shellcheck disable=SC2086 # its words
    iptables $rule
  done <"$2"
  # As Docker publishes a port.
  iptables -t nat -A PREROUTING -d 10.0.0.1 -p tcp --dport 5000 -j DNAT --to-destination 172.18.0.2:5432
  nft --file "$1"
  serve "" 22 80 5001
  serve reach 5432
  serve other 5432
  for port in 22 80 5001; do
    ask "port $port from a web server" network 10.0.1.2 10.0.0.1 "$port"
    ask "port $port from an operator" network 10.0.9.9 10.0.0.1 "$port"
  done
  ask "what is for web servers" network 10.0.1.2 100.64.20.10 5432
  ask "another network's container" network 10.0.1.2 172.18.0.2 5432
  ask "its published port" network 10.0.1.2 10.0.0.1 5000
  serve network 80
  ask "the network from another network's container" other 172.18.0.2 10.0.1.2 80
  ask "the network through what is for web servers" reach 100.64.20.10 10.0.1.2 80
}

trap 'jobs -p | xargs kill' EXIT
main "$@"
