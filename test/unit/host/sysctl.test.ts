import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openJournal } from '../../../src/host/journal.js';
import { expectSysctls, readSysctl, setSysctl, sysctlPath, writeSysctl } from '../../../src/host/sysctl.js';
import { undoHostChange } from '../../../src/host/undo.js';
import { makeClock, makeHost, makeTempDir } from './support.js';

const key = 'net.ipv4.ip_forward';

async function setUp(t: Test) {
  const host = await makeHost(t, {
    '/proc/sys/net/ipv4/ip_forward': '0\n',
    '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
    '/proc/sys/net/ipv4/conf/eth0.5/route_localnet': '0\n',
  });
  const journal = await openJournal({ dir: await makeTempDir(t), clock: makeClock() });
  t.teardown(() => journal.close());
  return { host, journal, changes: () => journal.entries().map(({ change }) => change) };
}

t.test('names to files', async (t) => {
  t.equal(sysctlPath(key), '/proc/sys/net/ipv4/ip_forward');
  t.equal(sysctlPath('net/ipv4/conf/eth0.5/route_localnet'), '/proc/sys/net/ipv4/conf/eth0.5/route_localnet');
  const { host } = await setUp(t);
  t.equal(await readSysctl('net.ipv4.ip_local_port_range', host), '32768 60999');
  t.equal(await readSysctl('net/ipv4/conf/eth0.5/route_localnet', host), '0');
  t.equal(await readSysctl('net.ipv4.nonsense', host), undefined);
});

t.test('set, journaled with what was there; again it is no change', async (t) => {
  const { host, journal, changes } = await setUp(t);
  t.equal(await setSysctl(journal, key, '1', host), true);
  t.equal(await readSysctl(key, host), '1');
  t.equal(await setSysctl(journal, key, '1', host), false);
  t.same(changes(), [{ kind: 'sysctl', key, previous: '0', value: '1' }]);
});

t.test('what is so already is neither written nor journaled', async (t) => {
  const { host, journal, changes } = await setUp(t);
  t.equal(await setSysctl(journal, key, '0', host), false);
  t.same(changes(), []);
});

t.test('undo gives back what was there, unless somebody else set it since', async (t) => {
  const { host, journal } = await setUp(t);
  await setSysctl(journal, key, '1', host);
  const change = { kind: 'sysctl', key, previous: '0', value: '1' } as const;
  t.same(await undoHostChange(change, host), { kept: undefined });
  t.equal(await readFile(join(host.root, sysctlPath(key)), 'utf8'), '0\n');
  t.same(await undoHostChange(change, host), { kept: undefined }, 'done twice');
  await setSysctl(journal, key, '2', host);
  t.match(await undoHostChange(change, host), { kept: /set to 2 by somebody else/ });
  t.equal(await readSysctl(key, host), '2');
  t.same(await undoHostChange({ ...change, key: 'net.bridge.gone' }, host), { kept: undefined }, 'its module is gone');
});

t.test('a setting that the kernel hasn’t got is an error that says which module brings it', async (t) => {
  const { host, journal, changes } = await setUp(t);
  await t.rejects(setSysctl(journal, 'net.bridge.bridge-nf-call-iptables', '1', host), {
    code: 'HostChangeFailed',
    hint: /br_netfilter/,
  });
  t.same(changes(), []);
});

t.test('what a component will set is journaled untouched, once, and comes back', async (t) => {
  const { host, journal, changes } = await setUp(t);
  const expected = { [key]: '1', 'net.ipv4.ip_local_port_range': '32768 60999', 'vm.gone': '1' };
  t.same(await expectSysctls(journal, host, expected), [key], 'not what is so already, nor what the kernel hasn’t got');
  t.equal(await readSysctl(key, host), '0');
  t.same(await expectSysctls(journal, host, expected), []);
  await writeSysctl(key, '1', host);
  t.same(await expectSysctls(journal, host, expected), [], 'a second install doesn’t take ours for the original');
  const [change] = changes();
  if (change?.kind !== 'sysctl') throw new Error('no sysctl entry');
  await undoHostChange(change, host);
  t.equal(await readSysctl(key, host), '0');
});
