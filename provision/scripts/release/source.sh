# A commit of the app's repository, laid into a release's folder. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

# LISTED is how many files a commit may have where the volume's file system does not say how many it takes.
readonly MIRROR=$DATA/app.git LISTED=1000000

git_mirror() {
  local ssh="ssh -o BatchMode=yes -o ConnectTimeout=15"
  [ ! -s "$BERTH_ETC/deploy_key" ] || ssh+=" -i $BERTH_ETC/deploy_key -o IdentitiesOnly=yes -o UserKnownHostsFile=$BERTH_ETC/known_hosts -o StrictHostKeyChecking=yes"
  GIT_TERMINAL_PROMPT=0 GIT_LITERAL_PATHSPECS=1 GIT_SSH_COMMAND=$ssh timeout 300 git --git-dir "$MIRROR" "$@"
}

has_commit() { git_mirror cat-file -e "$COMMIT^{commit}" 2>/dev/null; }

# refused_key says whether the git host showed another key than the pinned one; $1 is what git said.
refused_key() { [ -s "$BERTH_ETC/deploy_key" ] && grep -F 'Host key verification failed' "$1" >/dev/null; }

# unreached says whether the git host was not reached at all; $1 is what git said.
unreached() {
  grep -Ei 'connection (timed out|refused|reset|closed)|no route to host|network is unreachable|could not resolve|name resolution|operation timed out' "$1" >/dev/null
}

# too_large says whether a pack that git did not finish has all of the $1 KiB that fetch_from lets it have.
too_large() {
  local -a packs=()
  read_lines packs find "$MIRROR/objects/pack" -name 'tmp_*' -size "+$(($1 > 1 ? $1 - 1 : 0))k"
  [ "${#packs[@]}" -gt 0 ]
}

# fetch_from fetches from the repository and explains a failure that has a cause worth naming. All that comes is one file, a
# pack, which the kernel keeps from taking more than half of what is free on the volume.
fetch_from() {
  local said free large="" code=0
  read_text free free_mib
  said=$(mktemp)
  # shellcheck disable=SC2310 # git_mirror is git's own code
  (ulimit -f $((free * 512)) && LC_ALL=C git_mirror -c fetch.unpackLimit=1 fetch --quiet "$@" 2>"$said") || code=$?
  cat "$said" >&2
  if [ "$code" -ne 0 ]; then
    # shellcheck disable=SC2310 # too_large is one test, or the end
    if too_large $((free * 512)); then large=yes; fi
    rm -f "$MIRROR"/objects/pack/tmp_*
  fi
  if [ -n "$large" ]; then
    rm -f "$said"
    fail repository-too-large "what $REPOSITORY sends takes more than $((free / 2)) MiB, half of the $free MiB that are free on $DATA, and was removed again; Fix: take large files out of the repository's history; or $MORE_ROOM"
  fi
  # shellcheck disable=SC2310 # refused_key and unreached are one list each
  if [ "$code" -ne 0 ] && refused_key "$said"; then
    rm -f "$said"
    fail repository-host-key-changed "$REPOSITORY does not show the SSH host key of berth:repositoryHostKey, so somebody else answers there, or it has a new key: nothing was sent; compare with the key that the git host publishes, and only then: pulumi config set berth:repositoryHostKey 'ssh-ed25519 ...'"
  fi
  # 124 is the limit on the whole of it.
  # shellcheck disable=SC2310 # see above
  if [ "$code" -eq 124 ] || { [ "$code" -ne 0 ] && unreached "$said"; }; then
    rm -f "$said"
    fail git-host-not-answering "the git host of $REPOSITORY does not answer from the server; when it does, run 'pulumi up' again; look from there with: sudo git ls-remote $REPOSITORY"
  fi
  rm -f "$said"
  return "$code"
}

# shellcheck disable=SC2310 # has_commit is one command, fetch_from returns what git's fetch does
fetch() {
  [ -d "$MIRROR" ] || git init --quiet --bare "$MIRROR"
  if ! has_commit; then
    say "fetching $REPOSITORY"
    fetch_from --force --prune "$REPOSITORY" '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' ||
      fail repository-not-fetched "cannot fetch $REPOSITORY from the server; the lines above say why; a private repository needs a deploy key: cat key | pulumi config set --secret berth:deployKey"
  fi
  # One that no branch or tag holds any longer may still be there for who knows its name.
  has_commit || fetch_from "$REPOSITORY" "$COMMIT" || true
  has_commit || fail commit-not-found "$REPOSITORY has no branch or tag that holds commit $COMMIT; push it, or choose another: pulumi config set berth:ref main"
}

