# Number $i of a plan's builds for `docker build`, NUL-separated; $folder is the release's. With $what "flags" its flags;
# arguments are named alone, since their values come from the environment, which no other user can read. With "values"
# those names and values, one after the other. What the shell or Docker's client would take for its own is no secret and
# stands in the flags whole.
def owned: test("^(UID|EUID|PPID|SHELLOPTS|BASHOPTS|BASH_.*|IFS|PATH|HOME|LD_.*|DOCKER_.*|BUILDX_.*|BUILDKIT_.*)$");

.builds[$i].build as $b
| (.app.secrets // {}) as $secrets
| if $what == "values" then [$b.args // {} | to_entries[] | select(.value != null and (.key | owned | not)) | .key, .value]
  else [ (if $b.dockerfile_inline then "--file", "\($folder)/Dockerfile.\($i)"
     elif $b.dockerfile then "--file", (if $b.dockerfile | startswith("/") then $b.dockerfile else "\($b.context)/\($b.dockerfile)" end) else empty end),
    ($b.args // {} | to_entries[] | select(.value != null) | "--build-arg", (if .key | owned then "\(.key)=\(.value)" else .key end)),
    (if $b.target then "--target", $b.target else empty end),
    ($b.labels // {} | to_entries[] | "--label", "\(.key)=\(.value)"),
    (if $b.network then "--network", $b.network else empty end),
    ($b.extra_hosts // [] | .[] | "--add-host", sub("="; ":")),
    (if $b.shm_size then "--shm-size", ($b.shm_size | tostring) else empty end),
    ($b.additional_contexts // {} | to_entries[] | "--build-context", "\(.key)=\(.value)"),
    ($b.secrets // [] | .[] | "--secret", "id=\(.target // .source),src=\($secrets[.source].file)"),
    ($b.platforms // [] | if . == [] then empty else "--platform", join(",") end),
    (if $b.no_cache then "--no-cache" else empty end),
    (if $b.pull then "--pull" else empty end),
    "--", $b.context
  ] end | .[] | "\(.)\u0000"
