# The app's own pages for what nginx answers for it. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

# The pages that a commit may have below berth/, and the bytes of each.
readonly PAGES=(errors/413.html errors/429.html errors/502.html errors/503.html errors/504.html maintenance.html) PAGE=262144

# keep_pages puts the commit's own pages into folder $1 of its release. They are read out of git, so that no link is followed.
keep_pages() {
  local name line
  local -a listed=()
  mkdir -p "$1/pages"
  for name in "${PAGES[@]}"; do
    read_lines listed git_mirror ls-tree -l "$COMMIT" -- "berth/$name"
    line=${listed[0]:-}
    [ -n "$line" ] || continue
    if ! [[ $line =~ ^100(644|755)\ blob\ [0-9a-f]+\ +([0-9]+)$'\t' ]] || [ "${BASH_REMATCH[2]}" -gt "$PAGE" ]; then
      fail page-file-invalid "berth/$name of commit ${COMMIT:0:12} has to be a file of at most $((PAGE / 1024)) KiB, and no symbolic link or folder; what runs is left as it was"
    fi
    git_mirror cat-file blob "$COMMIT:berth/$name" | put "$1/pages/${name##*/}" 0600 ||
      fail page-not-text "berth/$name of commit ${COMMIT:0:12} has to be text in UTF-8 (the lines above say why); what runs is left as it was"
  done
}
