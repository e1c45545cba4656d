#!/usr/bin/env bash
# Installs what tools/build.ts built: the executable and its links, systemd unit, configuration, shell completions, man pages.
# Configuration files that are there already stay as they are. DESTDIR=/somewhere ./install.sh for packages; PREFIX is /usr/local.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/packages.sh
. tools/packages.sh

dest=${DESTDIR:-}
prefix=${PREFIX:-/usr/local}

if [ -z "$dest" ]; then
  [ "$(id -u)" = 0 ] || die 'run it as root, or give a DESTDIR'
  # shellcheck disable=SC2046
  ensure_packages $(engine_packages)
fi
ensure_node_modules
node_modules/.bin/bun tools/build.ts --if-changed

# Next to its place and renamed: an isulad that runs keeps its own file.
install -d -m 755 "$dest$prefix/bin"
install -m 755 dist/isula "$dest$prefix/bin/.isula.new"
mv -f "$dest$prefix/bin/.isula.new" "$dest$prefix/bin/isula"
for link in dist/*; do
  [ -L "$link" ] && ln -sfn isula "$dest$prefix/bin/$(basename "$link")"
done

# keep SOURCE TARGET MODE: never overwrites what an administrator may have changed.
keep() {
  if [ -e "$dest$2" ]; then say "$2 is there and stays"; else install -D -m "$3" "$1" "$dest$2"; fi
}
keep contrib/daemon.json /etc/isulad/daemon.json 640
keep contrib/daemon_constants.json /etc/isulad/daemon_constants.json 640
keep contrib/sysconfig-iSulad /etc/sysconfig/iSulad 644
install -d -m 750 "$dest/etc/default/isulad/hooks"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node_modules/.bin/bun tools/seccomp-default.ts >"$work/seccomp_default.json"
keep "$work/seccomp_default.json" /etc/isulad/seccomp_default.json 640

sed "s#/usr/local/bin#$prefix/bin#" contrib/isulad.service >"$work/isulad.service"
install -D -m 644 "$work/isulad.service" "$dest/etc/systemd/system/isulad.service"

install -d -m 755 "$dest$prefix/share/bash-completion/completions" "$dest$prefix/share/zsh/site-functions" "$dest$prefix/share/man"
dist/isula completion bash >"$dest$prefix/share/bash-completion/completions/isula"
dist/isula completion zsh >"$dest$prefix/share/zsh/site-functions/_isula"
mkdir "$work/man"
dist/isula man "$work/man"
node_modules/.bin/bun tools/isulad-man.ts >"$work/man/isulad.8"
for page in "$work/man"/*.[1-8]; do
  [ -e "$page" ] || continue
  install -D -m 644 "$page" "$dest$prefix/share/man/man${page##*.}/$(basename "$page")"
done

if [ -z "$dest" ]; then
  getent group isulad >/dev/null || groupadd --system isulad
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
fi
say "installed to $dest$prefix/bin; start it with: systemctl enable --now isulad"
