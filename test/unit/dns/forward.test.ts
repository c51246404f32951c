import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { RECURSION_DESIRED, TRUNCATED_RESPONSE } from 'dns-packet';
import t from 'tap';
import { silentLogger } from '../../../src/base/logger.js';
import { chooseUpstreams, nameserversOf } from '../../../src/dns/forward/choose-upstreams.js';
import { createLoopFinder } from '../../../src/dns/forward/find-loops.js';
import type { ForwardMetrics } from '../../../src/dns/forward/forward-metrics.js';
import { readUpstreamAnswer } from '../../../src/dns/forward/upstream-message.js';
import { createUpstreamRace, type UpstreamRace } from '../../../src/dns/forward/upstream-race.js';
import { createQueryReader } from '../../../src/dns/wire/query.js';
import { makeManualClock } from '../../fakes/manual-clock.js';
import { makeScene, service, shortly } from './dns-scene.js';
import { addressRecord, type FakeResolver, type Say, soaRecord, startFakeResolver } from './fake-resolver.js';

const noMetrics: ForwardMetrics = {
  observe() {},
  hit() {},
  miss() {},
  servedStale() {},
  rejected() {},
};
const quick = { headStartMs: 40, tryMs: 150, totalMs: 400 };

async function makeForwarding(test: { teardown(done: () => Promise<void>): void }, ...says: readonly Say[]) {
  const resolvers: FakeResolver[] = [];
  for (const say of says) resolvers.push(await startFakeResolver(say));
  const race = createUpstreamRace(
    resolvers.map(({ upstream }) => upstream),
    noMetrics,
    quick,
  );
  test.teardown(async () => {
    race.close();
    await Promise.all(resolvers.map((resolver) => resolver.close()));
  });
  const scene = makeScene(race);
  scene.store.replaceNamespaces(['default']);
  return { scene, race, resolvers, first: resolvers[0] as FakeResolver };
}

const yes: Say = (query) => ({ answers: [addressRecord(query.questions?.[0]?.name ?? '', '192.0.2.1')] });

t.test('a name outside is asked for, kept for its time, and asked for again', async (t) => {
  const { scene, first } = await makeForwarding(t, yes);
  const got = await scene.ask('Example.com', 'A', { edns: 1232 });
  t.strictSame(shortly(got.answers), ['example.com 60 A 192.0.2.1']);
  t.match(got.questions, [{ name: 'Example.com' }], 'in the client’s spelling');
  t.match(got, { rcode: 'NOERROR', flag_aa: false, flag_ra: true });
  scene.clock.advance(25_000);
  t.strictSame(shortly((await scene.ask('example.com', 'A')).answers), ['example.com 35 A 192.0.2.1'], 'grown older');
  t.equal(first.asked.length, 1);
  scene.clock.advance(36_000);
  t.strictSame(shortly((await scene.ask('example.com', 'A')).answers), ['example.com 60 A 192.0.2.1']);
  t.equal(first.asked.length, 2);
  const text = await scene.registry.render();
  t.match(text, /coredns_cache_hits_total\{server="dns:\/\/:53",type="success"\} 1\n/);
  t.match(text, /coredns_cache_misses_total\{server="dns:\/\/:53"\} 2\n/);
});

t.test('denials are kept for as long as their SOA says', async (t) => {
  const { scene, first } = await makeForwarding(t, () => ({ flags: RECURSION_DESIRED | 3, authorities: [soaRecord] }));
  t.equal((await scene.ask('no.example.com', 'A')).rcode, 'NXDOMAIN');
  scene.clock.advance(19_000);
  const again = await scene.ask('no.example.com', 'A');
  t.match(again, { rcode: 'NXDOMAIN' });
  t.match(shortly(again.authorities), [/ 281 SOA /]);
  t.equal(first.asked.length, 1);
  scene.clock.advance(1_000);
  await scene.ask('no.example.com', 'A');
  t.equal(first.asked.length, 2);
});

