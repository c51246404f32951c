#!/bin/sh
# Copies programs from the build root into the folder of a layer, each with the shared libraries that it loads.
#
#   assemble.sh LIST DEST [BELOW]    LIST: a file of program names; BELOW: a layer underneath, whose files are left out
set -eu
list=$1 dest=$2 below=${3:-}
rm -rf "$dest"
mkdir -p "$dest/usr/bin" "$dest/usr/sbin" "$dest/usr/lib" "$dest/usr/lib64"

# one file (links followed to their end, each link kept), at the place where it is in the build root
copy() {
  path=$1
  while :; do
    real=$(readlink -f "$(dirname "$path")")/$(basename "$path")
    if [ -z "$below" ] || { [ ! -e "$below$real" ] && [ ! -L "$below$real" ]; }; then
      mkdir -p "$dest$(dirname "$real")"
      [ -e "$dest$real" ] || [ -L "$dest$real" ] || cp -a "$real" "$dest$real"
    fi
    [ -L "$real" ] || break
    target=$(readlink "$real")
    case $target in
      # a link of the alternatives system becomes the file that it ends at
      /etc/alternatives/*) rm -f "$dest$real"; cp -aL "$real" "$dest$real"; break ;;
      /*) path=$target ;;
      *) path=$(dirname "$real")/$target ;;
    esac
  done
}

libraries() {
  ldd "$1" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (0x.*/\1/p'
}

with_libraries() {
  copy "$1"
  for library in $(libraries "$1"); do copy "$library"; done
}

grep -v '^#' "$list" | grep . | while read -r name; do
  program=$(command -v "$name" 2>/dev/null || :)
  for folder in /usr/sbin /usr/bin /sbin /bin; do
    [ -x "$folder/$name" ] && program=$folder/$name && break
  done
  [ -n "$program" ] || { echo "assemble: no program $name in the build root" >&2; exit 1; }
  with_libraries "$program"
done
rm -rf "$dest/etc/alternatives"
