# What nginx has to know: {upstreams, routes}, two texts. The input is the release that serves and the one that comes next, each
# {slot, routes: [{path, upstream}]}; nothing before the first. $first is the first loopback port of slot 0, $slots the highest slot.
#
# A release's ports follow from its slot, so the text is the same for releases of the same routes, and nginx need not be reloaded
# from one to the other. A slot that neither of the two has gets the routes of the one that comes next.

# Where nothing answers yet, and where a release has no such path: servers of nginx's own, in the site's configuration.
def starting: 18480;
def missing: 18481;

# A path is that of its folder, with and without the slash at its end: /docs has /docs and /docs/page, not /docsearch.
def folder: rtrimstr("/") + "/";

def shape: ($first + 100 * .slot) as $base
  | .routes |= map(if .upstream >= $base and .upstream < $base + 100 then {offset: (.upstream - $base)} else {port: .upstream} end + {path: (.path | folder)});

# The loopback port of path $path in slot $slot, by the longest of its routes that begins it.
def port($path; $slot): [.routes[] | select(.path as $own | $path | startswith($own))] | max_by(.path | length)
  | if . == null then missing else .port // ($first + 100 * $slot + .offset) end;

# Idle connections end after a second, before any app ends them itself: a request on one that the app has just closed would fail.
# Open ones to a release that no longer serves are then requests, which are awaited.
def upstream($name; $port): "upstream \($name) {\n\tserver 127.0.0.1:\($port);\n\tkeepalive 64;\n\tkeepalive_timeout 1s;\n}\n";

map(shape) as $releases
| ([$releases[].routes[].path, "/"] | unique) as $paths
| [$paths | to_entries[] | .key as $number | .value as $path
    | upstream("berth_starting_\($number)"; starting),
      (if $releases == [] then empty else range(1; $slots + 1) end | . as $slot
        | ([$releases[] | select(.slot == $slot)][0] // $releases[-1])
        | upstream("berth_\($slot)_\($number)"; port($path; $slot)))] as $upstreams
| {upstreams: ($upstreams | add),
   routes: ([$paths | to_entries[] | .key as $number
     | (.value, if .value == "/" then empty else "= " + (.value | rtrimstr("/")) end)
     | "location \(.) {\n\tproxy_pass http://berth_${berth_slot}_\($number);\n\tinclude /etc/nginx/berth/proxy.conf;\n}\n"] | add)}
