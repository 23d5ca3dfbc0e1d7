#!/usr/bin/env bash
# Loads the base images of the rehearsal into a Docker that does not hold them yet.
set -euo pipefail
shopt -s nullglob

for archive in /usr/share/rehearsal/images/*.tar; do
  image=$(basename "$archive" .tar)
  image=${image/@/:}
  docker image inspect "$image" >/dev/null 2>&1 || docker load --quiet --input "$archive"
done
