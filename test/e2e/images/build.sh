#!/bin/sh
# Makes the images that the e2e workloads run, from the distribution's packages alone, as test.hyperup.invalid/<name>:1.
# One root file system serves them all and is kept as a tar in ${XDG_CACHE_HOME:-~/.cache}/hyperup-test; an image whose
# inputs did not change is left as it is. Says one line for each step that it does. Run as root; Debian only.
# Usage: build.sh [name…]   (default: flask redis mariadb web busybox)
set -eu

registry=test.hyperup.invalid
packages='python3-flask,python3-redis,python3-pymysql,redis-server,mariadb-server-core,mariadb-client-core,busybox-static'
# Grows with every change to how the root file system is made.
base_format=1
label=io.hyperup.test
inputs_label=io.hyperup.test.inputs
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/hyperup-test

say() { printf 'images: %s\n' "$*"; }
fail() {
  printf 'images: %s\n' "$*" >&2
  exit 1
}

# What an image was made from, where it is in the engine.
inputs_of() { docker image inspect --format "{{index .Config.Labels \"$inputs_label\"}}" "$registry/$1:1" 2>/dev/null || true; }

# Where apt takes this release's main packages from, and the release's name.
package_source() {
  release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-}")
  [ -n "$release" ] || fail '/etc/os-release names no release: only Debian can make these images'
  uri=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    awk -v release="$release" '$2 == release && $3 == "main" { print $1; exit }')
  [ -n "$uri" ] || fail "apt knows no source of $release main: run apt-get update, or add one"
}

work=
clean_up() {
  if [ -n "$work" ]; then rm -rf --one-file-system "$work"; fi
}

make_root_file_system() {
  command -v debootstrap >/dev/null || fail 'debootstrap is not there: run make engine'
  package_source
  mkdir -p "$cache/debs"
  work=$(mktemp -d "$cache/root.XXXXXX")
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  say "making the root file system of $release (a minute or two)"
  if ! debootstrap --variant=minbase --include="$packages" --cache-dir="$cache/debs" "$release" "$work/root" "$uri" >"$work/log" 2>&1; then
    tail -n 20 "$work/log" "$work/root/debootstrap/debootstrap.log" >&2 2>/dev/null || true
    fail 'debootstrap failed: see above'
  fi
  rm -rf "$work/root/usr/share/doc" "$work/root/usr/share/man" "$work/root/usr/share/info" "$work/root/usr/share/locale" \
    "$work/root/var/lib/apt/lists" "$work/root/var/cache/apt" "$work/root/etc/apt/sources.list"
  tar -C "$work/root" --numeric-owner -cf "$work/root.tar" .
  mv -f "$work/root.tar" "$root_tar"
  clean_up
  work=
  find "$cache" -maxdepth 1 -name 'root-*.tar' ! -path "$root_tar" -delete
}

build_base() {
  [ "$(inputs_of base)" != "$base_inputs" ] || return 0
  if [ ! -s "$root_tar" ]; then make_root_file_system; fi
  say 'importing the root file system'
  replace base docker import -c "LABEL $label=true $inputs_label=$base_inputs" \
    -c 'ENV LANG=C.UTF-8 PYTHONUNBUFFERED=1' "$root_tar" "$registry/base:1"
}

# Runs a command that tags an image anew, and removes the one that had the tag. Shows the output only on failure: the
# classic builder, which is in every engine, says on each run how old it is.
replace() {
  name=$1
  shift
  before=$(docker image inspect --format '{{.Id}}' "$registry/$name:1" 2>/dev/null || true)
  if ! output=$("$@" 2>&1); then
    printf '%s\n' "$output" >&2
    fail "making $registry/$name:1 failed: see above"
  fi
  after=$(docker image inspect --format '{{.Id}}' "$registry/$name:1")
  if [ -n "$before" ] && [ "$before" != "$after" ]; then docker image rm "$before" >/dev/null 2>&1 || true; fi
}

# A folder with a Dockerfile is built on the base. One with root.sh is an image of its own, of the tar that the script
# writes in a container of the base.
build() {
  [ -d "$here/$1" ] || fail "there is no image $1 here"
  inputs=$( (printf '%s' "$base_inputs"; cd "$here/$1" && find . -type f | LC_ALL=C sort | xargs sha256sum) | sha256sum | cut -c 1-16)
  [ "$(inputs_of "$1")" != "$inputs" ] || return 0
  build_base
  say "building $registry/$1:1"
  if [ -f "$here/$1/root.sh" ]; then
    replace "$1" import_root "$1"
  else
    replace "$1" env DOCKER_BUILDKIT=0 docker build --force-rm -q --label "$label=true" --label "$inputs_label=$inputs" \
      -t "$registry/$1:1" "$here/$1"
  fi
}

import_root() {
  tar=$(mktemp "$cache/image.XXXXXX")
  docker run --rm -i --network none --label "$label=true" "$registry/base:1" sh -s <"$here/$1/root.sh" >"$tar" &&
    docker import -c "LABEL $label=true $inputs_label=$inputs" -c 'ENV PATH=/bin' -c 'CMD ["sh"]' "$tar" "$registry/$1:1"
  status=$?
  rm -f "$tar"
  return $status
}

docker version --format '{{.Server.Version}}' >/dev/null || fail 'no engine answers: run make engine'
base_inputs=$(printf '%s' "$base_format $packages" | sha256sum | cut -c 1-16)
root_tar=$cache/root-$base_inputs.tar
[ $# -gt 0 ] || set -- flask redis mariadb web busybox
for name in "$@"; do build "$name"; done
