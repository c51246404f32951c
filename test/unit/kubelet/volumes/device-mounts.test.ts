import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import { createDeviceMounts } from '../../../../src/kubelet/volumes/device-mounts.js';
import { createVolumeLayout } from '../../../../src/kubelet/volumes/volume-layout.js';
import { makeFakeMounter } from '../../../fakes/fake-mounter.js';

const request = { name: 'pv', device: '/dev/d', fsType: undefined, readOnly: false, mountOptions: [] };

function setUp(test: Test) {
  const rootDir = test.testdir();
  const layout = createVolumeLayout({ rootDir });
  const mounter = makeFakeMounter();
  mounter.answers.set('blkid', { exitCode: 2 });
  const make = () => createDeviceMounts({ layout, mounter, logger: silentLogger });
  const path = join(rootDir, 'plugins/kubernetes.io/local-volume/mounts/pv');
  const bindTo = (uid: string) => (source: string) =>
    mounter.mount({ source, target: layout.volumeDir(uid, 'local', 'pv'), options: ['bind'] });
  return { layout, mounter, make, path, bindTo };
}

t.test('mounts once for all pods and unmounts after the last, also after a restart', async (test) => {
  const { layout, mounter, make, path, bindTo } = setUp(test);
  const before = make();
  await Promise.all(['a', 'b'].map((uid) => before.use({ ...request, mountOptions: ['noatime'] }, bindTo(uid))));
  test.same(
    mounter.requests.map(({ source, target, fsType, options }) => [source, target, fsType, options]),
    [
      ['/dev/d', path, 'ext4', ['noatime']],
      [path, layout.volumeDir('a', 'local', 'pv'), undefined, ['bind']],
      [path, layout.volumeDir('b', 'local', 'pv'), undefined, ['bind']],
    ],
  );
  test.equal(mounter.commands.filter((line) => line.startsWith('mkfs')).length, 1);
  const after = make();
  await mounter.unmount(layout.volumeDir('a', 'local', 'pv'));
  await after.release('pv');
  test.equal(mounter.table.length, 2, 'the other pod uses it');
  await mounter.unmount(layout.volumeDir('b', 'local', 'pv'));
  await after.release('pv');
  test.same(mounter.table, []);
  await test.rejects(stat(path), { code: 'ENOENT' });
  await after.release('pv');
});

t.test('is not unmounted below a pod that is just being set up', async (test) => {
  const { mounter, make, path } = setUp(test);
  const devices = make();
  await devices.use(request, async () => {
    await devices.release('pv');
    test.same(
      mounter.table.map(({ mountPoint }) => mountPoint),
      [path],
    );
  });
  await new Promise((resolve) => setImmediate(resolve));
  await devices.release('pv');
  test.same(mounter.table, []);
});

t.test('one that was mounted to be read is made writable for a pod that writes', async (test) => {
  const { mounter, make, path, bindTo } = setUp(test);
  mounter.answers.set('blkid', { stdout: 'TYPE=ext4' });
  const devices = make();
  await devices.use({ ...request, readOnly: true }, bindTo('a'));
  await devices.use({ ...request, readOnly: true }, bindTo('b'));
  test.match(mounter.table[0], { mountPoint: path, superOptions: 'ro' });
  await devices.use(request, bindTo('c'));
  test.match(mounter.table[0], { mountPoint: path, superOptions: 'rw' });
  const remounts = mounter.requests.filter(({ options }) => options.includes('remount'));
  test.match(remounts, [{ source: '/dev/d', target: path, options: ['remount', 'rw'] }]);
});

t.test('another device of that name, and a failed mount', async (test) => {
  const { mounter, make, bindTo } = setUp(test);
  const devices = make();
  mounter.fault = new Error('bad superblock');
  await test.rejects(devices.use(request, bindTo('a')), /bad superblock/);
  mounter.fault = undefined;
  await devices.use(request, bindTo('a'));
  await test.rejects(devices.use({ ...request, device: '/dev/e' }, bindTo('b')), { code: 'Conflict' });
});
