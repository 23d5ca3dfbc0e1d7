# Says which running services write to what a service of a release is to write to, though they are not the same service.
#
# Input: what `docker inspect` prints of the containers that run. $plan, $data and $app are the release's plan.json, data.json and
# app.json, each in a list. Output: lines "PROJECT SERVICE OTHER PLACE", each once; PLACE is a volume's name or a folder's path.

# Sockets, devices and what the system itself keeps are nobody's files.
def files: test("\\.sock(et)?$|^/+(var/)?run(/|$)|^/+(dev|proc|sys)(/|$)|^/+tmp/\\.X11-unix") | not;

# What the services of a compose file write to, as {service, place}. In the file a $ is written twice, and a path may end with /.
def places: .volumes as $volumes | [.services // {} | to_entries[] | .key as $service | .value.volumes[]? | select(.read_only != true)
  | {service: $service, place: (if .type == "volume" and (.source // "") != "" then .source as $source | $volumes[$source].name // "app_\($source)"
      elif .type == "bind" then .source | gsub("\\$\\$"; "$") | sub("(?<one>.)/+$"; "\(.one)") | select(files) else empty end)}];

($data[0] | places) as $persistent | ($persistent + ($app[0] | places)) as $every
| $plan[0] as $plan
| [.[] | .Config.Labels as $labels | ($labels["com.docker.compose.project"] // "") as $project | ($labels["com.docker.compose.service"] // "") as $service
    | [.Mounts[]? | select(.RW) | if .Type == "volume" then .Name else .Source end] as $held
    | (if $project == "app" then select(IN($service; $plan.stateful[]) | not) | $every
       elif $project | startswith("release-") then select(IN($service; $plan.stateless[]) | not) | $persistent
       else empty end)
    | first(.[] | select(.place | IN($held[]))) // empty
    | "\($project) \($service) \(.service) \(.place)"]
| unique[]
