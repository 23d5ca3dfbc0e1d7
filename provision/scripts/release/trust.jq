# Says what of an app would let its containers out of their own confines. The operator's machine runs it for the preview,
# the server before anything of the commit is built. What berth:allow names is let through; what allowed.json does not class,
# nothing lets through.
#
# Input: [the model that `docker compose config --format json` prints, given, the classes of allowed.json]. given has source, the
# checkout's path, root, the folder that holds it (what leads there is plan.jq's to refuse), own, the server's own networks, and
# allow and images of the settings.
# Output: a list of {service, key, allow, text}.
#
# A class of allowed.json: keys, by their paths below at, * for any name; why they are classed so. Without more they are harmless
# with every value. values is the pattern of the harmless ones, names that of the harmless names below a key; not has those of
# the schema that are known not to be. path: it has to be a file of the checkout. refuse: none is harmless. says is what is said of
# another one, allow the name that lets it through; without, nothing does.

# In jq ^ and $ are not the ends of a text with lines.
def whole($pattern): test("\\A(" + $pattern + ")\\z");
def below($folder): . == $folder or startswith($folder + "/");
def remote: test("\\A((https?|git|ssh)://|git@)");
def unset: IN(null, "", false, 0, [], {});

# The classes as a tree of keys, each class below "" of its key.
def tree: reduce .[] as $class ({}; reduce ($class.keys | splits(" ")) as $key (.;
  setpath(([$class.at, $key] | map(split(".")[] | select(. != ""))) + [""]; $class)));

# What of a value is not allowed by the classes below $node: {path, class, value}.
def refused($node; $path; outside): . as $value | $node[""] as $class
  | def found: {path: $path, class: $class, value: $value};
  if $value == null or ($class != null and ($value | unset)) then empty
  elif $class.refuse then found
  elif type == "array" then .[] | refused($node; $path; outside)
  elif type == "object" then to_entries[] | .key as $key | ($path + [$key]) as $at
    | if $class.names and ($key | whole($class.names) | not) then {path: $at, class: $class, value: .value}
      elif $key != "" and ($node | has($key)) then .value | refused($node[$key]; $at; outside)
      elif $node | has("*") then .value | refused($node["*"]; $at; outside)
      elif $node != {"": $class} and ($key | startswith("x-")) then empty
      elif $node == {"": $class} and ($class.path | not) and (.value | type | IN("object", "array") | not) then .value | refused({"": $class | del(.names)}; $at; outside)
      else {path: $at, class: null, value: .value} | select(.value != null) end
  elif $class == null then found
  elif $class.values and (tostring | whole($class.values) | not) then found
  elif $class.names and (tostring | split("=")[0] | whole($class.names) | not) then found + {path: ($path + [tostring | split("=")[0]])}
  elif $class.path and (tostring | outside) then found
  else empty end;

# What of the host a container may see: what time it is.
def harmless: .read_only == true and (.source | IN("/etc/localtime", "/etc/timezone"));

