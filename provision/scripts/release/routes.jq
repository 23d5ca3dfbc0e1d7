# What nginx has to know: {upstreams, servers}, two texts. The input is the release that serves and the one that comes next, each
# {slot, routes: [{host, path, upstream, …}]}; nothing before the first. $first is the first loopback port of slot 0, $slots the highest
# slot, $site[0] the names of the site: {names, hosts, redirects}, and $access the routes of the settings as they are now: access belongs
# to the settings, not to a release.
#
# A release's ports follow from its slot, so the text is the same for releases of the same routes, and nginx need not be reloaded
# from one to the other. A slot that neither of the two has gets the routes of the one that comes next.
include "hosts";

# Where nothing answers yet, and where a release has no such path: servers of nginx's own, in the site's configuration.
def starting: 18480;
def missing: 18481;

# A path without its slash at the end, as a regular expression.
def pattern: rtrimstr("/") | gsub("\\."; "\\.");

def grpc: .protocol == "grpc";
def streamed: grpc or .buffering == false;

# The zone of a route's rate, and the seconds until an address has one more request.
def rate: "berth_rate_\(.host // "")\(.path)_\(.rateLimit.requests)_\(.rateLimit.per)";
def again: .rateLimit // {requests: 1, per: "second"} | if .per == "minute" then 60 / .requests | ceil else 1 end;

