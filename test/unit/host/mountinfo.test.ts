import t from 'tap';
import {
  isAtOrUnder,
  isSelfBind,
  mountOf,
  mountsBelow,
  parseMountinfo,
  propagationOf,
} from '../../../src/host/mountinfo.js';

const table = parseMountinfo(`27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 27 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
36 27 254:0 /var/lib/docker /var/lib/docker rw,relatime shared:1 - ext4 /dev/vda rw
40 27 254:0 /var/lib/kubelet /var/lib/kubelet rw,relatime shared:7 master:2 - ext4 /dev/vda rw
41 40 0:50 / /var/lib/kubelet/pods/u/volumes/secret rw shared:9 - tmpfs tmpfs rw,size=4k
42 27 0:51 / /mnt/with\\040space\\011and\\134slash rw - nfs host:/a\\040b rw
43 27 8:1 / /data rw - ext4 /dev/sda1 rw
44 43 8:1 /a /data/a rw - ext4 /dev/sda1 rw
45 43 8:1 /b /data/a rw - ext4 /dev/sda1 rw
46 40 0:4 net:[4026532281] /run/docker/netns/x rw - nsfs nsfs rw
not a mount
`);
const at = (id: number) => {
  const mount = table.find((candidate) => candidate.id === id);
  if (!mount) throw new Error(`no mount ${id}`);
  return mount;
};

t.test('fields', async (t) => {
  t.equal(table.length, 10);
  t.strictSame(at(40), {
    id: 40,
    parentId: 27,
    device: '254:0',
    root: '/var/lib/kubelet',
    mountPoint: '/var/lib/kubelet',
    options: 'rw,relatime',
    tags: ['shared:7', 'master:2'],
    fsType: 'ext4',
    source: '/dev/vda',
    superOptions: 'rw',
  });
  t.same(at(27).tags, []);
  t.equal(at(42).mountPoint, '/mnt/with space\tand\\slash');
  t.equal(at(42).source, 'host:/a b');
  t.equal(at(46).root, 'net:[4026532281]');
});

t.test('paths under a folder, not beside it', async (t) => {
  const cases = [
    { path: '/a', folder: '/a', is: true },
    { path: '/a/b', folder: '/a', is: true },
    { path: '/ab', folder: '/a', is: false },
    { path: '/', folder: '/a', is: false },
    { path: '/a', folder: '/', is: true },
  ];
  for (const { path, folder, is } of cases) t.equal(isAtOrUnder(path, folder), is, `${path} in ${folder}`);
});

t.test('what to unmount comes deepest and newest first, the folder itself not', async (t) => {
  t.same(
    mountsBelow(table, '/var/lib/kubelet').map(({ id }) => id),
    [41],
  );
  t.same(
    mountsBelow(table, '/data').map(({ id }) => id),
    [45, 44],
  );
  t.same(
    mountsBelow(table, '/var/lib').map(({ id }) => id),
    [41, 40, 36],
  );
});

t.test('the mount that a path is on, and how mounts spread there', async (t) => {
  const cases = [
    { path: '/etc', id: 27, mountPoint: '/', shared: false },
    { path: '/var/lib/docker', id: 36, mountPoint: '/var/lib/docker', shared: true },
    { path: '/var/lib/docker/overlay2', id: 36, mountPoint: '/var/lib/docker', shared: true },
    { path: '/var/lib/dockers', id: 27, mountPoint: '/', shared: false },
    { path: '/data/a/x', id: 45, mountPoint: '/data/a', shared: false },
  ];
  for (const { path, id, mountPoint, shared } of cases) {
    t.equal(mountOf(table, path)?.id, id, path);
    t.same(propagationOf(table, path), { mountPoint, shared }, path);
  }
});

t.test('a folder bound on itself is told from everything else', async (t) => {
  const cases = [
    { name: 'the root', id: 27, is: false },
    { name: 'bound on itself', id: 36, is: true },
    { name: 'a disk of its own', id: 43, is: false },
    { name: 'a folder of a disk, in its own place', id: 44, is: true },
    { name: 'another folder of that disk', id: 45, is: false },
    { name: 'another file system', id: 31, is: false },
  ];
  for (const { name, id, is } of cases) t.equal(isSelfBind(table, at(id)), is, name);
  const stacked = parseMountinfo(
    '1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /data rw - ext4 b rw\n3 2 8:2 / /data rw - ext4 b rw\n',
  );
  t.same(
    stacked.map((mount) => isSelfBind(stacked, mount)),
    [false, false, true],
    'stacked on a disk of its own',
  );
});
