import t from 'tap';
import { parseOsRelease } from '../../../src/engine/os-release.js';
import { type PackageManager, planPackages } from '../../../src/engine/package-plan.js';

const apt =
  'apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold install docker.io iptables ca-certificates';

const planned: readonly {
  readonly name: string;
  readonly os: string;
  readonly present: readonly PackageManager[];
  readonly refresh?: string;
  readonly installs: readonly string[];
}[] = [
  {
    name: 'Debian',
    os: 'ID=debian\n',
    present: ['apt-get'],
    refresh: 'apt-get -q -o DPkg::Lock::Timeout=120 update',
    installs: [apt],
  },
  {
    name: 'Ubuntu',
    os: 'ID=ubuntu\nID_LIKE=debian\n',
    present: ['apt-get'],
    refresh: 'apt-get -q -o DPkg::Lock::Timeout=120 update',
    installs: [apt],
  },
  {
    name: 'a derivative',
    os: 'ID=linuxmint\nID_LIKE="ubuntu debian"\n',
    present: ['apt-get'],
    refresh: 'apt-get -q -o DPkg::Lock::Timeout=120 update',
    installs: [apt],
  },
  {
    name: 'Fedora, also where apt-get is installed there',
    os: 'ID=fedora\n',
    present: ['apt-get', 'dnf'],
    installs: ['dnf -y install moby-engine', 'dnf -y install docker'],
  },
  { name: 'Amazon Linux', os: 'ID="amzn"\nID_LIKE="fedora"\n', present: ['dnf'], installs: ['dnf -y install docker'] },
  {
    name: 'openEuler',
    os: 'ID="openEuler"\n',
    present: ['dnf'],
    installs: ['dnf -y install docker-engine', 'dnf -y install moby-engine', 'dnf -y install docker'],
  },
  { name: 'Alpine', os: 'ID=alpine\n', present: ['apk'], refresh: 'apk update', installs: ['apk add docker'] },
  {
    name: 'openSUSE',
    os: 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n',
    present: ['zypper'],
    refresh: 'zypper --non-interactive refresh',
    installs: ['zypper --non-interactive install --no-recommends docker iptables'],
  },
  { name: 'Arch', os: 'ID=arch\n', present: ['pacman'], installs: ['pacman -S --noconfirm --needed docker'] },
  {
    name: 'a name that nobody knows, with a package manager that we do',
    os: 'ID=home-grown\n',
    present: ['apk'],
    refresh: 'apk update',
    installs: ['apk add docker'],
  },
];
for (const { name, os, present, refresh, installs } of planned) {
  t.test(name, async (test) => {
    const plan = planPackages(parseOsRelease(os), present);
    test.same(
      plan?.installs.map((command) => command.join(' ')),
      installs,
    );
    test.equal(plan?.refresh?.join(' '), refresh);
    test.same(plan?.env, plan?.manager === 'apt-get' ? { DEBIAN_FRONTEND: 'noninteractive' } : {});
  });
}

const unplanned: readonly {
  readonly name: string;
  readonly os: string;
  readonly present: readonly PackageManager[];
}[] = [
  { name: 'Red Hat, whose docker is podman', os: 'ID="rhel"\nID_LIKE="fedora"\n', present: ['dnf'] },
  { name: 'Rocky', os: 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', present: ['dnf'] },
  { name: 'a derivative of Red Hat', os: 'ID="anolis"\nID_LIKE="rhel fedora centos"\n', present: ['dnf'] },
  { name: 'no package manager', os: 'ID=debian\n', present: [] },
];
for (const { name, os, present } of unplanned) {
  t.test(`none for ${name}`, async (test) => test.equal(planPackages(parseOsRelease(os), present), undefined));
}

t.test('os-release is read as a shell would', async (test) => {
  const text = '# comment\nPRETTY_NAME="A \\"quoted\\" name"\nID=\'debian\'\nnonsense\nID_LIKE=\n';
  test.same(parseOsRelease(text), { id: 'debian', idLike: [], prettyName: 'A "quoted" name' });
  test.same(parseOsRelease(''), { id: 'linux', idLike: [], prettyName: 'linux' });
});
