# A compose file for number $i of a plan's builds, with the image $image and the label that tells equal content. Compose reads the
# values of its arguments from it: in the environment or the arguments of a program they would be seen by others, and what the
# repository names a variable would be read by what runs as root. A secret of a variable is in a file of folder $folder, see
# build_secrets. Of several platforms the server's is built.
(.builds[$i].build) as $build
| (.app.secrets // {}) as $secrets
| {
    name: "build",
    services: {build: {image: $image, build: ($build | .labels = ((.labels // {}) + {"berth.content": $content}) | if .platforms then .platforms = ["linux/amd64"] else . end)}},
    secrets: ([$build.secrets // [] | .[].source] | unique | map({key: ., value: {file: (if $secrets[.].environment then "\($folder)/\(.)" else $secrets[.].file end)}}) | from_entries)
  }
