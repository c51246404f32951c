import { decode } from 'dns-packet';
import t from 'tap';
import { endpoint, http, makeScene, queryOf, service } from './dns-scene.js';

/** Numbers from 0 to 1 that are the same each time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

function makeCluster(endpoints: number) {
  const scene = makeScene();
  scene.store.replaceNamespaces(['default']);
  scene.store.setService(service({ name: 'web' }));
  scene.store.setService(service({ name: 'big', kind: 'headless', ips: [] }));
  const list = Array.from({ length: endpoints }, (_, i) => endpoint(`10.244.${i >> 8}.${i & 255}`));
  scene.store.setEndpoints({
    namespace: 'default',
    name: 'big',
    service: 'big',
    sets: [{ ports: [http], endpoints: list }],
  });
  return scene;
}

const web = 'web.default.svc.cluster.local';
const big = 'big.default.svc.cluster.local';

t.test('the id and the spelling come back', async (t) => {
  const scene = makeCluster(0);
  for (const name of [web, 'wEb.DEFAULT.svc.Cluster.LOCAL', 'NONE.default.svc.cluster.LOCAL']) {
    const query = queryOf(name, 'A');
    query.writeUInt16BE(0xbeef, 0);
    const answer = (await scene.send(query)) ?? Buffer.alloc(0);
    t.equal(answer.readUInt16BE(0), 0xbeef);
    t.equal(decode(answer).questions?.[0]?.name, name);
    t.ok(decode(answer).flag_rd, 'recursion desired is repeated');
    t.ok(decode(answer).flag_ra);
  }
});

t.test('how long an answer may be', async (t) => {
  const scene = makeCluster(200);
  const plain = await scene.ask(big, 'A');
  t.ok(plain.flag_tc, 'cut');
  t.equal(plain.answers?.length, 29, 'whole records that fit into 512 bytes');
  const edns = await scene.ask(big, 'A', { edns: 4096 });
  t.ok(edns.flag_tc);
  t.equal(edns.answers?.length, 73, 'with 1232');
  t.match(edns.additionals, [{ type: 'OPT', udpPayloadSize: 1232 }]);
  const small = await scene.ask(big, 'A', { edns: 100 });
  t.equal(small.answers?.length, 28, 'less than 512 means 512');
  const whole = await scene.ask(big, 'A', { tcp: true });
  t.notOk(whole.flag_tc);
  t.equal(whole.answers?.length, 200);
  const services = await scene.ask(`_http._tcp.${big}`, 'SRV', { tcp: true, edns: 1232 });
  t.equal(services.answers?.length, 200);
  t.equal(services.additionals?.length, 201, 'addresses and OPT');
  const fits = makeCluster(5);
  const srv = await fits.ask(`_http._tcp.${big}`, 'SRV');
  t.equal(srv.answers?.length, 5);
  t.notOk(srv.flag_tc, 'additional records that go missing are no cut');
});

t.test('what is no good query', async (t) => {
  const scene = makeCluster(0);
  const changed = (change: (message: Buffer) => Buffer | undefined) => {
    const message = queryOf(web, 'A', 1232);
    return change(message) ?? message;
  };
  const rcodeOf = (message: Buffer | undefined) => (message === undefined ? undefined : (message[3] ?? 0) & 15);
  const cases: readonly (readonly [string, Buffer, number | undefined])[] = [
    ['empty', Buffer.alloc(0), undefined],
    ['half a header', Buffer.alloc(11), undefined],
    ['an answer', changed((message) => void message.writeUInt16BE(0x8100, 2)), undefined],
    ['a header alone', Buffer.alloc(12), 1],
    ['an update', changed((message) => void message.writeUInt16BE(5 << 11, 2)), 4],
    ['two questions', changed((message) => void message.writeUInt16BE(2, 4)), 1],
    ['with an answer', changed((message) => void message.writeUInt16BE(1, 6)), 1],
    ['a name cut short', changed((message) => message.subarray(0, 20)), 1],
    ['a question cut short', changed((message) => message.subarray(0, 12 + web.length + 4)), 1],
    ['a pointer for a name', changed((message) => void message.writeUInt16BE(0xc00c, 12)), 1],
    ['a label of 64', changed((message) => void message.writeUInt8(64, 12)), 1],
    ['OPT cut short', changed((message) => message.subarray(0, -3)), 1],
    ['OPT whose data is cut short', changed((message) => void message.writeUInt16BE(9, message.length - 2)), 1],
    ['another class', changed((message) => void message.writeUInt16BE(3, 12 + web.length + 4)), 5],
    ['a transfer', queryOf('cluster.local', 'AXFR'), 5],
    ['everything', Buffer.from(queryOf(web, 'A')).fill(255, 12 + web.length + 3, 12 + web.length + 4), 0],
  ];
  for (const [name, message, rcode] of cases) t.equal(rcodeOf(await scene.send(message)), rcode, name);

  const version = changed((message) => void message.writeUInt8(1, message.length - 5));
  const answer = (await scene.send(version)) ?? Buffer.alloc(0);
  t.match(decode(answer).additionals, [{ type: 'OPT', extendedRcode: 1 }], 'EDNS version 1');
  const long = Buffer.concat([
    Buffer.from('000001000001000000000000', 'hex'),
    ...Array.from({ length: 9 }, () => Buffer.concat([Buffer.of(63), Buffer.alloc(63, 97)])),
    Buffer.from('0000010001', 'hex'),
  ]);
  t.equal(rcodeOf(await scene.send(long)), 1, 'a name of more than 255 bytes');
  t.notMatch(await scene.registry.render(), /coredns_panics_total/);
});

t.test('a zone’s name within a label is no zone', async (t) => {
  const scene = makeCluster(0);
  const inner = Buffer.from('\x14abcdef\x07cluster\x05local\0', 'latin1');
  const question = Buffer.from('00010001', 'hex');
  const message = Buffer.concat([Buffer.from('000001000001000000000000', 'hex'), inner, question]);
  t.equal(((await scene.send(message))?.[3] ?? 0) & 15, 5, 'refused as a name outside');
});

t.test('whatever is sent, nothing breaks and the next client is served', async (t) => {
  const scene = makeCluster(300);
  const random = seeded(20_210_113);
  const good = [
    queryOf(web, 'A', 1232),
    queryOf(big, 'SRV'),
    queryOf('a.b.example.com', 'MX', 512),
    queryOf('1.0.96.10.in-addr.arpa', 'PTR'),
  ];
  let answered = 0;
  for (let i = 0; i < 30_000; i += 1) {
    const base = Buffer.from(good[i % good.length] ?? Buffer.alloc(12));
    let message: Buffer = base;
    const way = Math.floor(random() * 4);
    if (way === 0)
      message = Buffer.from(Array.from({ length: Math.floor(random() * 600) }, () => Math.floor(random() * 256)));
    else
      for (let n = 0; n < 1 + random() * 6; n += 1)
        base[Math.floor(random() * base.length)] = Math.floor(random() * 256);
    if (way === 1) message = base.subarray(0, Math.floor(random() * base.length));
    if (way === 2)
      message = Buffer.concat([base, Buffer.alloc(Math.floor(random() * 65_000), Math.floor(random() * 256))]);
    const answer = await scene.send(message, random() < 0.3);
    if (answer === undefined) continue;
    answered += 1;
    if (answer.length < 12 || answer.readUInt16BE(0) !== message.readUInt16BE(0) || ((answer[2] ?? 0) & 0x80) === 0) {
      t.fail(`a bad answer to ${message.toString('hex')}`);
    }
  }
  t.ok(answered > 10_000, 'many were queries after all');
  t.notMatch(await scene.registry.render(), /coredns_panics_total/, 'no handler failed');
  t.equal((await scene.ask(web, 'A')).rcode, 'NOERROR');
});

t.test('metrics', async (t) => {
  const scene = makeCluster(0);
  await scene.ask(web, 'A');
  await scene.ask(web, 'A', { tcp: true });
  await scene.ask('nope.cluster.local', 'AAAA');
  const text = await scene.registry.render();
  const server = 'server="dns://:53"';
  for (const line of [
    `coredns_dns_requests_total{family="1",proto="udp",${server},type="A",zone="cluster.local."} 1`,
    `coredns_dns_requests_total{family="1",proto="tcp",${server},type="A",zone="cluster.local."} 1`,
    `coredns_dns_responses_total{rcode="NXDOMAIN",${server},zone="cluster.local."} 1`,
    `coredns_dns_request_duration_seconds_count{${server},zone="cluster.local."} 3`,
    '# TYPE coredns_dns_request_duration_seconds histogram',
  ]) {
    t.ok(text.includes(`${line}\n`), line);
  }
});
