#!/usr/bin/env bash
# Makes nginx the edge: HTTP answers, HTTPS answers with the best certificate there is, unknown hosts get nothing.
set -euo pipefail
# shellcheck source=provision/scripts/lib.sh
source /opt/berth/lib.sh
# shellcheck source=provision/scripts/release/plan.sh
source /opt/berth/release/plan.sh
# shellcheck source=provision/scripts/release/upstreams.sh
source /opt/berth/release/upstreams.sh
# shellcheck source=provision/scripts/release/lock.sh
source /opt/berth/release/lock.sh

# remember_connections makes room for them in the kernel. nginx keeps connections to the app, and above what it keeps a request is one
# of its own, whose port rests for a minute when it ends: from 470 such a second on there would be none left, were they not used again.
# The kernel also follows each on its way to the container, for two minutes after its end; with 1 GB of memory its table has room for
# fewer than 8000 (memory / 16384 / 8: Documentation/networking/nf_conntrack-sysctl), which 30 requests a second fill, and
# what is not in it is dropped. 65536 of them take 20 MB while they are there.
remember_connections() {
  # Without the module its settings do not exist yet when a server starts.
  put /etc/modules-load.d/berth.conf 0644 <<<nf_conntrack
  # A dash: in a container the size is the machine's.
  put /etc/sysctl.d/61-berth-edge.conf 0644 <<'EOF'
net.ipv4.tcp_tw_reuse = 1
net.netfilter.nf_conntrack_tcp_timeout_time_wait = 30
-net.netfilter.nf_conntrack_max = 65536
-net.netfilter.nf_conntrack_buckets = 65536
EOF
  sysctl --quiet --load /etc/sysctl.d/61-berth-edge.conf
}

# widen raises Debian's limit of 768 connections a worker, which one visitor could exhaust. Each takes a file, and with the
# app behind it two.
widen() {
  local file=/etc/nginx/nginx.conf limit='worker_connections 8192;'
  [ -e /etc/nginx/modules-enabled/10-berth.conf ] || put_nginx /etc/nginx/modules-enabled/10-berth.conf <<<$'worker_rlimit_nofile 20000;\npcre_jit on;'
  if grep -F "$limit" "$file" >/dev/null; then return; fi
  local text
  read_text text sed -E "s/worker_connections +[0-9]+;/$limit/" "$file"
  put_nginx "$file" <<<"$text"
  grep -F "$limit" "$file" >/dev/null ||
    fail worker-connections-missing "$file has no line worker_connections to raise; put Debian's own file back: sudo apt-get install --reinstall -o Dpkg::Options::=--force-confnew -o Dpkg::Options::=--force-confask nginx-common"
}

# bound_spool has nginx write what visitors make it write to file systems of their own; without them it does not start.
bound_spool() {
  put /etc/systemd/system/berth-spool.service 0644 <<EOF
[Unit]
Description=Bound what visitors have nginx write
Before=nginx.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/opt/berth/edge/spool.sh
ExecReload=/opt/berth/edge/spool.sh

[Install]
WantedBy=multi-user.target
EOF
  put /etc/systemd/system/nginx.service.d/berth.conf 0644 <<EOF
[Unit]
Requires=berth-spool.service
After=berth-spool.service
EOF
  systemctl daemon-reload
  systemctl enable --quiet berth-spool.service
  systemctl reload-or-restart berth-spool.service
}

# point_nginx has nginx find the release that serves, now and before it starts after a reboot.
point_nginx() {
  put /etc/systemd/system/berth-slots.service 0644 <<EOF
[Unit]
Description=Point nginx at the release that serves
Before=nginx.service
RequiresMountsFor=$DATA

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/opt/berth/edge/slots.sh

[Install]
WantedBy=multi-user.target
EOF
  systemctl daemon-reload
  systemctl enable --quiet berth-slots.service
  systemctl restart berth-slots.service
}

# route_names has nginx know the site's names of now with the routes of the release that serves. A release that is
# under way is awaited.
route_names() {
  local folder serving before
  take_lock "the edge step"
  read_text serving readlink "$RELEASES/current"
  write_routes folder 1 "$serving"
  before=$(readlink "$INCLUDED/now" || true)
  include_routes "$folder"
  if ! nginx -t -q; then
    [ -z "$before" ] || include_routes "$before"
    fail nginx-names-refused "nginx refuses the names of the site with the routes of $serving (the lines above say where); what is served now stays; look with: pulumi config get berth:aliases"
  fi
  apply_nginx
  exec 8>&-
}

# provide_routes leaves nginx something to include before it has the site's configuration.
provide_routes() {
  local folder serving
  [ ! -e "$INCLUDED/now/servers.conf" ] || return 0
  read_text serving readlink "$RELEASES/current"
  write_routes folder 1 "$serving"
  include_routes "$folder"
}

