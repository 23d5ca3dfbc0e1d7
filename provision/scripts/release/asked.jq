# How the routes of a release are asked, one a line: the host and the path as a visitor has them, health, service, loopback port, the
# path as the service gets it, what was taken away before it, and the protocol. The port of a container elsewhere has its address before it. The input is the plan, $site[0] the site's names; $all is whether a
# route is asked that no visitor gets to.
($site[0].names) as $names
| .routes as $routes
| $routes[]
| . as $route
# Without a host of its own a route is asked under the first name that it answers for. There may be none, of a release that is
# gone back to, and its host may be no name of the site's any more.
| ($route.host // first(($names[] | select(. as $name | $routes | of_host($name; $names) | any(. == $route))), "")) as $host
| select($all or IN($host; $names[], $site[0].hosts[]))
| (($route.health // "") | if . == "" then $route.path else . end) as $path
| (if $route.stripPrefix then $route.path | rtrimstr("/") else "" end) as $prefix
# Every replica is asked on its own.
| (if $route.address then $route.address elif $all then range($route.upstream; $route.upstream + ($route.replicas // 1)) else $route.upstream end) as $port
| [if $host == "" then $names[0] else $host end, $path, $route.health // "", $route.service, ($port | tostring),
    ($path | ltrimstr($prefix) | if startswith("/") then . else "/" + . end), $prefix, .protocol // "http"]
| join("\u001f")