# directives are nginx's of a route, one a line, in its location. The input is the whole route, with every option
# that the plan has. Two releases with other directives at a path have a location each, so that each option counts for its own.
def directives: [
    if grpc then "include /etc/nginx/berth/grpc.conf;" else "include /etc/nginx/berth/proxy.conf;" end,
    # A stream of gRPC has no end that one knows of.
    if .maxBody then "client_max_body_size \(.maxBody)m;" elif grpc then "client_max_body_size 0;" else empty end,
    if .rateLimit then "limit_req zone=\(rate) " + (if .rateLimit.burst > 1 then "burst=\(.rateLimit.burst - 1) " else "" end) + "nodelay;", "limit_req_status 429;" else empty end,
    # One of them at a location replaces all of the site's.
    if .maxBody or .rateLimit then
      "error_page 413 " + (if .maxBody then "/@berth/large/\(.maxBody)" else "/@berth/large" end) + ";", "error_page 429 /@berth/busy/\(again);", "error_page 500 =503 /@berth/full;", "error_page 502 /@berth/broken;", "error_page 504 /@berth/silent;"
    else empty end,
    # The server's own checks come from loopback.
    if .allowFrom then "allow 127.0.0.1;", "allow ::1;", (.allowFrom[] | "allow \(.);"), "deny all;" else empty end,
    if .auth == false then "auth_basic off;" else empty end,
    if .timeout then (if grpc then "grpc" else "proxy" end | "\(.)_read_timeout", "\(.)_send_timeout") + " \(.timeout)s;" else empty end,
    # What waits on no file system has no share of one, and the visitor may be as silent as the app.
    if streamed then "set $berth_streamed yes;", (.timeout // empty | "client_body_timeout \(.)s;") else empty end,
    if grpc then empty elif .buffering == false then "proxy_request_buffering off;" elif .buffering then "proxy_buffering on;" else empty end,
    # The path without its beginning, decoded; nginx sends this one where rest is empty.
    (select(.stripPrefix) | "rewrite ^(?:/@berth/[0-9]+/[0-9]+)?\(.path | pattern)(?:/+(.*))?$ /$1 break;"),
    "\(if grpc then "grpc" else "proxy" end)_set_header X-Forwarded-Prefix \"\(if .stripPrefix then .path | rtrimstr("/") else "" end)\";"
  ];

# What nginx sends for the path: nothing for the path as the visitor sent it, or as it was rewritten.
def rest: if .stripPrefix and (grpc | not) then "$berth_rest_\(.strip)" else "" end;

# stripped gives the path and query of a request without what a route takes away, as the visitor encoded them, for what nginx puts into
# proxy_pass. It is empty where the visitor wrote the path in another way than the route has it, or with dots between slashes:
# nginx has understood that already.
def stripped: "map $request_uri $berth_rest_\(.key) {\n\tdefault \"\";\n"
  + "\t\"~*^[^?#]*(?:/|%2f)(?:\\.|%2e){1,2}(?:/|%2f|[?#]|$)\" \"\";\n"
  + "\t\"~^\(.value | pattern)(?<berth_query>\\?.*)?$\" \"/$berth_query\";\n"
  + "\t\"~^\(.value | pattern)/+(?<berth_rest>.*)$\" \"/$berth_rest\";\n}\n";

# Where a route leads, by the slot of its release. $strips are the paths that are taken away.
def shape($strips): ($first + 100 * .slot) as $base
  | .routes |= map(.path |= folder
    | .strip = (.path as $path | $strips | index($path))
    | .offset = if .upstream >= $base and .upstream < $base + 100 then .upstream - $base else null end);

# The one of some routes for path $path, the longest that begins it; null for none.
def route($path): map(select(.path as $own | $path | startswith($own))) | max_by(.path | length);

# A release's route for path $path, with the access that the settings have for the path: $now are those of its host. Where they do not have
# the path, the release's own counts.
def accessible($path; $now): if . == null then null else . as $route
  | (first($now[] | select((.path | folder) == $path)) // $route) as $of | .allowFrom = $of.allowFrom | .auth = $of.auth end;

# The loopback ports of a route in slot $slot, one for each replica. On a web server the upstream may be a container on the first one.
def ports($slot): if . == null then [missing] elif .address then [.address] else (if .offset == null then .upstream else $first + 100 * $slot + .offset end) as $port
  | [range($port; $port + (.replicas // 1))] end;

# Idle connections end after a second, before any app ends them itself: a request on one that the app has just closed would fail.
# Open ones to a release that no longer serves are then requests, which are awaited.
# A replica that takes no connections costs a request nothing: it goes on to the next one. After five of them it is not asked for a
# second; for longer, or after fewer, and a few requests that an app hangs up on would take all of its replicas away from everybody.
def server($more): "\tserver \(if type == "number" then "127.0.0.1:" else "" end)\(.)\(if $more then " max_fails=5 fail_timeout=1s" else "" end);\n";
def upstream($name; $ports): "upstream \($name) {\n\($ports | map(server($ports | length > 1)) | add)\tkeepalive 64;\n\tkeepalive_timeout 1s;\n}\n";

# How a route's requests go on to upstream $number; $inner says that nginx has rewritten the path.
def pass($number; $inner):
  if grpc then if $inner and (.stripPrefix | not) then "rewrite ^/@berth/[0-9]+/[0-9]+(/.*)$ $1 break;" else empty end, "grpc_pass grpc://berth_${berth_slot}_\($number);"
  else "proxy_pass http://berth_${berth_slot}_\($number)\(rest | if . == "" and $inner then "$request_uri" else . end);" end;

# A location with these lines.
def location($lines): "location \(.) {\n" + ($lines | map("\t\(.)\n") | add) + "}\n";

# An address has half of the space for bodies (provision/nginx.go) for large ones, whatever route they are for: as many at a time as
# fit of the largest.
def share: [.[].routes[] | select(streamed | not) | .maxBody // empty] | max
  | if . == null then "" else "limit_conn_zone $berth_large zone=berth_routes:10m;\nlimit_conn berth_routes \(512 / . | floor);\n" end;

def rates: [.[].routes[] | select(.rateLimit) | "limit_req_zone $berth_rated zone=\(rate):10m rate=\(.rateLimit.requests)r/\(.rateLimit.per[:1]);\n"] | unique | add // "";

# The two ways in which a path is asked for.
def ways: ., if . == "/" then empty else "= " + rtrimstr("/") end;

# The locations and upstreams of a path of some names: the input is {number, path, routes: [{slot, route}]}.
def at: . as {$number, $path, $routes}
  | ($routes | map(.route //= {} | . + (.route | {lines: directives, rest: rest}))) as $its
  | ($its[-1] // ({} | {route: ., lines: directives, rest: rest})) as $next
  | {upstreams: (upstream("berth_starting_\($number)"; [starting])
      + ([if $its == [] then empty else range(1; $slots + 1) end | . as $slot
          | ([$routes[] | select(.slot == $slot)][0] // $routes[-1]).route | upstream("berth_\($slot)_\($number)"; ports($slot))] | add // ""))}
  + if all($its[]; .lines == $next.lines and .rest == $next.rest) then
      {locations: ([$path | ways | location([$next.route | pass($number; false)] + $next.lines)] | add)}
    else
      # Which of the two it is, says the slot; the location after the next has the limit of a body. A path with an @ is no route's.
      {locations: ([($path | ways | location(["client_max_body_size 0;", "rewrite ^ /@berth/\($number)/$berth_of_\($number)$uri last;"])),
        ($its[] | [.route | pass($number; true)] as $pass | .lines as $lines | "^~ /@berth/\($number)/\(.slot)/" | location(["internal;"] + $lines + $pass))] | add),
       maps: "map $berth_slot $berth_of_\($number) {\n\tdefault \($next.slot);\n\t\($its[0].slot) \($its[0].slot);\n}\n"}
    end;

$site[0] as $site
| ([.[].routes[] | select(.stripPrefix) | .path | folder] | unique) as $strips
| map(shape($strips)) as $releases
# Each name that has routes of its own is a server, and so are those that have none, and those that nothing is released for yet. A
# name that the settings no longer have is none, whatever release has routes for it. What redirects is in the site's configuration.
| ([$releases[].routes[].host // empty] | unique | map(select(IN($site.names[], $site.hosts[])))) as $own
| [($site.names - $own | {names: ., host: .[0]}), ($own[] | {names: [.], host: .}), ($site.hosts - $own - $site.names | {names: ., host: .[0]}) | select(.names != [])
    | . as {$host, $names}
    | [$releases[] | {slot, routes: (.routes | of_host($host; $site.names))}] as $its
    # A path of the settings' own may be closed, whether or not the release has a route for it.
    | ($access | of_host($host; $site.names)) as $now
    | ([$its[].routes[].path, ($now[].path | folder), "/"] | unique)[] as $path
    | {$names, $path, routes: [$its[] | {slot, route: (.routes | route($path) | accessible($path; $now))}]}]
| to_entries | map(.value + {number: .key} | . + at)
| {upstreams: ([($strips | to_entries[] | stripped), (.[] | .maps // "", .upstreams), ($releases | share, rates)] | add),
   servers: (group_by(.names) | map("server {\n\tserver_name \(.[0].names | join(" "));\n\tinclude /etc/nginx/berth/server.conf;\n\(map(.locations) | add)}\n") | add)}
