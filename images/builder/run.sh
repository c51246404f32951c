#!/bin/sh
# Makes the layers of all images. Runs inside the build root.
#
#   run.sh STEP      STEP: layers | fetch | generate | compile
#
# /recipe: the images folder, read-only. /build: kept between runs; finished layers are /build/layers/NAME.tar.
# A finished step leaves a stamp, so that an interrupted build goes on with the step that it was in.
set -eu
step=$1
version=$(jq -r .kubernetesVersion /recipe/image-set.json)
stamps=/build/stamps layers=/build/layers tree=/build/src/kubernetes
mkdir -p "$stamps" "$layers"
# every time in a layer is this one: the release date of the packaged Kubernetes
export SOURCE_DATE_EPOCH=1610544000 LC_ALL=C

say() { printf 'step: %s\n' "$*"; }

# layer NAME FOLDER: packs a folder with fixed order, owners and times
layer() {
  tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --clamp-mtime --owner=0 --group=0 --numeric-owner --format=gnu \
    -C "$2" -cf "$layers/$1.tar.part" .
  mv "$layers/$1.tar.part" "$layers/$1.tar"
  say "layer $1: $(stat -c %s "$layers/$1.tar") bytes"
}

# the packages that a layer's files came from, as NAME=VERSION lines; a package may know a file by its path from
# before /usr was merged
provenance() {
  (cd "$2" && find . -type f -printf '/%P\n') | sed 'p; s#^/usr/#/#' | xargs dpkg -S 2>/dev/null | sed 's/: .*//; s/:[a-z0-9]*$//' |
    tr -d ' ' | tr ',' '\n' | sort -u | while read -r package; do dpkg-query -W -f '${Package}=${Version}\n' "$package"; done |
    sort -u >"$layers/$1.packages"
}

merged_usr() {
  for folder in bin sbin lib lib64; do mkdir -p "$1/usr/$folder"; ln -s "usr/$folder" "$1/$folder"; done
}

