import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { listCgroups, listPodCgroups, readCgroups, removePodCgroups } from '../../../src/host/cgroups.js';
import { makeHost } from './support.js';

const known = '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t2\t1\t1\npids\t3\t1\t1\n';
const v1Mounts = `31 27 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
`;
const v2Mount = '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n';

async function machine(t: Test, mountinfo: string, files: Readonly<Record<string, string>> = {}) {
  return makeHost(t, { '/proc/self/mountinfo': mountinfo, '/proc/cgroups': known, ...files });
}

t.test('how cgroups are laid out', async (t) => {
  const cases = [
    { name: 'v1', mounts: v1Mounts, files: {}, mode: 'v1', controllers: ['cpu', 'memory'] },
    { name: 'hybrid', mounts: v1Mounts + v2Mount, files: {}, mode: 'hybrid', controllers: ['cpu', 'memory'] },
    {
      name: 'v2',
      mounts: '41 27 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
      files: { '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu memory\n' },
      mode: 'v2',
      controllers: ['cpu', 'cpuset', 'memory'],
    },
    {
      name: "v2 with systemd's own v1 hierarchy",
      mounts: `41 27 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n42 27 0:39 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n`,
      files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory\n' },
      mode: 'v2',
      controllers: ['cpu', 'memory'],
    },
    { name: 'none', mounts: '27 1 254:0 / / rw - ext4 /dev/vda rw\n', files: {}, mode: 'none', controllers: [] },
  ];
  for (const { name, mounts, files, mode, controllers } of cases) {
    t.match(await readCgroups(await machine(t, mounts, files)), { mode, controllers }, name);
  }
});

t.test('pod cgroups go deepest first; one with processes stays and is reported', async (t) => {
  const host = await machine(t, v1Mounts);
  const at = (path: string) => join(host.root, '/sys/fs/cgroup', path);
  for (const path of [
    'cpu/kubepods/burstable/pod1/c1',
    'cpu/kubepods/besteffort',
    'memory/kubepods/burstable/pod2',
    'memory/docker/abc',
    'memory/kubepodsmine',
    'systemd/kubepods.slice/kubepods-burstable.slice',
  ]) {
    await mkdir(at(path), { recursive: true });
  }
  await writeFile(at('memory/kubepods/burstable/pod2/cgroup.procs'), '17\n18\n');
  t.equal((await listCgroups(host)).length, 13);
  const keep = `/sys/fs/cgroup/cpu/kubepods/besteffort`;
  const { removed, left } = await removePodCgroups(host, new Set([keep]));
  t.same(removed, [
    '/sys/fs/cgroup/systemd/kubepods.slice/kubepods-burstable.slice',
    '/sys/fs/cgroup/systemd/kubepods.slice',
    '/sys/fs/cgroup/cpu/kubepods/burstable/pod1/c1',
    '/sys/fs/cgroup/cpu/kubepods/burstable/pod1',
    '/sys/fs/cgroup/cpu/kubepods/burstable',
  ]);
  t.same(left[0], { path: '/sys/fs/cgroup/memory/kubepods/burstable/pod2', pids: [17, 18] });
  t.ok((await listPodCgroups(host)).includes(keep));
  t.same(await readdir(at('memory')), ['docker', 'kubepods', 'kubepodsmine']);
});

t.test('done twice, there is nothing to do', async (t) => {
  t.same(await removePodCgroups(await machine(t, v1Mounts)), { removed: [], left: [] });
});
