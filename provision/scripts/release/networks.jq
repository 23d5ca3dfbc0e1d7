# Says which addresses of a plan's networks are the server's own: its packet filter tells networks by them. $own is what the server
# itself has, "ADDRESS/BITS". Input: a plan. Output: a list of sentences.

# The addresses of a network as [first, last], null for what is no IPv4.
def span: split("/") as [$address, $bits]
  | if ($address | test("\\A[0-9]{1,3}([.][0-9]{1,3}){3}\\z")) then
      (reduce ($address | split("."))[] as $part (0; . * 256 + ($part | tonumber))) as $first
      | (reduce range(32 - ($bits // "32" | tonumber)) as $i (1; . * 2)) as $size
      | [$first - $first % $size, $first - $first % $size + $size - 1]
    else null end;

($own | map(span | select(. != null))) as $taken
| [.addresses[] | (.range | span) as $span | select($span != null) | select(any($taken[]; $span[1] >= .[0] and $span[0] <= .[1]))
    | "network \(.network) takes the addresses \(.range), which are the server's own; take others in the compose file, or none: Docker chooses"]