# The addresses of a network as [first, last], null for what is no IPv4.
def range: split("/") as [$address, $bits]
  | if ($address | whole("[0-9]{1,3}([.][0-9]{1,3}){3}")) and ($bits // "32" | whole("[0-9]{1,2}")) then
      (reduce ($address | split("."))[] as $part (0; . * 256 + ($part | tonumber))) as $first
      | (reduce range(32 - ($bits // "32" | tonumber)) as $i (1; . * 2)) as $size
      | [$first - $first % $size, $first - $first % $size + $size - 1]
    else null end;
def within($outer): .[0] >= $outer[0] and .[1] <= $outer[1];
def apart($other): .[1] < $other[0] or .[0] > $other[1];
# What is for private networks and none that the server is in itself. The metadata service has an address in fd00:ec2::/32.
def private($own): range as $range
  | if $range then any("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"; range as $outer | $range | within($outer))
      and all($own[]; range as $other | $other == null or ($range | apart($other)))
    else ascii_downcase | whole("f[cd][0-9a-f]{2}:[0-9a-f:]*(/([1-9][0-9]|1[01][0-9]|12[0-8]))?") and (test("\\Afd00:0?ec2:") | not) end;

# Options of a mount that stay what they are for every file system; Docker makes flags of the others, such as bind.
def mount_options: . == "" or all(split(",")[];
  whole("rw|ro|exec|noexec|suid|nosuid|dev|nodev|sync|async|dirsync|atime|noatime|diratime|nodiratime|relatime|norelatime|strictatime|lazytime|_netdev|defaults|hard|soft|intr|nointr|lock|nolock|tcp|udp|bg|fg|ac|noac|cto|nocto|acl|noacl|resvport|noresvport|sharecache|nosharecache|rdirplus|nordirplus|fsc|nofsc|posix|noposix|serverino|noserverino|perm|noperm|forceuid|forcegid|noforceuid|noforcegid|unix|nounix|linux|mfsymlinks|nobrl|brl|seal|sfu|mapposix|mapchars|nomapchars|dynperm|nodfs|guest|persistenthandles|resilienthandles|multichannel|[a-z_]+=[^,\\x00-\\x1f]*"));
def host_itself: test("\\A/*\\[?(localhost|127[.]|0|::|fe80:|169[.]254[.])"; "i");
# What Docker mounts by these options is another machine's, or memory.
def far: (.type // "" | tostring) as $type | (.device // "" | tostring) as $device | (.o // "" | tostring) as $o
  | ($o | mount_options) and all($o | split(",")[] | select(test("\\A(addr|ip)=")) | sub("\\A[a-z]+="; ""); host_itself | not) and ($device | host_itself | not)
    and (keys - ["type", "device", "o", "size"] == [])
    and if $type == "tmpfs" then $device | whole("[A-Za-z0-9_-]*")
      elif $type | IN("nfs", "nfs4") then $device | whole("([A-Za-z0-9._-]*|\\[[0-9A-Fa-f:.]+\\]):[^,\\x00-\\x1f]*")
      elif $type == "cifs" then $device | whole("//[A-Za-z0-9._:\\[\\]-]+/[^,\\x00-\\x1f]*")
      else . == {} end;

.[0] as $whole | .[1] as $given | .[2] as $classes
# Capabilities are written in several ways. An image from elsewhere is not built.
| ($whole | .services |= (. // {} | with_entries(.key as $name | .value |= (.cap_add |= (if type == "array" then map(ascii_upcase | ltrimstr("CAP_")) else . end)
    | if ($given.images // {})[$name] then del(.build) else . end)))) as $model
# A path that is not written straight is none of the checkout's, wherever it leads.
| def straight: test("(\\A|/)[.][.]?(/|\\z)|[\\x00-\\x1f\\x7f]") | not;
  def outside: (. // "") != "" and (remote | not) and ((straight | not) or ((below($given.source) | not) and (($given.root // "") as $root | $root == "" or (below($root) | not))));
  def found($kind; $name; $key; $allow; $what): {kind: $kind, service: $name, key: $key, allow: $allow, what: $what};
  def shown: if type == "string" then . else tojson end | if test("[\\x00-\\x1f\\x7f]") then tojson else . end | if length > 120 then .[:120] + "…" else . end;
  [
    ($model | refused($classes | tree; []; outside)
      | .path as $path | .value as $value | (.class // {}) as $class
      | ({services: "service", volumes: "volume", networks: "network", secrets: "secret", configs: "config"}[$path[0]] | if $path[1] then . else null end) as $kind
      | ($path[(if $kind then 2 else 0 end):] | join(".")) as $key
      | ($class.says | if type == "object" then .[$value | tostring] // .[""] else . end) as $says
      | found($kind // "the compose file"; if $kind then $path[1] else "" end; if $kind == "service" then $path[2] // "" else "" end; $class.allow // "";
          if $class.build then "has the build option \($path[3]), which is not supported here"
          elif $says then ($says | split("SHORT") | join($key | rtrimstr("_mode")) | split("KEY") | join($key) | split("NAME") | join($path[-1] | shown) | split("VALUE") | join($value | shown))
          else "has \($key): \($value | shown), which Berth does not know" end)
      | if $class.build then .instead = "build the image elsewhere and name it: pulumi config set --path 'berth:images[\"\(.service)\"]' REFERENCE" else . end),

    ($model.services | to_entries[] | .key as $name | .value | (
      (.volumes[]? | select(.type == "bind") | select(.source // "" | test("/(docker|containerd)\\.sock$"))
        | found("service"; $name; "volumes"; "docker-socket"; "mounts \(.source), which is root on the server")),
      (.volumes[]? | select(.type == "bind") | select(.source // "" | test("/(docker|containerd)\\.sock$") | not) | select(harmless | not) | select(.source | outside)
        | found("service"; $name; "volumes"; "host-mounts"; "mounts \(.source | shown) of the server")),
      (.build | objects | (.context, ((.additional_contexts // {})[] | select(test("\\A(docker-image://|service:|target:)") | not)),
          (.dockerfile // "" | select(startswith("/")))) | select(outside)
        | found("service"; $name; "build"; "host-mounts"; "is built from \(shown), which is not in the repository")),
      (.build | objects | select(.dockerfile // "" | split("/") | index("..")) | found("service"; $name; "build"; "host-mounts"; "is built from the Dockerfile \(.dockerfile | shown), which leads out of its folder")),
      # They are fields of one argument of Docker's, which a comma or a quote ends.
      (.build | objects | .secrets[]? | objects | (.source, .target, ($model.secrets // {})[.source // ""].file) | strings | select(test("[,\"]"))
        | found("service"; $name; "build"; ""; "is built with a secret that has a comma or a quote in its name or its path (\(shown))")))),

    ($model.volumes // {} | to_entries[] | .key as $name | .value // {} | select(.external | unset) | (.driver_opts // {}) as $options
      # A bind in the checkout is plan.jq's.
      | select($options | far | not)
      | select((($options.type // "none") | IN("none", "bind")) and ($options.device // "" | tostring | . != "" and ((startswith("/") and outside) | not)) | not)
      | found("volume"; $name; ""; "host-mounts"; "is \($options.device // "nothing" | shown), mounted as \($options.type // "a bind" | shown) on the server" + (if $options.o then " (\($options.o | shown))" else "" end))),

    ($model.networks // {} | to_entries[] | .key as $name | .value // {} | (
      (.name, (.external | objects | .name) | strings | select(IN("host", "bridge", "none", "ingress", "docker_gwbridge"))
        | found("network"; $name; ""; "host-namespaces"; "is Docker's own network \(.)")),
      ((.driver_opts // {})["com.docker.network.bridge.name"] | strings | select((whole("[A-Za-z][A-Za-z0-9_.-]{0,14}") | not) or whole("lo|docker.*|veth.*|(e[nt]|wl|ww)[a-z]*[0-9].*"))
        | found("network"; $name; ""; "host-namespaces"; "is the interface \(shown) of the server")),
      ((.driver_opts // {}) | to_entries[] | select(.key | test("gateway_mode")) | .value | select(IN("nat", "isolated") | not)
        | found("network"; $name; ""; "host-namespaces"; "is open to other machines (gateway mode \(shown))")),
      (.ipam.config[]? | .subnet, .ip_range, .gateway | strings | select(private($given.own // []) | not)
        | found("network"; $name; ""; "host-namespaces"; "takes the addresses \(shown), which are not private or the server's own")))),

    ({secret: $model.secrets, config: $model.configs} | to_entries[] | .key as $kind | .value // {} | to_entries[] | select(.value.file | outside)
      | found($kind; .key; ""; "host-mounts"; "is the file \(.value.file | shown) of the server"))
  ]
| map(select(.allow == "" or (.allow | IN(($given.allow // [])[]) | not)))
| unique
| map(.text = "\(.kind)\(if .service == "" then "" else " " end)\(.service) \(.what); " + (.instead // if .allow == "" then "nothing lets it through; take it out of the compose file"
    else "if the app needs it and you trust the repository: pulumi config set --path 'berth:allow[\($given.allow // [] | length)]' \(.allow)" end)
  | del(.kind, .what, .instead))
