# shellcheck shell=sh
# Puts the scripts (a tar archive, base64, on standard input) into /opt/berth, all or none of them. It is a link to one of the
# folders in /opt/berth.versions, so that it points to whole scripts at every moment. The folder that it pointed to before stays,
# for what runs meanwhile; so does any that is younger than a day.
set -eu
base64 -d | sudo -n timeout 60 sh -euc '
  versions=/opt/berth.versions
  if [ -e /opt/berth ] && [ ! -L /opt/berth ]; then
    echo "scripts: /opt/berth is not a link [scripts-folder-in-the-way]; move it away: sudo mv /opt/berth /opt/berth.before" >&2
    exit 1
  fi
  mkdir -p -m 0755 "$versions"
  before=""
  if [ -L /opt/berth ]; then
    before=$(readlink /opt/berth)
    [ -n "$before" ]
  fi
  version=$(mktemp -d "$versions/XXXXXXXX")
  trap "rm -rf \"$version\"" EXIT
  chmod 0755 "$version"
  tar -xzm -C "$version" --no-same-owner
  sync --file-system "$version"
  ln -sfn "$version" /opt/berth.new
  mv -fT /opt/berth.new /opt/berth
  trap - EXIT
  find "$versions" -mindepth 1 -maxdepth 1 -mmin +1440 ! -path "$version" ! -path "${before:-none}" -exec rm -rf {} +
' || {
  echo "scripts: not installed (the lines above say why), so those of before stay [scripts-not-installed]; is the disk full (df -h /)? make room: sudo apt-get clean, sudo journalctl --vacuum-size=50M; then run 'pulumi up' again" >&2
  exit 1
}
echo "scripts: installed in /opt/berth"
