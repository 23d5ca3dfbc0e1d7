# A release as web servers have it: the services that run on every server, and the addresses of what these need of others. The input is
# the plan; $app[0] and $images[0] are the release's, $reach[0] has the addresses (servers/addresses.jq), $ids the images' IDs by
# service. Gives {plan, app, data, images}.
(.spread // []) as $spread
| def spread: IN($spread[]);
  def known: if type == "object" then to_entries | map("\(.key)=\(.value | if type == "array" then .[] else . end)") else . // [] end;
  def hosts($service): [$reach[0][] | select(any(.for[]; . == $service)) | .addresses[] as $address | .names[] | "\(.)=\($address)"];
  def source: if type == "object" then .source // .key else . end;
  .stateless -= (.stateless - $spread)
| .alone = [.alone[]? | select(spread)]
| .once = [.once[]? | select(spread)]
| .stateful = [] | .stores = [] | .databases = [] | .sqlite = [] | .join = [] | .files = [] | .ports = {} | .advice = []
| .routes |= map(if .service | spread then . else .service as $service
    | .address = ($reach[0][$service].addresses[0] // error("\($service) has no address that web servers reach") | . + ":") + "\(.port)" end)
| . as $plan
| ($app[0] | .services |= (with_entries(select(.key | spread) | .key as $service | .value |= (
      (if .depends_on | type == "object" then .depends_on |= with_entries(select(.key | spread))
       elif .depends_on | type == "array" then .depends_on |= map(select(spread)) else . end)
      | (if .links then .links |= map(select(split(":")[0] | spread)) else . end)
      | hosts($service) as $hosts
      | if $hosts == [] then . else .extra_hosts = (.extra_hosts | known) + $hosts end)))) as $own
| ([$own.services[]?.volumes[]? | select(.type == "volume") | .source] | unique) as $used
| {plan: ($plan | .volumes = [.volumes[]? | . as $name | select(any($own.volumes // {} | to_entries[]; .key as $key | ($key | IN($used[])) and (.value.name // "app_\(.key)") == $name))]),
   app: ($own | if .volumes then .volumes |= with_entries(select(.key | IN($used[]))) else . end),
   data: {name: "app", services: {}},
   images: ($images[0] | with_entries(select(.key | spread) | .value.id = ($ids[.key] // error("the image of \(.key) is not known"))))}
