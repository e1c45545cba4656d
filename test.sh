#!/usr/bin/env bash
# Proves the tree good: types, tidy, unit and integration tests. The last line says `N passed, N failed`.
# Usage: ./test.sh [PATTERN]    PATTERN: types, tidy, unit, integration, part of a test file's path or of a test's name
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/packages.sh
. tools/packages.sh

fail() { trap - EXIT; printf '%s\n0 passed, 1 failed\n' "$1"; exit 1; }
trap 'status=$?; [ $status = 0 ] || fail "the preparations failed (exit status $status)"' EXIT

packages=$(engine_packages)
# Independent readers and writers of what we make, and the Go client of the gRPC regression test.
if command -v apt-get >/dev/null; then
  packages="$packages openssl skopeo umoci docker-registry docker.io golang-google-grpc-dev squashfs-tools erofs-utils e2fsprogs"
  command -v go >/dev/null || packages="$packages golang-go"
fi
# shellcheck disable=SC2086
ensure_packages $packages
ensure_node_modules
mount_leftover_controllers
node_modules/.bin/bun tools/build.ts --if-changed || fail 'the build failed'
trap - EXIT
exec node_modules/.bin/bun tools/test.ts "$@"