# measure counts the commit's files and folders, and the KiB that they take, until there are more than $1 or $2. git's listing
# ends with a word of ours, without which it is not whole.
measure() {
  # shellcheck disable=SC2016,SC2310,SC2312 # awk's variables; a listing that fails has no last word
  awk -v most="$1" -v room="$2" '
    $1 == "whole" { whole = 1; exit }
    { files++; kib += $4 > 0 ? 4 * int(($4 + 4095) / 4096) : 4 }
    files > most || kib > room { whole = 1; exit }
    END { if (whole) printf "%d %d\n", files, kib }' < <(git_mirror ls-tree -r -t -l "$COMMIT" && echo whole)
}

# fits ends unless the commit's files take at most half of what is free on the volume. It is asked before any is written: a few
# kilobytes of a repository can be millions of files.
fits() {
  local free left measured files kib
  read_text free free_mib
  read_text left df --output=iavail "$DATA"
  left=${left##*[[:space:]]}
  if ! [[ $left =~ ^[1-9][0-9]*$ ]]; then left=$LISTED; fi
  read_text measured measure $((left / 2)) $((free * 512))
  read -r files kib <<<"$measured"
  [ "$files" -gt 0 ] || fail git-listing-empty "git tells of no file of commit $COMMIT, and nothing is done on a guess; run it again"
  if [ "$files" -gt $((left / 2)) ] || [ "$kib" -gt $((free * 512)) ]; then
    fail commit-too-large "commit ${COMMIT:0:12} has $files files or more, of $((kib / 1024)) MiB or more, and may take half of what is free on $DATA: $((left / 2)) files of $((free / 2)) MiB; nothing of it was written; Fix: take large files and generated folders out of the repository; or $MORE_ROOM"
  fi
}

# check_out lays the commit's files into folder $1. Their modes are git's, since they are copied into images; the
# folder above is closed to all but root.
check_out() {
  (
    umask 022
    mkdir -p "$1"
    # shellcheck disable=SC2030 # for git in this subshell
    export GIT_INDEX_FILE=$1.index
    git --git-dir "$MIRROR" --work-tree "$1" read-tree "$COMMIT"
    git --git-dir "$MIRROR" --work-tree "$1" checkout-index --all
    rm -f "$1.index"
  )
  local tree
  read_text tree git_mirror ls-tree -r "$COMMIT"
  if [[ $'\n'$tree == *$'\n160000 '* ]]; then
    say "the repository has submodules, which are not fetched; their folders are empty"
  fi
  # What is meant for a laptop stays there: a compose file that asks for it is refused by Compose.
  find "$1" -name '.env.development' -delete
}

# take_out lays path $1 of the commit, and what is below it, into the new folder $2.
take_out() {
  (
    umask 022
    mkdir "$2"
    # shellcheck disable=SC2031 # see above
    export GIT_INDEX_FILE=$2.index
    git_mirror --work-tree "$2" read-tree "$COMMIT"
    git_mirror --work-tree "$2" ls-files -z -- "${1:-.}" >"$2.list"
    [ -s "$2.list" ] || fail git-listing-empty "git tells of no file below ${1:-.} of commit $COMMIT, and nothing is done on a guess; run it again"
    git_mirror --work-tree "$2" checkout-index -z --stdin <"$2.list"
    rm -f "$2.index" "$2.list"
    # As in the checkout.
    find "$2" -name '.env.development' -delete
  )
}

# check_trees ends the release unless the commit holds, below checkout $1, what each of the lines "HASH PATH" in $2 and on names.
check_trees() {
  local source=$1 line path hash
  shift
  for line in "$@"; do
    path=${line#* }
    path=${path#"$source"}
    read_text hash git_mirror rev-parse --verify "$COMMIT:${path#/}"
    [ "$hash" = "${line%% *}" ] ||
      fail commit-differs-from-plan "commit ${COMMIT:0:12} holds something else at ${path#/} than the plan of the release was made from; what runs is left as it was; run 'pulumi up' again"
  done
}