t.test('clients that ask the same at once are one question', async (t) => {
  const { scene, first } = await makeForwarding(t, yes);
  const answers = await Promise.all(Array.from({ length: 20 }, () => scene.ask('example.com', 'A')));
  t.ok(answers.every(({ rcode }) => rcode === 'NOERROR'));
  t.equal(first.asked.length, 1);
});

t.test('one resolver that is silent, another that answers', async (t) => {
  const { scene, resolvers } = await makeForwarding(t, () => undefined, yes);
  t.equal((await scene.ask('example.com', 'A')).rcode, 'NOERROR');
  t.equal(resolvers[1]?.asked.length, 1);
});

t.test('one that fails is no reason to wait', async (t) => {
  const { scene } = await makeForwarding(t, () => ({ flags: 2 }), yes);
  t.equal((await scene.ask('example.com', 'A')).rcode, 'NOERROR');
});

t.test('all fail', async (t) => {
  const bad = await makeForwarding(t, () => ({ flags: 5 }));
  t.equal((await bad.scene.ask('example.com', 'A')).rcode, 'REFUSED', 'their word is passed on');
  const silent = await makeForwarding(t, () => undefined);
  t.equal((await silent.scene.ask('example.com', 'A')).rcode, 'SERVFAIL');
  const garbage = await makeForwarding(t, () => Buffer.from('00000000000000000000000000', 'hex'));
  t.equal((await garbage.scene.ask('example.com', 'A')).rcode, 'SERVFAIL');
  const other = await makeForwarding(t, (query) => ({
    id: query.id,
    questions: [{ type: 'A', name: 'evil.example.com' }],
    answers: [addressRecord('evil.example.com', '192.0.2.66')],
  }));
  t.equal((await other.scene.ask('example.com', 'A')).rcode, 'SERVFAIL', 'another question’s answer is none');
});

t.test('a stale answer where resolvers are away', async (t) => {
  const { scene, first } = await makeForwarding(t, yes);
  await scene.ask('example.com', 'A');
  first.say = () => undefined;
  scene.clock.advance(600_000);
  t.strictSame(shortly((await scene.ask('example.com', 'A')).answers), ['example.com 30 A 192.0.2.1']);
  t.match(await scene.registry.render(), /coredns_cache_served_stale_total\{[^}]*\} 1\n/);
  scene.clock.advance(3_600_000);
  t.equal((await scene.ask('example.com', 'A')).rcode, 'SERVFAIL', 'but not for ever');
});

t.test('what is cut over UDP comes over TCP', async (t) => {
  const many = Array.from({ length: 100 }, (_, i) => addressRecord('many.example.com', `192.0.2.${i}`));
  const { scene } = await makeForwarding(t, (_query, tcp) => (tcp ? { answers: many } : { flags: TRUNCATED_RESPONSE }));
  const whole = await scene.ask('many.example.com', 'A', { tcp: true });
  t.equal(whole.answers?.length, 100);
  t.notOk(whole.flag_tc);
  const cut = await scene.ask('many.example.com', 'A');
  t.ok(cut.flag_tc, 'for this client it is too long');
});

t.test('an alias that leads outside', async (t) => {
  const { scene, first } = await makeForwarding(t, yes);
  const alias = 'alias.default.svc.cluster.local';
  scene.store.setService(service({ name: 'alias', kind: 'external', ips: [], externalName: 'www.example.com' }));
  t.strictSame(shortly((await scene.ask(alias, 'A')).answers), [
    `${alias} 30 CNAME www.example.com`,
    'www.example.com 60 A 192.0.2.1',
  ]);
  first.say = () => ({ flags: 3, authorities: [soaRecord] });
  scene.clock.advance(61_000 + 3_600_000);
  const gone = await scene.ask(alias, 'A');
  t.equal(gone.rcode, 'NXDOMAIN');
  t.strictSame(shortly(gone.answers), [`${alias} 30 CNAME www.example.com`]);
});

