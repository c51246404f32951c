# Writes a root file system of nothing but busybox and its applets, as a tar, to stdout.
set -eu
mkdir -p /out/bin /out/etc /out/root /out/proc /out/sys /out/dev
install -d -m 1777 /out/tmp
cp "$(command -v busybox)" /out/bin/busybox
for applet in $(busybox --list); do
  [ "$applet" = busybox ] || ln -s busybox "/out/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >/out/etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' >/out/etc/group
tar -C /out --numeric-owner -cf - .
