# Takes the plan that fits the volumes which images declare, $found, {service: [path]}: with a new container for each release, what
# such a volume holds would be lost, so the service is persistent. Input: a plan, filled in.

def straight: if . == "/" then . else sub("/+$"; "") end;
def inside($folder): . != $folder and startswith(($folder | rtrimstr("/")) + "/");

# What is made to be thrown away is no loss.
([.watched | to_entries[] | .key as $service | .value as $covered
    | first($found[$service] // [] | .[] | sub("/+$"; "") | select(test("^(/var)?/(tmp|run|cache)(/|$)|^/dev/") or IN($covered[]) | not))
    | {key: $service, value: .}] | from_entries) as $new
| ($new | keys | join(" ")) as $names
| (if $new == {} then .
    elif .persistent[$names] then . as $plan | .persistent[$names]
      | {version: $plan.version, commit: $plan.commit, trees: $plan.trees} + .
      | (.because, .problems) |= walk(if type == "string" then reduce ($new | to_entries[]) as $one (.; split("@VOLUME:\($one.key)@") | join($one.value)) else . end)
    else .problems += [$new | to_entries[] | "the image of \(.key) declares the volume \(.value), which would be empty with every release; write at \(.key) in the compose file: labels: {berth.stateful: \"true\"}, and it is kept, or \"false\""] end)
# In a mount that is only read Docker cannot make the place for a volume.
| .mountpoints = (.mountpoints + [.fixed[] | . as $outer | $found[.service] // [] | .[] | straight
    | select(inside($outer.target)) | select(. as $path | any($outer.inner[]; . as $between | $path | inside($between)) | not)
    | {path: ($outer.source + ltrimstr($outer.target | rtrimstr("/"))), source: ""}] | unique)
| del(.persistent)
