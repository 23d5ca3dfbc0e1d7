# Gives each of some services an address for each of its containers in the network that web servers reach, below $prefix ("100.64.20.").
# The input is a list of {service, persistent, names, for, count}; $before are the addresses of all kept releases, and $own those that this
# one has already, both as this gives them: {service: {persistent, names, for, addresses}}. A persistent service has the same
# containers in every release, and so its addresses: what runs on web servers knows them.
. as $wanted
| ($before + [$own]) as $all
| def of($one): if $own[$one.service] then $own[$one.service].addresses
    elif $one.persistent then first($all[] | .[$one.service] // empty | select(.persistent) | .addresses) // []
    else [] end;
  reduce $wanted[] as $one ({taken: [$all[][] | .addresses[]], given: {}};
    of($one)[:$one.count] as $kept
    | .taken as $taken
    | [range(10; 255) | "\($prefix)\(.)" | select(IN($taken[]) | not)][:$one.count - ($kept | length)] as $new
    | if ($kept + $new | length) < $one.count then error("the network has no more addresses for \($one.service)")
      else .taken += $new | .given[$one.service] = ($one | {persistent, names, for, addresses: ($kept + $new)}) end)
| .given
