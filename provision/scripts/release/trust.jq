# Says what of an app would let its containers out of their own confines. The operator's machine runs it for the preview,
# the server before anything of the commit is built. What berth:allow names is let through.
#
# Input: [the model that `docker compose config --format json` prints, {source, root, allow}]. source is the checkout's path,
# root the folder that holds it; what leads there is plan.jq's to refuse.
# Output: a list of {service, key, allow, text}.

def below($folder): . == $folder or startswith($folder + "/");
def remote: test("^([a-z][a-z0-9+.-]*://|git@)");

# What Docker gives every container. Source: Docker Docs, "Runtime privilege and Linux capabilities".
def usual_capabilities: ["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",
  "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"];

# What of the host a container may see: what time it is.
def harmless: .read_only == true and (.source | IN("/etc/localtime", "/etc/timezone"));

.[0] as $model | .[1] as $given
| def outside: (. // "") != "" and (remote | not) and (below($given.source) | not) and (($given.root // "") as $root | $root == "" or (below($root) | not));
  def found($service; $key; $allow; $what): {service: $service, key: $key, allow: $allow, text: $what};
  [
    ($model.services // {} | to_entries[] | .key as $name | .value | (
      (select(.privileged == true) | found($name; "privileged"; "privileged"; "is privileged, which is root on the server")),
      (.cap_add[]? | ascii_upcase | ltrimstr("CAP_") | select(IN(usual_capabilities[]) | not)
        | found($name; "cap_add"; "capabilities"; "wants the capability \(.), which Docker gives no container by itself")),
      ({network_mode, pid, ipc, uts, userns_mode, cgroup} | to_entries[] | select(.value == "host")
        | found($name; .key; "host-namespaces"; "shares the server's own \(.key | rtrimstr("_mode")) (\(.key): host)")),
      (select((.cgroup_parent // "") != "") | found($name; "cgroup_parent"; "host-namespaces"; "chooses its place among the server's control groups (cgroup_parent)")),
      (select((.devices // []) + (.device_cgroup_rules // []) + (.gpus // []) != []) | found($name; "devices"; "devices"; "wants devices of the server")),
      (select((.runtime // "") != "") | found($name; "runtime"; "privileged"; "chooses the runtime \(.runtime), which decides what a container may do")),
      (.security_opt[]? | select(test("unconfined|disable|^no-new-privileges[:=]false"))
        | found($name; "security_opt"; "unconfined"; "puts off a protection (\(.))")),
      (.volumes[]? | select(.type == "bind") | select(.source | test("/(docker|containerd)\\.sock$"))
        | found($name; "volumes"; "docker-socket"; "mounts \(.source), which is root on the server")),
      (.volumes[]? | select(.type == "bind") | select(.source | test("/(docker|containerd)\\.sock$") | not) | select(harmless | not) | select(.source | outside)
        | found($name; "volumes"; "host-mounts"; "mounts \(.source) of the server")),
      (.build // empty | (.context, ((.additional_contexts // {})[] | select(test("^(docker-image|service|oci-layout|target):") | not)),
          (.dockerfile // "" | select(startswith("/")))) | select(outside)
        | found($name; "build"; "host-mounts"; "is built from \(.), which is not in the repository")),
      (.build // empty | select(.dockerfile // "" | split("/") | index("..")) | found($name; "build"; "host-mounts"; "is built from the Dockerfile \(.dockerfile), which leads out of its folder")),
      (select(.build.network == "host") | found($name; "build"; "host-namespaces"; "is built in the server's own network (build.network: host)")))),
    ($model.volumes // {} | to_entries[] | .key as $name | (.value.driver_opts // {}) as $options
      # Docker mounts what these options say as root: a bind in the checkout is plan.jq's, the rest has to be listed here.
      | select($options != {} and (($options.type // "none" | ascii_downcase) as $type | $options.device // "" |
          if $type | IN("none", "bind") then startswith("/") and outside
          elif $type == "tmpfs" then false
          elif $type | IN("nfs", "nfs4", "cifs") then startswith("/") and $type == "cifs" and (startswith("//") | not)
          else true end))
      | found($name; ""; "host-mounts"; "is \($options.device // "nothing"), mounted as \($options.type // "a bind") on the server")),
    ({secret: $model.secrets, config: $model.configs} | to_entries[] | .key as $kind | .value // {} | to_entries[] | select(.value.file | outside)
      | found(.key; ""; "host-mounts"; "is the file \(.value.file) of the server"))
  ]
| map(select(.allow | IN(($given.allow // [])[]) | not))
| unique
| map(.text = "\(if .key == "" then "the volume, secret or config" else "service" end) \(.service) \(.text); if the app needs it and you trust the repository: pulumi config set --path 'berth:allow[\($given.allow // [] | length)]' \(.allow)")
