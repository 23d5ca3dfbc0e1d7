# Fills in what the server alone knows of a plan (docs/plan.md): $id is the release, $source its checkout, $base its first
# loopback port, $kept the loopback ports of persistent services as they are now, {"service:port": number}. A service with replicas has
# a row of ports, of which Docker gives each container one: a route has the first, and how many there are.
#
# A text that begins with @ is a placeholder; what the app itself has so, begins with another @.

# The loopback ports of a plan, {"service:port": number}; kept are those of persistent services.
def loopback: reduce .ports[] as $port ({all: {}, kept: {}, next: $base};
  "\($port.service):\($port.port)" as $name
  | if $port.of == "host" then .all[$name] = $port.port
    elif $port.of == "release" then ($port.replicas // 1) as $count
      | .all[$name] = (if $count == 1 then .next else "\(.next)-\(.next + $count - 1)" end) | .next += $count
    elif $port.of == "kept" then [.kept[], $kept[]] as $used
      | .kept[$name] = ($kept[$name] // first(range(19000; 20000) | select(. as $p | $used | index($p) | not)))
      | .all[$name] = .kept[$name]
    else error("the plan has a port of \($port.of), which is not known here") end);

def filled: loopback as $ports
  | walk(if type != "string" or (startswith("@") | not) then .
      elif startswith("@@") then .[1:]
      elif . == "@ID@" then $id
      elif . == "@PROJECT@" then "release-" + $id
      elif . == "@SOURCE@" or startswith("@SOURCE@/") then $source + .[8:]
      elif startswith("@PORT:") then ($ports.all[.[6:-1]] // error("the plan has no port \(.)") | tostring)
      else error("the plan has \(.), which is not known here") end)
  | .routes |= map(.upstream |= (split("-")[0] | tonumber))
  | .ports = $ports.kept;

(.persistent | map_values(filled)) as $persistent | del(.persistent) | filled | .persistent = $persistent
