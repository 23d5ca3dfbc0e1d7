# Number $i of a plan's builds for `docker build`, NUL-separated; $folder is the release's. With $what "flags" its flags;
# arguments are named alone, since their values come from the environment, which no other user can read. With "values"
# those names and values, one after the other. With "inline" the Dockerfile that stands in the compose file. What a program
# that runs here would take for its own is no secret, as plan.jq makes sure, and stands in the flags whole.

# The shell's own, and what the dynamic linker, the C library, Go, git, Docker and Compose act on.
def owned: test("^(UID|EUID|PPID|SHELLOPTS|BASHOPTS|BASH_.*|IFS|PATH|HOME|ENV|TMPDIR|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|LOCPATH|NLSPATH|GO(DEBUG|TRACEBACK|MAXPROCS|GC|MEMLIMIT)|(LD|GLIBC|GCONV|MALLOC|SSL_CERT|GIT|DOCKER|BUILDX|BUILDKIT|COMPOSE|OTEL|XDG)_.*)$");

# Compose doubles each $ of what it prints.
def single: walk(if type == "string" then gsub("\\$\\$"; "$") else . end);

(.builds[$i].build | single) as $b
| (.app.secrets // {}) as $secrets
| if $what == "inline" then [$b.dockerfile_inline]
  elif $what == "values" then [$b.args // {} | to_entries[] | select(.value != null and (.key | owned | not)) | .key, .value]
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
