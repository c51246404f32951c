#!/bin/sh
# Makes this machine a test host for hyperup, as root: the packages that the tests call, a Docker Engine that answers
# on its default socket and can run privileged containers, and a local route for the service range. Everything here is
# the test host's set-up and never the product's. Idempotent; where all is there it takes less than a second.
set -eu

packages='docker.io iptables iproute2 ca-certificates debootstrap docker-registry skopeo busybox-static openssl curl procps'
socket=/var/run/docker.sock
config=/etc/docker/daemon.json
log=/var/log/hyperup-test-dockerd.log
apt_log=/var/log/hyperup-test-apt.log
runtime=no-sys-resource
# Not in the checkout: containers restart with the engine, long after a checkout may be gone.
wrapper=/usr/local/lib/hyperup-test/runc-without-sys-resource
service_range=10.96.0.0/12
policy=/usr/sbin/policy-rc.d
policy_mark='hyperup test set-up: packages start no services'
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

say() { printf 'engine: %s\n' "$*"; }
fail() {
  printf 'engine: %s\n' "$*" >&2
  exit 1
}

engine_version() { docker -H "unix://$socket" version --format '{{.Server.Version}}' 2>/dev/null; }
runtime_in_use() {
  docker -H "unix://$socket" info --format "{{.DefaultRuntime}} {{with index .Runtimes \"$runtime\"}}{{.Path}}{{end}}" 2>/dev/null || true
}

# True where the process lives (not as a zombie) and runs that program.
runs() {
  case $(readlink "/proc/$1/exe" 2>/dev/null) in
    */"$2" | */"$2 (deleted)") ;;
    *) return 1 ;;
  esac
}
names_process() { [ -s "$1" ] && runs "$(cat "$1")" "$2"; }

missing_packages() {
  for package in $packages; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
  done
}

remove_policy() {
  if grep -qs "$policy_mark" "$policy"; then rm -f "$policy"; fi
}

# Runs a command whose output matters only when it fails.
quietly() {
  if "$@" </dev/null >"$apt_log" 2>&1; then return 0; fi
  tail -n 30 "$apt_log" >&2
  fail "$1 failed: its last lines are above, all of them in $apt_log"
}

install_packages() {
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || fail "apt-get is not there: install these by hand, then run this again: $missing"
  say "installing $missing"
  # Without systemd a package's own start-up script would start the engine before it is configured, and a registry
  # on every interface.
  if [ ! -e "$policy" ]; then
    trap remove_policy EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\n# %s\nexit 101\n' "$policy_mark" >"$policy"
    chmod 0755 "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  quietly apt-get -q update
  # shellcheck disable=SC2086 # a list of names
  quietly apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold install $missing
  remove_policy
}

# False where the bounding set lacks CAP_SYS_RESOURCE, number 24.
may_raise_resources() {
  bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
  [ $(((0x$bounding >> 24) & 1)) = 1 ]
}

install_wrapper() {
  if ! cmp -s "$here/runc-without-sys-resource" "$wrapper"; then
    mkdir -p "$(dirname "$wrapper")"
    install -m 0755 "$here/runc-without-sys-resource" "$wrapper.new"
    mv -f "$wrapper.new" "$wrapper"
    say "this host lacks CAP_SYS_RESOURCE: installed the runtime $wrapper"
  fi
  node "$here/set-default-runtime.js" "$config" "$runtime" "$wrapper"
}

reload_engine() {
  want="$runtime $wrapper"
  [ "$(runtime_in_use)" != "$want" ] || return 0
  names_process /var/run/docker.pid dockerd || fail "the engine's process is unknown: restart it, so that it reads $config"
  say "reloading the engine for its default runtime $runtime"
  kill -HUP "$(cat /var/run/docker.pid)"
  tries=0
  while [ "$(runtime_in_use)" != "$want" ]; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || fail "the engine did not take over $config: restart it"
    sleep 0.2
  done
}

start_engine() {
  engine_pid=
  if [ -d /run/systemd/system ]; then
    say 'starting the engine with systemd'
    systemctl start docker || fail 'systemd could not start docker: see journalctl -u docker'
  else
    # On a disk that outlives its processes these may name others, and the engine would believe that it runs already.
    names_process /var/run/docker.pid dockerd || rm -f /var/run/docker.pid
    names_process /var/run/docker/containerd/containerd.pid containerd || rm -f /var/run/docker/containerd/containerd.pid
    say "starting dockerd, logging to $log"
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
      setsid dockerd </dev/null >"$log" 2>&1 &
    engine_pid=$!
  fi
  tries=0
  until engine_version >/dev/null; do
    tries=$((tries + 1))
    # The first second is left to env and setsid, until they have become dockerd.
    if [ $tries -ge 300 ] || { [ -n "$engine_pid" ] && [ $tries -gt 5 ] && ! runs "$engine_pid" dockerd; }; then
      tail -n 20 "$log" >&2 2>/dev/null || true
      fail "no engine answers on $socket: the last lines of $log are above"
    fi
    sleep 0.2
  done
}

# So that a service address that nothing serves ends here and never leaves by the default route.
add_route() {
  [ -z "$(ip route show table local exact "$service_range")" ] || return 0
  ip route add local "$service_range" dev lo
  say "added a local route for $service_range"
}

[ "$(id -u)" = 0 ] || fail 'run this as root'
command -v node >/dev/null || fail 'node is not there: install Node 20.18 or later'
remove_policy
install_packages
may_raise_resources || install_wrapper
if engine_version >/dev/null; then :; else start_engine; fi
may_raise_resources || reload_engine
add_route
say "Docker Engine $(engine_version) answers on $socket, default runtime $(runtime_in_use | cut -d' ' -f1)"
