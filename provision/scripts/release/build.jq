# The flags of `docker build` for number $i of a plan's builds, NUL-separated; $folder is the release's. Arguments are
# named alone: their values come from the environment, but for those that no shell can export.
.builds[$i].build as $b
| (.app.secrets // {}) as $secrets
| [ (if $b.dockerfile_inline then "--file", "\($folder)/Dockerfile.\($i)"
     elif $b.dockerfile then "--file", (if $b.dockerfile | startswith("/") then $b.dockerfile else "\($b.context)/\($b.dockerfile)" end) else empty end),
    ($b.args // {} | to_entries[] | select(.value != null) | "--build-arg", .key),
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
  ] | .[] | "\(.)\u0000"
