import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeEntryLine } from '../../../src/host/journal-format.js';
import { readFirewall, readFormerInstall } from '../../../src/preflight/read-former-install.js';
import { makeHost } from '../host/support.js';
import { goodCluster } from './good-facts.js';

const stat = (pid: number, comm: string) => `${pid} (${comm}) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0\n`;
const own = 'c'.repeat(64);

async function machine(
  t: Test,
  files: Readonly<Record<string, string>>,
  networks: Readonly<Record<string, string>> = {},
) {
  const host = await makeHost(t, files);
  for (const [pid, network] of Object.entries({ self: 'net:[1]', ...networks })) {
    await mkdir(join(host.root, 'proc', pid, 'ns'), { recursive: true });
    await symlink(network, join(host.root, 'proc', pid, 'ns', 'net'));
  }
  return host;
}

const look = async (host: Awaited<ReturnType<typeof machine>>, cluster = goodCluster) =>
  (await readFormerInstall(host, cluster, [own], [])).traces.map(
    ({ maker, what, blocking }) => `${blocking ? '!' : '-'} ${maker}: ${what}`,
  );

t.test('a clean machine, with folders that are there but empty', async (t) => {
  const host = await machine(t, {});
  await mkdir(join(host.root, '/etc/kubernetes/manifests'), { recursive: true });
  await mkdir(join(host.root, '/var/lib/kubelet/pods'), { recursive: true });
  t.same(await readFormerInstall(host, goodCluster, [], []), { journaledChanges: 0, traces: [] });
});

t.test('files, by where they are', async (t) => {
  const cases = [
    {
      name: 'manifests',
      files: { '/etc/kubernetes/manifests/etcd.yaml': '', '/etc/kubernetes/manifests/README': '' },
      traces: ['! kubeadm: /etc/kubernetes/manifests has etcd.yaml'],
    },
    {
      name: 'certificates',
      files: { '/etc/kubernetes/pki/ca.crt': '' },
      traces: ['! kubeadm: /etc/kubernetes/pki has ca.crt'],
    },
    {
      name: 'kubeconfigs',
      files: { '/etc/kubernetes/admin.conf': '' },
      traces: ['! kubeadm: /etc/kubernetes has admin.conf'],
    },
    {
      name: 'data of etcd elsewhere',
      files: { '/var/lib/etcd/member/wal': '' },
      traces: ['- kubeadm: /var/lib/etcd has member'],
    },
    {
      name: 'data of our own that was kept',
      files: { '/var/lib/hyperup/etcd/member/wal': '' },
      traces: ['- kubeadm: /var/lib/hyperup/etcd has member'],
    },
    {
      name: 'a kubelet’s',
      files: { '/var/lib/kubelet/config.yaml': '', '/var/lib/kubelet/other': '' },
      traces: ['! kubeadm: /var/lib/kubelet has config.yaml'],
    },
    { name: 'pods', files: { '/var/lib/kubelet/pods/u/x': '' }, traces: ['! kubeadm: /var/lib/kubelet/pods has u'] },
    { name: 'k3s', files: { '/var/lib/rancher/k3s/x': '' }, traces: ['- k3s: /var/lib/rancher/k3s'] },
    {
      name: 'many',
      files: Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [`/etc/kubernetes/pki/${name}`, ''])),
      traces: ['! kubeadm: /etc/kubernetes/pki has a, b, c and 2 more'],
    },
  ];
  for (const { name, files, traces } of cases) t.same(await look(await machine(t, files)), traces, name);
});

t.test('the usual folder is only mentioned where ours is another', async (t) => {
  const host = await machine(t, { '/etc/kubernetes/pki/ca.crt': '' });
  const cluster = { ...goodCluster, paths: { ...goodCluster.paths, configDir: '/opt/k', etcdDir: '/var/lib/etcd' } };
  t.same(await look(host, cluster), ['- kubeadm: /etc/kubernetes/pki has ca.crt']);
  const kept = await machine(t, { '/var/lib/etcd/member/x': '' });
  t.same(await look(kept, cluster), ['! kubeadm: /var/lib/etcd has member'], 'data of others where ours would go');
});

t.test('programs in the host’s network, but for our own', async (t) => {
  const host = await machine(
    t,
    {
      '/proc/5/stat': stat(5, 'kubelet'),
      '/proc/6/stat': stat(6, 'kube-apiserver'),
      '/proc/6/cgroup': `0::/docker/${own}\n`,
      '/proc/7/stat': stat(7, 'kubelet'),
      '/proc/8/stat': stat(8, 'k3s-server'),
      '/proc/9/stat': stat(9, 'kubectl'),
    },
    { 5: 'net:[1]', 6: 'net:[1]', 7: 'net:[2]', 8: 'net:[1]', 9: 'net:[1]' },
  );
  t.same(await look(host), ['! a kubelet: kubelet runs (pid 5)', '! k3s: k3s-server runs (pid 8)']);
});

t.test('pods of another kubelet, and our own journal', async (t) => {
  const entry = { id: 1, time: 'x', change: { kind: 'directory', path: '/a', owned: true } } as const;
  const host = await machine(t, { '/var/lib/hyperup/journal.jsonl': makeEntryLine(entry) });
  const pods = [
    { id: '1', pod: 'web' },
    { id: '2', pod: 'web' },
  ];
  t.same(await readFormerInstall(host, goodCluster, [], pods), {
    journaledChanges: 1,
    traces: [{ maker: 'a kubelet', what: '2 containers of pods (web)', blocking: true }],
  });
});

t.test('firewalls', async (t) => {
  const cases = [
    { name: 'none', files: {}, found: { firewalld: false, ufw: false } },
    { name: 'firewalld', files: { '/proc/5/stat': stat(5, 'firewalld') }, found: { firewalld: true, ufw: false } },
    {
      name: 'ufw',
      files: { '/etc/ufw/ufw.conf': '# ENABLED=no\nENABLED=yes\n' },
      found: { firewalld: false, ufw: true },
    },
    {
      name: 'ufw, off',
      files: { '/etc/ufw/ufw.conf': '# ENABLED=yes\nENABLED=no\n' },
      found: { firewalld: false, ufw: false },
    },
  ];
  for (const { name, files, found } of cases) t.same(await readFirewall(await machine(t, files)), found, name);
});
