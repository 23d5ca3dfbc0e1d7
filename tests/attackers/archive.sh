# Where the server's packages are from, a line for each question: its name and a number, which is 0 where all is well but for
# those that begin with "all-".
# What is counted may be none, which grep tells with an error; that it ran, the test sees from "all-".
# shellcheck shell=bash disable=SC2312
set -uo pipefail

# In which file a setting is, or by which package a file came, is one per line.
count() { grep -c . || true; }

echo "all-installed $(dpkg-query --show --showformat '${db:Status-Abbrev}\n' | grep -c '^ii')"
echo "not-in-the-archive $(apt list --installed 2>/dev/null | grep -c 'local\]')"
echo "all-indices $(apt-cache policy | grep -c '^ *release .*c=')"
echo "of-another-origin $(apt-cache policy | grep '^ *release .*c=' | grep -cv 'o=Debian,')"
echo "trusted-unsigned $(grep -rhiE '^[^#]*(trusted *[=:] *yes|allow-(insecure|weak|downgrade)[a-z-]* *[=:] *yes)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | count)"
echo "settings-that-allow-it $(apt-config dump | grep -iE '(AllowInsecure|AllowWeak|AllowDowngrade|AllowUnauthenticated|Verify-Peer|gpgv)' | grep -cvE '"(0|false|)";$')"
keys() { find /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d /etc/apt/keyrings /usr/share/keyrings -type f 2>/dev/null; }
echo "all-keys $(keys | count)"
echo "foreign-keys $(keys | while read -r key; do dpkg --search "$key" 2>/dev/null | cut -d : -f 1 | grep -xF debian-archive-keyring || echo foreign; done | grep -cv debian-archive-keyring)"
# Lines of configuration files, which a step may change, have a c.
echo "changed-after-installation $(dpkg --verify | grep -v '^[^ ]* c ' | count)"

# refused says 0 where apt takes no package from a repository in folder $1, which it is asked by $2.
refused() {
  echo "deb file:$1 $2" >"$1/sources.list"
  if apt-get -q -o Dir::Etc::sourcelist="$1/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$1/lists" -o APT::Update::Error-Mode=any update >"$1/said" 2>&1; then echo 1; else echo 0; fi
}

folder=$(mktemp -d)
chmod 755 "$folder"
chown _apt "$folder"
mkdir -p "$folder/lists/partial" "$folder/dists/trixie/main/binary-amd64"
touch "$folder/Packages" "$folder/dists/trixie/main/binary-amd64/Packages"
echo "unsigned-repository-taken $(refused "$folder" ./)"
# Debian's own signature, on what is not Debian's own any longer.
release=$(find /var/lib/apt/lists -name '*_InRelease' | sort | head -n 1)
sed 's/^Suite: stable/Suite: forged/' "$release" >"$folder/dists/trixie/InRelease"
cmp -s "$release" "$folder/dists/trixie/InRelease" && echo "the-forgery-is-none 1"
echo "forged-repository-taken $(refused "$folder" 'trixie main')"
grep -ciE 'badsig|invalid|signature' "$folder/said" | sed 's/^/all-words-about-a-signature /'
rm -rf "$folder"
