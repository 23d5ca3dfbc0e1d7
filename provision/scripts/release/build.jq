# A compose file for number $i of a plan's builds, with the image $image and the label that tells equal content. Compose reads the
# values of its arguments from it: in the environment or the arguments of a program they would be seen by others, and what the
# repository names a variable would be read by what runs as root.
(.builds[$i].build) as $build
| (.app.secrets // {}) as $secrets
| {
    name: "build",
    services: {build: {image: $image, build: ($build | .labels = ((.labels // {}) + {"berth.content": $content}))}},
    secrets: ([$build.secrets // [] | .[].source] | unique | map({key: ., value: {file: $secrets[.].file}}) | from_entries)
  }
