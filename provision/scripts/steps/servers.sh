#!/usr/bin/env bash
# Has this be the first of several servers: with a registry for the images of the others, a network by which they reach its data, and a
# service that has them join.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/servers/members.sh
source /opt/berth/servers/members.sh
# shellcheck source=provision/scripts/servers/images.sh
source /opt/berth/servers/images.sh
# shellcheck source=provision/scripts/servers/reach.sh
source /opt/berth/servers/reach.sh

# run_unit has unit $1, described by $2, be what standard input says below [Service], and run; $3 are further lines of [Unit].
run_unit() {
  local text
  read_text text cat
  put "/etc/systemd/system/$1.service" 0644 <<EOF
[Unit]
Description=$2
$3

[Service]
$text

[Install]
WantedBy=multi-user.target
EOF
  systemctl daemon-reload
  systemctl enable --quiet "$1.service"
  systemctl restart "$1.service"
}

# provide_registry has Debian's registry listen for this server alone. Debian's own service, which would listen for everybody, never runs.
provide_registry() {
  systemctl mask --quiet docker-registry.service
  if ! command -v docker-registry >/dev/null; then
    say "installing docker-registry"
    # shellcheck disable=SC2310 # await runs one command
    await 120 apt-get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update ||
      fail debian-archive-not-answering "Debian's archive does not answer (the lines above say why); look with: sudo apt-get update"
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 --no-install-recommends install docker-registry ||
      fail packages-not-installed "the packages do not install (the lines above say why); look with: sudo apt-get install docker-registry"
  fi
  put "$REGISTRY_SETTINGS" 0644 <<EOF
version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: $REGISTRY_DATA
  delete:
    enabled: true
http:
  addr: $REGISTRY
EOF
  install -d -o docker-registry -g docker-registry -m 0700 "$REGISTRY_DATA"
  # Another server has the volume under other numbers.
  chown -R docker-registry:docker-registry "$REGISTRY_DATA"
  run_unit berth-registry "Images for web servers" "After=network.target
RequiresMountsFor=$DATA" <<EOF
User=docker-registry
ExecStart=/usr/bin/docker-registry serve $REGISTRY_SETTINGS
Restart=always
RestartSec=2
NoNewPrivileges=true
EOF
  # shellcheck disable=SC2310 # await runs one command
  await 30 curl --silent --fail --output /dev/null --max-time 5 "http://$REGISTRY/v2/" ||
    fail registry-not-answering "the registry for web servers does not answer on $REGISTRY; look with: sudo journalctl -u berth-registry -n 30"
}

# open_reach has web servers reach the network, now and after a boot, and what is not for it nothing of this server.
open_reach() {
  local links six="" rules
  make_reach "$REACH"
  # What containers answer leaves by another interface than the question's.
  put /etc/sysctl.d/62-berth-servers.conf 0644 <<<"net.ipv4.conf.all.rp_filter = 2"
  sysctl --quiet --load /etc/sysctl.d/62-berth-servers.conf
  # A VPC has 56 bits of IPv6. Source: VPC User Guide, "VPC CIDR blocks".
  read_text links ip -json -6 addr show scope global
  six=$(jq -r '[.[] | select(.ifname | test("^(en|eth)")) | .addr_info[]?.local] | first // empty | "ip6 saddr \(.)/56 jump from_network"' <<<"$links")
  # shellcheck disable=SC2153 # step_settings sets it
  read_text rules host_rules "$NETWORK" "$six" "$OPERATORS"
  put "$BERTH_ETC/servers.nft" 0644 <<<"$rules"
  nft --check --file "$BERTH_ETC/servers.nft" || fail firewall-rules-unknown "this kernel does not know the firewall's rules (the lines above say which); boot Debian's own kernel"
  nft_service berth-servers-firewall "Keep web servers from the first server's own services" "$BERTH_ETC/servers.nft" "docker.service nginx.service"
  run_unit berth-reach "Let web servers reach what runs on the first server alone" "Requires=docker.service
After=docker.service
PartOf=docker.service" <<EOF
Type=oneshot
RemainAfterExit=yes
ExecStart=/opt/berth/servers.sh rules
EOF
}

main() {
  local text
  step_settings GROUP TARGET_GROUP REGION REACH NETWORK OPERATORS:array FLEET_KEY WEB_HOST_KEY MIN:number FIRST:boolean BALANCER EDGE:object
  umask 022
  install -d -m 0700 "$FLEET" "$SERVERS"
  # The step edge of web servers gets what that of this server had.
  put "$BERTH_ETC/edge-settings.json" 0600 <<<"$EDGE"
  put "$FLEET/key" 0600 <<<"$FLEET_KEY"
  put "$FLEET/known_hosts" 0600 <<<"berth-web $WEB_HOST_KEY"
  # shellcheck disable=SC2016 # jq's variables
  read_text text jq -n '$ARGS.named' --arg GROUP "$GROUP" --arg TARGET_GROUP "$TARGET_GROUP" --arg REGION "$REGION" --arg REACH "$REACH" --arg NETWORK "$NETWORK" --arg BALANCER "$BALANCER" \
    --argjson MIN "$MIN" --argjson FIRST "$FIRST"
  provide_registry
  # From here on a release is one of several servers.
  put "$BERTH_ETC/servers.json" 0600 <<<"$text"
  open_reach
  run_unit berth-servers "Have web servers join" "After=network-online.target docker.service berth-reach.service berth-registry.service
Wants=network-online.target
StartLimitIntervalSec=0
RequiresMountsFor=$DATA" <<EOF
ExecStart=/opt/berth/servers.sh watch
StandardOutput=append:/var/log/berth/servers.log
StandardError=inherit
Restart=always
RestartSec=5
EOF
  say "this is the first of several servers, and waits for the others"
}

main "$@"
