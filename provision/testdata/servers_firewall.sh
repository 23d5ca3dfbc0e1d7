#!/usr/bin/env bash
# Tells what hosts of the network reach of the first of several servers, with the packet filter $1 and iptables' rules of file $2, in
# network namespaces of its own: of the server itself, and of a container in each of two networks.
set -euo pipefail
# shellcheck source=provision/testdata/namespaces.sh
source "${0%/*}/namespaces.sh"

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

main() {
  local rule port from
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
    ask "port $port from a web server" network 10.0.0.1 "$port" 10.0.1.2
    ask "port $port from an operator" network 10.0.0.1 "$port" 10.0.9.9
  done
  ask "what is for web servers" network 100.64.20.10 5432 10.0.1.2
  ask "another network's container" network 172.18.0.2 5432 10.0.1.2
  ask "its published port" network 10.0.0.1 5000 10.0.1.2
  serve network 80
  ask "the network from another network's container" other 10.0.1.2 80 172.18.0.2
  ask "the network through what is for web servers" reach 10.0.1.2 80 100.64.20.10
}

main "$@"
