# Says which paths of an app's compose file are symbolic links of the commit, or lead through one. Docker follows a link as
# root, and a container that can write beside it decides where it leads: only files and folders themselves are mounted or
# built from. The operator's machine runs this for the preview, the server before anything is read from such a path.
#
# Input: [the model that `docker compose config --format json` prints, {source, links}]. source is the checkout's path, links
# are the commit's symbolic links, by their paths in it.
# Output: a list of sentences.

# A path's names, without those that stay where they are; ".." is taken as Compose takes it, by the text alone.
def names: reduce (split("/")[] | select(. != "" and . != ".")) as $name ([]; if $name == ".." then .[:-1] else . + [$name] end);

.[0] as $model | .[1] as $given
| ($given.links | map({key: ., value: true}) | from_entries) as $links
| ($given.source | names) as $source
# The first link on the way to an absolute path, by its path in the checkout.
| def link: names as $names
    | if $names[:$source | length] != $source then empty
      else $names[$source | length:] as $below | first(range(1; ($below | length) + 1) | $below[:.] | join("/") | select($links[.])) end;
  def found($what): . as $path | link
    | "\($what) \($path | names | .[$source | length:] | join("/")), and \(.) is a symbolic link there; Fix: commit the file or folder itself at that path, or name what the link leads to";
  [
    ($model.services // {} | to_entries[] | .key as $name | .value
      | (.volumes[]? | select(.type == "bind") | .source // empty | found("service \($name) mounts")),
        (.build // empty | (.context // "") as $context
          | ((if .dockerfile_inline then empty else .dockerfile // "Dockerfile" | if startswith("/") then . else "\($context)/\(.)" end | ., "\(.).dockerignore" end),
             $context, "\($context)/.dockerignore", (.additional_contexts // {})[])
          | select(startswith("/")) | found("service \($name) is built from"))),
    ({secret: $model.secrets, config: $model.configs} | to_entries[] | .key as $kind | .value // {} | to_entries[]
      | .key as $name | .value.file // empty | found("\($kind) \($name) is the file"))
  ]
| unique
