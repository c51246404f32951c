import t, { type Test } from 'tap';
import type { CommandResult } from '../../../src/base/run-command.js';
import { openJournal } from '../../../src/host/journal.js';
import { ensureServiceRoute } from '../../../src/host/service-route.js';
import { undoHostChange } from '../../../src/host/undo.js';
import { makeClock, makeHost, makeTempDir, succeed } from './support.js';

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const bridgeRoute = 'docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n';
const defaultRoute = 'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n';
const wanted = { serviceCidr: '10.96.0.0/12', nodeAddress: '172.17.0.1' };
const failed = (stderr: string): CommandResult => ({ command: 'ip', exitCode: 2, stdout: '', stderr });

async function setUp(t: Test, routes: string, answers: Readonly<Record<string, CommandResult>>) {
  const asked: string[] = [];
  const host = await makeHost(t, { '/proc/net/route': head + routes }, async (file, args) => {
    asked.push([file, ...args].join(' '));
    const answer = Object.entries(answers).find(([words]) => args.join(' ').includes(words))?.[1];
    if (!answer) throw new Error(`not scripted: ${args.join(' ')}`);
    return answer;
  });
  const journal = await openJournal({ dir: await makeTempDir(t), clock: makeClock() });
  t.teardown(() => journal.close());
  return { host, journal, asked, changes: () => journal.entries().map(({ change }) => change) };
}

t.test('with a default route nothing is asked and nothing changed', async (t) => {
  const { host, journal, asked, changes } = await setUp(t, bridgeRoute + defaultRoute, {});
  t.equal(await ensureServiceRoute(journal, wanted, host), false);
  t.same([asked, changes()], [[], []]);
});

t.test('a route of another table will do', async (t) => {
  const { host, journal, changes } = await setUp(t, bridgeRoute, { 'route get': succeed('local 10.96.0.0 dev lo') });
  t.equal(await ensureServiceRoute(journal, wanted, host), false);
  t.same(changes(), []);
});

t.test('without any it is made over the interface of the node’s address, and taken back', async (t) => {
  const { host, journal, asked, changes } = await setUp(t, bridgeRoute, {
    'route get': failed('RTNETLINK answers: Network is unreachable'),
    'address show': succeed('3: docker0    inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0\n'),
    'route add': succeed(),
    'route delete': failed('RTNETLINK answers: No such process'),
  });
  t.equal(await ensureServiceRoute(journal, wanted, host), true);
  const change = { kind: 'route', destination: '10.96.0.0/12', link: 'docker0', source: '172.17.0.1' } as const;
  t.same(changes(), [change], 'journaled');
  t.equal(asked.at(-1), 'ip -4 route add 10.96.0.0/12 dev docker0 src 172.17.0.1');
  await ensureServiceRoute(journal, wanted, host);
  t.equal(changes().length, 1, 'once');
  t.same(await undoHostChange(change, host), { kept: undefined }, 'one that has gone is taken back');
  t.equal(asked.at(-1), 'ip -4 route delete 10.96.0.0/12 dev docker0 src 172.17.0.1');
});

t.test('an address that no interface has, and a kernel that refuses', async (t) => {
  const unreachable = { 'route get': failed('Network is unreachable') };
  const nobody = await setUp(t, '', { ...unreachable, 'address show': succeed() });
  await t.rejects(ensureServiceRoute(nobody.journal, wanted, nobody.host), { code: 'HostChangeFailed' });
  t.same(nobody.changes(), []);
  const refused = await setUp(t, '', {
    ...unreachable,
    'address show': succeed('3: docker0    inet 172.17.0.1/16'),
    'route add': failed('RTNETLINK answers: Operation not permitted'),
  });
  await t.rejects(ensureServiceRoute(refused.journal, wanted, refused.host), {
    code: 'HostChangeFailed',
    output: /not permitted/,
  });
});
