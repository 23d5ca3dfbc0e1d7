# A commit of the app's repository, laid into a release's folder. Sourced by deploy.sh.
# shellcheck shell=bash
set -euo pipefail

readonly MIRROR=$DATA/app.git

git_mirror() {
  local ssh="ssh -o BatchMode=yes -o ConnectTimeout=15"
  [ ! -s "$BERTH_ETC/deploy_key" ] || ssh+=" -i $BERTH_ETC/deploy_key -o IdentitiesOnly=yes -o UserKnownHostsFile=$BERTH_ETC/known_hosts -o StrictHostKeyChecking=yes"
  GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND=$ssh timeout 300 git --git-dir "$MIRROR" "$@"
}

has_commit() { git_mirror cat-file -e "$COMMIT^{commit}" 2>/dev/null; }

# refused_key says whether the git host showed another key than the pinned one; $1 is what git said.
refused_key() { [ -s "$BERTH_ETC/deploy_key" ] && grep -F 'Host key verification failed' "$1" >/dev/null; }

# unreached says whether the git host was not reached at all; $1 is what git said.
unreached() {
  grep -Ei 'connection (timed out|refused|reset|closed)|no route to host|network is unreachable|could not resolve|name resolution|operation timed out' "$1" >/dev/null
}

# fetch_from fetches from the repository and explains a failure that has a cause worth naming.
fetch_from() {
  local said code=0
  said=$(mktemp)
  # shellcheck disable=SC2310 # git_mirror is git's own code
  LC_ALL=C git_mirror fetch --quiet "$@" 2>"$said" || code=$?
  cat "$said" >&2
  # shellcheck disable=SC2310 # refused_key and unreached are one list each
  if [ "$code" -ne 0 ] && refused_key "$said"; then
    rm -f "$said"
    fail "$REPOSITORY does not show the SSH host key of berth:repositoryHostKey, so somebody else answers there, or it has a new key: nothing was sent; compare with the key that the git host publishes, and only then: pulumi config set berth:repositoryHostKey 'ssh-ed25519 ...'"
  fi
  # 124 is the limit on the whole of it.
  # shellcheck disable=SC2310 # see above
  if [ "$code" -eq 124 ] || { [ "$code" -ne 0 ] && unreached "$said"; }; then
    rm -f "$said"
    fail "the git host of $REPOSITORY does not answer from the server; when it does, run 'pulumi up' again; look from there with: sudo git ls-remote $REPOSITORY"
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
      fail "cannot fetch $REPOSITORY from the server; the lines above say why; a private repository needs a deploy key: cat key | pulumi config set --secret berth:deployKey"
  fi
  # One that no branch or tag holds any longer may still be there for who knows its name.
  has_commit || fetch_from "$REPOSITORY" "$COMMIT" || true
  has_commit || fail "$REPOSITORY has no branch or tag that holds commit $COMMIT; push it, or choose another: pulumi config set berth:ref main"
}

# check_out lays the commit's files into folder $1. Their modes are git's, since they are copied into images; the
# folder above is closed to all but root.
check_out() {
  (
    umask 022
    mkdir -p "$1"
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

# compose_path is the compose file of checkout $1, which must lie inside it even when it is a symbolic link.
compose_path() {
  local path root
  read_text root realpath "$1"
  path=$(realpath --canonicalize-existing "$1/$COMPOSE_FILE" 2>/dev/null) ||
    fail "commit $COMMIT has no $COMPOSE_FILE; name the file: pulumi config set berth:composeFile compose.yaml"
  case $path in
    "$root"/*) printf '%s\n' "$path" ;;
    *) fail "$COMPOSE_FILE leads out of the repository, to $path; commit the file itself" ;;
  esac
}

# trees prints a JSON object: for each of the paths $2 and on, below checkout $1, the hash of what the commit holds there, ""
# where it holds nothing. A folder that is only kept in git by a hidden file counts as nothing.
trees() {
  local source=$1 path relative hash file real lines="" object
  local -a files=()
  shift
  for path in "$@"; do
    relative=${path#"$source"}
    relative=${relative#/}
    read_lines files git_mirror ls-tree -r --name-only "$COMMIT" -- "${relative:-.}"
    if [ "${#files[@]}" -eq 0 ] && [ -e "$path" ]; then
      read_text real realpath "$path"
      # Behind a link git holds nothing by this name. Otherwise what is in the checkout came out of the commit.
      [ "$real" != "$path" ] || fail "git tells of no file below ${relative:-.} of commit $COMMIT, which was checked out; nothing is done on a guess; run it again"
    fi
    hash=""
    for file in "${files[@]}"; do
      if [ ! -d "$path" ] || [[ ! $file =~ (^|/)\.(git)?(keep|ignore)$ ]]; then hash=held; fi
    done
    [ -z "$hash" ] || read_text hash git_mirror rev-parse --verify "$COMMIT:$relative"
    lines+=$path$'\t'$hash$'\n'
  done
  read_text object jq -R -s 'split("\n") | map(select(. != "") | split("\t") | {key: .[0], value: .[1]}) | from_entries' <<<"$lines"
  printf '%s\n' "$object"
}