t.test('reverse names that are not the cluster’s are asked for outside', async (t) => {
  const { scene, first } = await makeForwarding(t, (query) => ({
    answers: [{ type: 'PTR', name: query.questions?.[0]?.name ?? '', ttl: 9, data: 'host.example.com' }],
  }));
  t.strictSame(shortly((await scene.ask('1.2.0.192.in-addr.arpa', 'PTR')).answers), [
    '1.2.0.192.in-addr.arpa 9 PTR host.example.com',
  ]);
  t.equal(first.asked.length, 1);
});

t.test('malformed answers of resolvers', async (t) => {
  const head = '123481800001000100000000';
  const question = '076578616d706c6503636f6d0000010001';
  const record = 'c00c000100010000003c0004c0000201';
  t.equal(readUpstreamAnswer(Buffer.from(head + question + record, 'hex'))?.ttl, 60);
  const cases = {
    'no record': head + question,
    'half a record': head + question + record.slice(0, 20),
    'half a header': head.slice(0, 10),
    'no question': head,
  };
  for (const [name, hex] of Object.entries(cases))
    t.equal(readUpstreamAnswer(Buffer.from(hex, 'hex')), undefined, name);
  const loop = readUpstreamAnswer(Buffer.from(`${head}${question}c01d${record.slice(4)}`, 'hex'));
  t.ok(loop, 'a name that points to itself is passed, never followed');
});

t.test('a resolver that sends our questions back is left out', async (t) => {
  // It forwards to us, as a stub on the host that names the cluster's DNS would.
  const reader = createQueryReader();
  const loops: { finder?: ReturnType<typeof createLoopFinder> } = {};
  const looping = createSocket('udp4');
  looping.bind(0, '127.0.0.1');
  await once(looping, 'listening');
  looping.on('message', (message: Buffer) => {
    if (reader.read(message) === 0) loops.finder?.isOwn(reader.query);
  });
  const good = await startFakeResolver(yes);
  const upstream = { address: '127.0.0.1', port: looping.address().port };
  const race: UpstreamRace = createUpstreamRace([upstream, good.upstream], noMetrics, quick);
  const errors: unknown[] = [];
  const logger = { ...silentLogger, error: (_message: string, fields?: unknown) => errors.push(fields) };
  const finder = createLoopFinder({ race, clock: makeManualClock(), logger });
  loops.finder = finder;
  await finder.run(new AbortController().signal);
  t.strictSame(race.upstreams(), [good.upstream]);
  t.match(errors, [{ resolver: `127.0.0.1:${upstream.port}` }]);
  race.close();
  looping.close();
  await good.close();
});

t.test('which resolvers are used', async (t) => {
  const text =
    '# nameserver 192.0.2.9\nsearch a\nnameserver 127.0.0.53\n\tnameserver  192.0.2.1 \nnameserver ::1\nnameserver x\n';
  t.strictSame(
    nameserversOf(text).map(({ address }) => address),
    ['127.0.0.53', '192.0.2.1', '::1'],
  );
  const listen = [{ address: '0.0.0.0', port: 53 }];
  const wanted = nameserversOf(`${text}nameserver 10.0.0.5\nnameserver 192.0.2.1`);
  const facts = { listen, ownAddresses: ['10.0.0.5'], explicit: false };
  const choice = chooseUpstreams(wanted, facts);
  t.strictSame(choice.upstreams, [{ address: '192.0.2.1', port: 53 }]);
  t.strictSame(
    choice.refused.map(({ upstream }) => upstream.address),
    ['127.0.0.53', '::1', '10.0.0.5'],
  );
  const stub = [{ address: '127.0.0.1', port: 5353 }];
  t.strictSame(chooseUpstreams(stub, { ...facts, explicit: true }).upstreams, stub, 'loopback where it is meant');
  const elsewhere = {
    listen: [{ address: '10.0.0.5', port: 53 }],
    ownAddresses: ['10.0.0.5', '10.0.0.6'],
    explicit: true,
  };
  t.strictSame(
    chooseUpstreams(
      [
        { address: '10.0.0.6', port: 53 },
        { address: '10.0.0.5', port: 53 },
      ],
      elsewhere,
    ).upstreams,
    [{ address: '10.0.0.6', port: 53 }],
    'another address of this machine is another server',
  );
});