# write_users writes who may log in, with hashed passwords: for root and nginx alone, and before nginx asks.
write_users() {
  local file=/etc/nginx/berth/users name password hash text="" pairs
  pairs=$(jq -r 'to_entries[] | .key, .value' <<<"$USERS") || fail users-unreadable "the users cannot be read (the lines above say why); run 'pulumi up' again"
  while IFS= read -r name && IFS= read -r password; do
    [ -n "$name" ] || continue
    read_text hash openssl passwd -6 -stdin <<<"$password"
    text+="$name:$hash"$'\n'
  done <<<"$pairs"
  put "$file.next" 0600 < <(printf '%s' "$text")
  chown root:www-data "$file.next"
  chmod 0640 "$file.next"
  mv "$file.next" "$file"
}

# know_proxies has nginx find the networks of the vendors in PROXIES, and a timer keep them up to date.
know_proxies() {
  local -a vendors=()
  read -r -a vendors <<<"$PROXIES"
  # The names are Berth's own.
  if [ "${#vendors[@]}" -gt 0 ]; then
    /opt/berth/edge/proxies.sh provide "${vendors[@]}"
    timer berth-proxies "Refresh the networks of trusted proxies" "/opt/berth/edge/proxies.sh refresh ${vendors[*]}" 40 4 3600
  elif [ -e /etc/systemd/system/berth-proxies.timer ]; then
    systemctl disable --quiet --now berth-proxies.timer
    rm -f /etc/systemd/system/berth-proxies.timer /etc/systemd/system/berth-proxies.service
    systemctl daemon-reload
  fi
}

main() {
  local file
  step_settings DOMAIN NGINX NGINX_SERVER HOSTNAMES:object CERTIFICATE:object ACCOUNT_BINDING ACME_ROOTS USERS:object PROXIES OWN
  # What nginx's workers read; a file with a secret in it has its own mode.
  umask 022
  rm -f /etc/nginx/sites-enabled/default
  install -d -m 0755 /etc/nginx/berth /var/lib/berth/acme/.well-known/acme-challenge /var/lib/berth/pages
  put /var/lib/berth/pages/starting.html 0644 <"/opt/berth/edge/starting.html"
  put /var/lib/berth/pages/maintenance.html 0644 <"/opt/berth/edge/maintenance.html"
  put "$BERTH_ETC/certificate.json" 0600 <<<"$CERTIFICATE"
  if [ -n "$ACCOUNT_BINDING" ]; then put "$BERTH_ETC/account-binding.ini" 0600 <<<"$ACCOUNT_BINDING"; else rm -f "$BERTH_ETC/account-binding.ini"; fi
  put "$BERTH_ETC/acme-roots.pem" 0644 <<<"$ACME_ROOTS"
  put "$HOSTS" 0600 <<<"$HOSTNAMES"
  /opt/berth/ssl-manager.sh placeholder
  # What nginx serves is a folder on the volume, so that a replaced server serves what the one before did.
  install -d -m 0700 "$RELEASES" "$RELEASES/starting" "$INCLUDED"
  [ -e "$RELEASES/current" ] || ln -sfn starting "$RELEASES/current"
  provide_routes
  point_nginx
  bound_spool
  write_users
  know_proxies
  # They need one another: the site's servers, which a replaced server finds on the volume, include the files, and these use what the
  # site defines. Where they are not there yet, nothing includes them yet either.
  for file in proxy grpc; do
    [ -e "/etc/nginx/berth/$file.conf" ] || put "/etc/nginx/berth/$file.conf" 0644 <"/opt/berth/edge/$file.conf"
  done
  [ -e /etc/nginx/berth/server.conf ] || put /etc/nginx/berth/server.conf 0644 <<<"$NGINX_SERVER"
  # A file of its own, so that nginx names the lines of the setting.
  if [ -n "$OWN" ]; then put_checked /etc/nginx/berth/own.conf "nginx (own.conf is the setting berth:nginx)" nginx -t -q <<<"$OWN"; fi
  # nginx takes them up once, with the routes.
  put_checked /etc/nginx/conf.d/berth.conf nginx nginx -t -q <<<"$NGINX"
  put_checked /etc/nginx/berth/server.conf nginx nginx -t -q <<<"$NGINX_SERVER"
  [ -n "$OWN" ] || rm -f /etc/nginx/berth/own.conf
  for file in proxy grpc; do put_checked "/etc/nginx/berth/$file.conf" nginx nginx -t -q <"/opt/berth/edge/$file.conf"; done
  route_names
  remember_connections
  widen
  # shellcheck disable=SC2310 # await runs one command
  await 30 curl --silent --fail --output /dev/null --max-time 5 --header "Host: $DOMAIN" http://127.0.0.1/ ||
    fail nginx-not-answering "nginx does not answer on port 80; look with: systemctl status nginx"
  say "nginx answers on ports 80 and 443"
}

main "$@"
