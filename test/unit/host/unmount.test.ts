import t from 'tap';
import { unmountSelfBind, unmountUnder } from '../../../src/host/unmount.js';
import { makeFakeMounts } from './fake-mounts.js';

t.test('everything below goes, deepest first; what is on the folder and beside it stays', async (t) => {
  const { host, mounts, commands, add } = await makeFakeMounts(t);
  for (const point of ['/k', '/k/pods/1', '/k/pods/1/volumes/a', '/kk', '/k/pods/1']) add(point, { device: '0:9' });
  t.same(await unmountUnder('/k', host), {
    unmounted: ['/k/pods/1/volumes/a', '/k/pods/1', '/k/pods/1'],
    detached: [],
    left: [],
  });
  t.same(
    mounts.map(({ point }) => point),
    ['/', '/k', '/kk'],
  );
  t.notOk(commands.some((command) => command.includes('-l')));
});

t.test('what is busy is detached, what won’t go at all is reported', async (t) => {
  const { host, add, busy, stuck } = await makeFakeMounts(t);
  for (const point of ['/k/a', '/k/b', '/k/c']) add(point, { device: '0:9' });
  busy.add('/k/a');
  stuck.add('/k/b');
  const outcome = await unmountUnder('/k', host);
  t.same(outcome, { unmounted: ['/k/c'], detached: ['/k/a'], left: ['/k/b'] });
});

t.test('nothing to do runs nothing', async (t) => {
  const { host, commands } = await makeFakeMounts(t);
  t.same(await unmountUnder('/k', host), { unmounted: [], detached: [], left: [] });
  t.same(commands, []);
});

t.test('only a bind on itself is taken back', async (t) => {
  const bound = await makeFakeMounts(t);
  await bound.host.run('mount', ['--bind', '/k']);
  bound.add('/k/pods/1', { device: '0:9' });
  t.equal(await unmountSelfBind('/k', bound.host), true);
  t.same(
    bound.mounts.map(({ point }) => point),
    ['/'],
  );
  t.equal(await unmountSelfBind('/k', bound.host), false, 'done twice');

  const disk = await makeFakeMounts(t);
  disk.add('/k', { device: '8:2' });
  t.equal(await unmountSelfBind('/k', disk.host), false);
  t.same(
    disk.mounts.map(({ point }) => point),
    ['/', '/k'],
    'a disk of the user’s stays',
  );
});

t.test('a bind that something holds is an error that names it', async (t) => {
  const { host, add, stuck } = await makeFakeMounts(t);
  await host.run('mount', ['--bind', '/k']);
  add('/k/pods/1', { device: '0:9' });
  stuck.add('/k/pods/1');
  await t.rejects(unmountSelfBind('/k', host), { code: 'LeftBehind', message: /\/k\/pods\/1/, hint: /fuser/ });
});
