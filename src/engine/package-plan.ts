import type { OsRelease } from './os-release.js';

export type PackageManager = 'apt-get' | 'dnf' | 'apk' | 'zypper' | 'pacman';

export const packageManagers: readonly PackageManager[] = ['apt-get', 'dnf', 'apk', 'zypper', 'pacman'];

/** Commands as argv. */
export interface PackagePlan {
  readonly manager: PackageManager;
  /** Brings the list of packages up to date; its failure alone isn't one. */
  readonly refresh: readonly string[] | undefined;
  /** One after the other until one succeeds: a package has other names in other distributions. */
  readonly installs: readonly (readonly string[])[];
  readonly env: Readonly<Record<string, string>>;
}

const byFamily: Readonly<Record<string, PackageManager>> = {
  debian: 'apt-get',
  ubuntu: 'apt-get',
  fedora: 'dnf',
  amzn: 'dnf',
  openeuler: 'dnf',
  alpine: 'apk',
  suse: 'zypper',
  opensuse: 'zypper',
  arch: 'pacman',
};

/** Red Hat's own family has no Docker package: there `docker` is a front of podman, which can't drive a kubelet. */
const withoutDocker = new Set(['rhel', 'centos', 'rocky', 'almalinux', 'ol']);

/**
 * Apt waits for another apt instead of failing, and keeps what the user changed in /etc. docker.io merely recommends
 * iptables in some releases, and dockerd doesn't start without; ca-certificates are what registries are checked by.
 */
const aptOptions = ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Options::=--force-confold'];
const aptPackages = ['docker.io', 'iptables', 'ca-certificates'];

/** Names of the package, the distribution's own first. */
const dnfPackages: Readonly<Record<string, readonly string[]>> = {
  fedora: ['moby-engine', 'docker'],
  amzn: ['docker'],
  openeuler: ['docker-engine', 'moby-engine', 'docker'],
};

/**
 * How this distribution's own Docker package gets in, from the package managers that are on the machine: pure.
 * Undefined where none is known, and for Red Hat's family, which has no such package.
 */
export function planPackages(os: OsRelease, present: readonly PackageManager[]): PackagePlan | undefined {
  const family = [os.id, ...os.idLike];
  // Fedora and openEuler call themselves like Red Hat's; their own name decides.
  if (withoutDocker.has(os.id) || (dnfPackages[os.id] === undefined && family.some((id) => withoutDocker.has(id)))) {
    return undefined;
  }
  const named = family.map((id) => byFamily[id]).find((manager) => manager !== undefined && present.includes(manager));
  const manager = named ?? present[0];
  return manager && planFor(manager, family);
}

function planFor(manager: PackageManager, family: readonly string[]): PackagePlan {
  switch (manager) {
    case 'apt-get':
      return {
        manager,
        refresh: ['apt-get', '-q', ...aptOptions.slice(0, 2), 'update'],
        installs: [['apt-get', '-q', '-y', '--no-install-recommends', ...aptOptions, 'install', ...aptPackages]],
        env: { DEBIAN_FRONTEND: 'noninteractive' },
      };
    case 'dnf': {
      const names = family.map((id) => dnfPackages[id]).find((each) => each !== undefined) ?? ['moby-engine', 'docker'];
      const installs = names.map((name) => ['dnf', '-y', 'install', name]);
      return { manager, refresh: undefined, installs, env: {} };
    }
    case 'apk':
      return { manager, refresh: ['apk', 'update'], installs: [['apk', 'add', 'docker']], env: {} };
    case 'zypper':
      return {
        manager,
        refresh: ['zypper', '--non-interactive', 'refresh'],
        installs: [['zypper', '--non-interactive', 'install', '--no-recommends', 'docker', 'iptables']],
        env: {},
      };
    case 'pacman':
      // No refresh: pacman supports it only together with an upgrade of the whole system.
      return {
        manager,
        refresh: undefined,
        installs: [['pacman', '-S', '--noconfirm', '--needed', 'docker']],
        env: {},
      };
  }
}
