# Sourced by quickstart.sh and test.sh: what the host must have, installed when it is missing.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

is_installed() {
  if command -v dpkg-query >/dev/null; then
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
  else
    rpm -q "$1" >/dev/null 2>&1
  fi
}

# ensure_packages NAME... installs those that are missing, by apt or dnf. Services that packages bring are not started.
ensure_packages() {
  local missing=() name policy=/usr/sbin/policy-rc.d made=no status=0 log
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || die "these packages are missing and only root can install them: ${missing[*]}"
  say "installing packages: ${missing[*]}"
  # Not a fixed name in /tmp, where another user could have put a link.
  log=$(mktemp /tmp/isula-packages.XXXXXX)
  if command -v apt-get >/dev/null; then
    if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=yes; fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null ||
      { apt-get update -q </dev/null && apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null; }; } >"$log" 2>&1 || status=$?
    [ $made = no ] || rm -f "$policy"
  elif command -v dnf >/dev/null; then
    dnf install -y "${missing[@]}" </dev/null >"$log" 2>&1 || status=$?
  else
    die "neither apt-get nor dnf is here: install ${missing[*]} by hand"
  fi
  [ $status = 0 ] || { tail -n 20 "$log" >&2; die "cannot install packages: ${missing[*]} (log: $log)"; }
  rm -f "$log"
}

# What the engine itself needs; package names differ between the two families.
engine_packages() {
  if command -v apt-get >/dev/null; then
    echo conmon crun runc busybox-static iptables nftables zstd xz-utils bzip2 procps util-linux tini
  else
    echo conmon crun runc busybox iptables nftables zstd xz bzip2 procps-ng util-linux
  fi
}

# node_modules as the lock file says, installed again when it changed.
ensure_node_modules() {
  command -v npm >/dev/null || ensure_packages nodejs npm
  if [ ! -x node_modules/.bin/bun ] || ! cmp -s package-lock.json node_modules/.isula-lock; then
    say 'installing npm packages (npm ci)'
    npm ci --no-audit --no-fund --loglevel=error </dev/null
    cp package-lock.json node_modules/.isula-lock
  fi
}

# crun 1.8 refuses a hybrid cgroup layout while the cgroup2 mount still has controllers. Mounting those as version 1, beside the
# others, gives it what it wants. Without this the daemon uses runc, which is slower.
mount_leftover_controllers() {
  local unified=/sys/fs/cgroup/unified controller
  [ "$(stat -f -c %T /sys/fs/cgroup 2>/dev/null)" = tmpfs ] || return 0
  for controller in $(cat $unified/cgroup.controllers 2>/dev/null); do
    [ "$controller" = hugetlb ] || [ "$controller" = misc ] || [ "$controller" = rdma ] || continue
    mkdir -p "/sys/fs/cgroup/$controller"
    if mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" 2>/dev/null; then
      say "mounted the cgroup controller $controller as version 1: crun refuses this host's hybrid layout without it"
    else
      rmdir "/sys/fs/cgroup/$controller" 2>/dev/null || true
    fi
  done
}
