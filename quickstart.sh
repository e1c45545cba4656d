#!/usr/bin/env bash
# From a fresh machine to a running container: installs what is missing, builds, starts isulad, imports a busybox image made of the host's own
# busybox, runs containers. Leaves the daemon running; running it again is harmless.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/packages.sh
. tools/packages.sh

[ "$(id -u)" = 0 ] || die 'run it as root: containers need it'
[ "$(uname -s)" = Linux ] || die 'isulad runs on Linux only'
graph=${ISULAD_GRAPH:-/var/lib/isulad}
log=$graph/isulad.log
isula=$PWD/dist/isula
pidfile=/var/run/isulad.pid

# shellcheck disable=SC2046
ensure_packages $(engine_packages)
ensure_node_modules
mount_leftover_controllers
node_modules/.bin/bun tools/build.ts --if-changed

running_pid() {
  local pid
  pid=$(cat "$pidfile" 2>/dev/null) || return 1
  [ -n "$pid" ] && grep -q isulad "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

if pid=$(running_pid) && "$isula" version >/dev/null 2>&1; then
  say "isulad runs already (process $pid)"
  graph=$("$isula" info --format '{{.DockerRootDir}}')
  log=$graph/isulad.log
else
  say 'starting isulad'
  mkdir -p -m 711 "$graph"
  setsid dist/isulad -g "$graph" --log-driver file --log-opt "log-path=$graph" </dev/null >>"$graph/stdio.log" 2>&1 &
  for _ in $(seq 300); do
    "$isula" version >/dev/null 2>&1 && break
    kill -0 $! 2>/dev/null || { tail -n 20 "$graph/stdio.log" "$log" >&2; die 'isulad did not start'; }
    sleep 0.1
  done
  "$isula" version >/dev/null || die "isulad does not answer, see $log"
fi

if ! "$isula" inspect busybox:latest >/dev/null 2>&1; then
  say "importing busybox:latest, made of this host's /bin/busybox"
  tar=$(mktemp --suffix=.tar)
  trap 'rm -f "$tar"' EXIT
  node_modules/.bin/bun tools/busybox-image.ts "$tar"
  "$isula" import -c 'CMD ["sh"]' "$tar" busybox:latest
fi

show() {
  local word shown=
  for word in "$@"; do case $word in *[!A-Za-z0-9:/._-]*) shown="$shown '$word'" ;; *) shown="$shown $word" ;; esac; done
  printf '\n$ isula%s\n' "$shown"
  "$isula" "$@"
}
show run --rm --net none busybox echo 'hello from a container'
show run --rm --net none busybox sh -c 'id -un; hostname; ps'
show images

cat <<EOT

Done. isulad runs with graph $graph, log $log, socket /var/run/isulad.sock.
Next:
  $isula run -it --net none busybox sh
                      a shell in a container
  $isula ps -a
                      containers
  DOCKER_HOST=unix:///var/run/isulad.sock docker ps
                      any docker client works too
  kill \$(cat $pidfile)
                      stops isulad, containers go on
  ./install.sh
                      installs it, with systemd unit, completions and man pages
EOT