make_core() {
  root=/tmp/core
  sh /recipe/base/assemble.sh /recipe/base/core.txt "$root"
  merged_usr "$root"
  mkdir -p "$root/etc" "$root/tmp" "$root/var/tmp" "$root/var/lib" "$root/root" "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/usr/share"
  chmod 1777 "$root/tmp" "$root/var/tmp"
  chmod 700 "$root/root"
  ln -s ../run "$root/var/run"
  # names are resolved through these two, which the C library loads by name
  for library in /lib/*-linux-gnu/libnss_dns.so.2 /lib/*-linux-gnu/libnss_files.so.2; do
    [ ! -e "$library" ] || { mkdir -p "$root/usr$(dirname "$library")"; cp -aL "$library" "$root/usr$library"; }
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n' >"$root/etc/nsswitch.conf"
  cp /etc/protocols /etc/services "$root/etc/"
  cp -L /etc/os-release "$root/etc/os-release"
  mkdir -p "$root/etc/ssl/certs"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  ldconfig -r "$root" 2>/dev/null || :
  rm -rf "$root/var/cache"
  provenance core "$root"
  layer core "$root"
}

make_tools() {
  root=/tmp/tools
  sh /recipe/base/assemble.sh /recipe/base/tools.txt "$root" /tmp/core
  multiarch=$(dirname "$(ls -d /usr/lib/*-linux-gnu/xtables)")
  mkdir -p "$root$multiarch"
  cp -a "$multiarch/xtables" "$root$multiarch/"
  for family in iptables ip6tables; do
    for name in "$family" "$family-save" "$family-restore"; do cp /recipe/base/select-iptables "$root/usr/sbin/$name"; done
  done
  [ ! -e /etc/netconfig ] || { mkdir -p "$root/etc"; cp /etc/netconfig "$root/etc/"; }
  # the kubelet calls mkfs and fsck by the generic names as well
  rmdir "$root/usr/lib64" 2>/dev/null || :
  provenance tools "$root"
  layer tools "$root"
}

make_etcd() {
  root=/tmp/etcd
  rm -rf "$root"; mkdir -p "$root/usr/bin" "$root/usr/local/bin"
  cp /usr/bin/etcd /usr/bin/etcdctl "$root/usr/bin/"
  strip "$root/usr/bin/etcd" "$root/usr/bin/etcdctl" 2>/dev/null || :
  # where the upstream image has them
  ln -s ../../bin/etcd "$root/usr/local/bin/etcd"
  ln -s ../../bin/etcdctl "$root/usr/local/bin/etcdctl"
  dpkg-query -W -f '${Package}=${Version}\n' etcd-server etcd-client >"$layers/etcd.packages"
  layer etcd "$root"
}

make_pause() {
  root=/tmp/pause
  rm -rf "$root"; mkdir -p "$root"
  gcc -Os -Wall -static -DVERSION=3.2 -s -o "$root/pause" "$tree/build/pause/linux/pause.c" 2>/dev/null ||
    gcc -Os -Wall -static -DVERSION=3.2 -s -o "$root/pause" "$tree/build/pause/pause.c"
  { source_package; dpkg-query -W -f '${Package}=${Version}\n' libc6-dev; } >"$layers/pause.packages"
  layer pause "$root"
}

source_package() { printf 'kubernetes=%s\n' "$(sed -n 's/^Version: //p' /build/src/*.dsc | head -1)"; }

fetch() {
  [ ! -e "$stamps/fetch" ] || return 0
  say 'fetch the kubernetes source package'
  rm -rf /build/src; mkdir -p /build/src
  sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >/tmp/deb-src.list
  apt-get -qq -o Dir::Etc::sourcelist=/tmp/deb-src.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 update
  (cd /build/src && apt-get -qq -o APT::Sandbox::User=root -o Dir::Etc::sourcelist=/tmp/deb-src.list -o Dir::Etc::sourceparts=- source kubernetes >/build/fetch.log 2>&1) ||
    { tail -5 /build/fetch.log >&2; exit 1; }
  found=$(ls -d /build/src/kubernetes-1.*)
  case $found in
    *really"${version#v}" | *kubernetes-"${version#v}") ;;
    *) echo "fetch: the distribution's source package is $(basename "$found"), want ${version#v}" >&2; exit 1 ;;
  esac
  mv "$found" "$tree"
  rm -f /build/src/*.tar.*
  # the vendored reflect2 predates the map iterator of Go 1.18 and crashes on it; the distribution's own is current
  rm -rf "$tree/vendor/github.com/modern-go/reflect2"
  cp -r /usr/share/gocode/src/github.com/modern-go/reflect2 "$tree/vendor/github.com/modern-go/reflect2"
  mkdir -p "$tree/.go/src/k8s.io"
  ln -sfn ../../.. "$tree/.go/src/k8s.io/kubernetes"
  touch "$stamps/fetch"
}

go_environment() {
  # the commit that upstream tagged; the packaged tree has no .git to read it from
  cat >/build/version.sh <<V
KUBE_GIT_COMMIT=faecb196815e248d3ecfb03c680a4507229c2a56
KUBE_GIT_TREE_STATE=clean
KUBE_GIT_VERSION=$version
KUBE_GIT_MAJOR=1
KUBE_GIT_MINOR=20
V
  export GOPATH="$tree/.go" GOCACHE=/build/go-cache CGO_ENABLED=0 KUBE_GIT_VERSION_FILE=/build/version.sh GOLDFLAGS='-s -w' HOME=/build
  mkdir -p "$tree/cmd/hyperkube"
  cp /recipe/hyperkube/main.go "$tree/cmd/hyperkube/main.go"
  cd "$tree/.go/src/k8s.io/kubernetes"
}

generate() {
  [ ! -e "$stamps/generate" ] || return 0
  say 'generate API code'
  go_environment
  make generated_files
  touch "$stamps/generate"
}

compile() {
  go_environment
  say "compile hyperkube ($(GO111MODULE=off go list -deps ./cmd/hyperkube | wc -l) packages)"
  export GOFLAGS=-v
  make WHAT=cmd/hyperkube
  root=/tmp/hyperkube
  rm -rf "$root"; mkdir -p "$root/usr/local/bin"
  cp _output/bin/hyperkube "$root/hyperkube"
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl hyperkube; do
    ln -s /hyperkube "$root/usr/local/bin/$name"
  done
  unset GOFLAGS
  "$root/hyperkube" --version | grep -qxF "Kubernetes $version" || { echo "compile: hyperkube says $("$root/hyperkube" --version), want $version" >&2; exit 1; }
  source_package >"$layers/hyperkube.packages"
  printf 'golang=%s\n' "$(go env GOVERSION)" >>"$layers/hyperkube.packages"
  layer hyperkube "$root"
}

case $step in
  fetch) fetch ;;
  layers) make_core; make_tools; make_etcd; make_pause ;;
  generate) generate ;;
  compile) compile ;;
  *) echo "run.sh: no step $step" >&2; exit 2 ;;
esac
