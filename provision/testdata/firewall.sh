#!/usr/bin/env bash
# Tells what containers on networks of several kinds reach of a server with the packet filter $1, in network namespaces of its own.
set -euo pipefail
# shellcheck source=provision/testdata/namespaces.sh
source "${0%/*}/namespaces.sh"

# attach KIND NUMBER makes a namespace of the kind's name that is on a network of it: a bridge, as Docker's are, or a bare pair of
# interfaces, in place of every kind that the packet filter does not know.
attach() {
  local end=end-$1
  ip netns add "$1"
  ip link add "$end" type veth peer name eth0 netns "$1"
  if [ "$1" = bridge ]; then
    ip link set "$end" up
    ip link add bridge0 type bridge
    ip link set "$end" master bridge0
    end=bridge0
  fi
  ip addr add "10.9.$2.1/24" dev "$end"
  ip link set "$end" up
  ip -n "$1" link set lo up
  ip -n "$1" addr add "10.9.$2.2/24" dev eth0
  ip -n "$1" link set eth0 up
  ip -n "$1" route add default via "10.9.$2.1"
}

main() {
  local kind
  # The world is behind the server's own interface, and so is the metadata service.
  ip netns add world
  ip link add up0 type veth peer name eth0 netns world
  ip addr add 10.1.0.1/24 dev up0
  ip link set up0 up
  ip route add default via 10.1.0.2
  ip -n world link set lo up
  ip -n world addr add 10.1.0.2/24 dev eth0
  ip -n world addr add 169.254.169.254/32 dev lo
  ip -n world link set eth0 up
  ip -n world route add default via 10.1.0.1
  attach bridge 1
  attach veth 2
  nft --file "$1"
  serve "" 22 80
  serve world 80
  serve bridge 80
  serve veth 80
  ask "SSH from the world" world 10.1.0.1 22
  for kind in bridge veth; do
    ask "SSH from $kind" "$kind" 10.1.0.1 22
    ask "the site from $kind" "$kind" 10.1.0.1 80
    ask "metadata from $kind" "$kind" 169.254.169.254 80
    ask "the world from $kind" "$kind" 10.1.0.2 80
  done
  # As Docker does for the ports that it publishes on loopback; the container has no loopback of its own, to ask the server's.
  sysctl -q -w net.ipv4.conf.bridge0.route_localnet=1
  ip netns exec bridge sysctl -q -w net.ipv4.conf.eth0.route_localnet=1
  ip -n bridge addr del 127.0.0.1/8 dev lo
  ip -n bridge route add 127.0.0.1/32 via 10.9.1.1
  ask "the server's loopback from bridge" bridge 127.0.0.1 80
  ask "bridge from the world" world 10.9.1.2 80
  ask "veth from the world" world 10.9.2.2 80
}

main "$@"
