import type { RecordType } from 'dns-packet';
import t from 'tap';
import { endpoint, http, makeScene, service, shortly } from './dns-scene.js';

const dnsUdp = { name: 'dns', protocol: 'udp', port: 53 };
const soa = 'cluster.local 30 SOA ns.dns.cluster.local hostmaster.cluster.local 30';

function makeCluster() {
  const scene = makeScene();
  const { store } = scene;
  store.replaceNamespaces(['default', 'kube-system', 'empty']);
  store.replaceServices([
    service({ name: 'kube-dns', namespace: 'kube-system', ips: ['10.96.0.10'], ports: [dnsUdp] }),
    service({ name: 'web', ports: [http, { name: '', protocol: 'tcp', port: 81 }] }),
    service({ name: 'dual', ips: ['10.96.0.30', 'fd00::30'] }),
    service({ name: 'db', kind: 'headless', ips: [] }),
    service({ name: 'unready', kind: 'headless', ips: [], publishNotReady: true }),
    service({ name: 'none', kind: 'headless', ips: [] }),
    service({ name: 'portless', kind: 'headless', ips: [], ports: [] }),
    service({ name: 'alias', kind: 'external', ips: [], externalName: 'Web.Default.svc.cluster.local' }),
    service({ name: 'alias2', kind: 'external', ips: [], externalName: 'alias.default.svc.cluster.local.' }),
    service({ name: 'broken', kind: 'external', ips: [], externalName: 'gone.default.svc.cluster.local' }),
    service({ name: 'loop', kind: 'external', ips: [], externalName: 'loop.default.svc.cluster.local' }),
    service({ name: 'abroad', kind: 'external', ips: [], externalName: 'example.com' }),
    service({ name: 'by-ip', kind: 'external', ips: [], externalName: '192.0.2.1' }),
  ]);
  const set = (name: string, endpoints: readonly ReturnType<typeof endpoint>[], ports = [http]) => ({
    namespace: 'default',
    name,
    service: name,
    sets: [{ ports, endpoints }],
  });
  store.replaceEndpoints([
    set('web', [endpoint('10.244.0.5')]),
    set('db', [
      endpoint('10.244.0.6', { hostname: 'db-0' }),
      endpoint('10.244.0.7'),
      endpoint('10.244.0.8', { ready: false }),
      endpoint('fd00::7'),
    ]),
    set('unready', [endpoint('10.244.0.9', { ready: false, hostname: 'u-0' })]),
    set('portless', [endpoint('10.244.0.10')], []),
    { ...set('gone', [endpoint('10.244.0.11')]) },
  ]);
  return scene;
}

interface Case {
  readonly name: string;
  readonly type: RecordType;
  readonly rcode?: string;
  readonly answers?: readonly string[];
  readonly additionals?: readonly string[];
}

const web = 'web.default.svc.cluster.local';
const db = 'db.default.svc.cluster.local';

const cases: readonly Case[] = [
  { name: web, type: 'A', answers: [`${web} 30 A 10.96.0.20`] },
  { name: web, type: 'AAAA' },
  { name: web, type: 'TXT' },
  {
    name: 'dual.default.svc.cluster.local',
    type: 'AAAA',
    answers: ['dual.default.svc.cluster.local 30 AAAA fd00::30'],
  },
  {
    name: web,
    type: 'SRV',
    answers: [`${web} 30 SRV 50 80 ${web}`, `${web} 30 SRV 50 81 ${web}`],
    additionals: [`${web} 30 A 10.96.0.20`],
  },
  {
    name: `_http._tcp.${web}`,
    type: 'SRV',
    answers: [`_http._tcp.${web} 30 SRV 100 80 ${web}`],
    additionals: [`${web} 30 A 10.96.0.20`],
  },
  { name: `_http._tcp.${web}`, type: 'A', answers: [`_http._tcp.${web} 30 A 10.96.0.20`] },
  { name: `_tcp.${web}`, type: 'A' },
  { name: `_udp.${web}`, type: 'A', rcode: 'NXDOMAIN' },
  { name: `_http._udp.${web}`, type: 'SRV', rcode: 'NXDOMAIN' },
  { name: `_nope._tcp.${web}`, type: 'SRV', rcode: 'NXDOMAIN' },
  { name: `http.tcp.${web}`, type: 'SRV', rcode: 'NXDOMAIN' },
  { name: `10-244-0-5.${web}`, type: 'A', answers: [`10-244-0-5.${web} 30 A 10.244.0.5`] },
  { name: `10-244-0-6.${web}`, type: 'A', rcode: 'NXDOMAIN' },
  { name: `www.example.com.${web.slice(4)}`, type: 'A', rcode: 'NXDOMAIN' },
  { name: db, type: 'A', answers: [`${db} 30 A 10.244.0.6`, `${db} 30 A 10.244.0.7`] },
  { name: db, type: 'AAAA', answers: [`${db} 30 AAAA fd00::7`] },
  {
    name: `_http._tcp.${db}`,
    type: 'SRV',
    answers: ['db-0', '10-244-0-7', 'fd00--7'].map((host) => `_http._tcp.${db} 30 SRV 33 80 ${host}.${db}`),
    additionals: [`10-244-0-7.${db} 30 A 10.244.0.7`, `db-0.${db} 30 A 10.244.0.6`, `fd00--7.${db} 30 AAAA fd00::7`],
  },
  { name: `db-0.${db}`, type: 'A', answers: [`db-0.${db} 30 A 10.244.0.6`] },
  { name: `db-0.${db}`, type: 'AAAA' },
  { name: `10-244-0-6.${db}`, type: 'A', rcode: 'NXDOMAIN' },
  { name: `10-244-0-8.${db}`, type: 'A', rcode: 'NXDOMAIN' },
  {
    name: 'unready.default.svc.cluster.local',
    type: 'A',
    answers: ['unready.default.svc.cluster.local 30 A 10.244.0.9'],
  },
  { name: 'none.default.svc.cluster.local', type: 'A', rcode: 'NXDOMAIN' },
  {
    name: 'portless.default.svc.cluster.local',
    type: 'A',
    answers: ['portless.default.svc.cluster.local 30 A 10.244.0.10'],
  },
  { name: 'portless.default.svc.cluster.local', type: 'SRV' },
  { name: 'gone.default.svc.cluster.local', type: 'A', rcode: 'NXDOMAIN' },
  { name: 'web.empty.svc.cluster.local', type: 'A', rcode: 'NXDOMAIN' },
  { name: 'web', type: 'A', rcode: 'REFUSED' },
  // What is there only for the names below it.
  { name: 'cluster.local', type: 'A' },
  { name: 'svc.cluster.local', type: 'A' },
  { name: 'pod.cluster.local', type: 'A' },
  { name: 'empty.svc.cluster.local', type: 'A' },
  { name: 'empty.pod.cluster.local', type: 'A' },
  { name: 'nowhere.svc.cluster.local', type: 'A', rcode: 'NXDOMAIN' },
  { name: 'nowhere.cluster.local', type: 'A', rcode: 'NXDOMAIN' },
  { name: 'cluster.local', type: 'SOA', answers: [soa] },
  {
    name: 'cluster.local',
    type: 'NS',
    answers: ['cluster.local 30 NS ns.dns.cluster.local'],
    additionals: ['ns.dns.cluster.local 30 A 10.96.0.10'],
  },
  { name: 'ns.dns.cluster.local', type: 'A', answers: ['ns.dns.cluster.local 30 A 10.96.0.10'] },
  { name: 'dns-version.cluster.local', type: 'TXT', answers: ['dns-version.cluster.local 28800 TXT 1.1.0'] },
  { name: 'dns-version.cluster.local', type: 'A' },
  {
    name: '10-1-2-3.default.pod.cluster.local',
    type: 'A',
    answers: ['10-1-2-3.default.pod.cluster.local 30 A 10.1.2.3'],
  },
  { name: '10-1-2-3.default.pod.cluster.local', type: 'AAAA' },
  {
    name: 'fd00--1.default.pod.cluster.local',
    type: 'AAAA',
    answers: ['fd00--1.default.pod.cluster.local 30 AAAA fd00::1'],
  },
  { name: '10-1-2-300.default.pod.cluster.local', type: 'A', rcode: 'NXDOMAIN' },
  { name: '10-1-2-3.nowhere.pod.cluster.local', type: 'A', rcode: 'NXDOMAIN' },
  { name: 'x.10-1-2-3.default.pod.cluster.local', type: 'A', rcode: 'NXDOMAIN' },
  { name: '20.0.96.10.in-addr.arpa', type: 'PTR', answers: [`20.0.96.10.in-addr.arpa 30 PTR ${web}`] },
  { name: '6.0.244.10.in-addr.arpa', type: 'PTR', answers: [`6.0.244.10.in-addr.arpa 30 PTR db-0.${db}`] },
  { name: '5.0.244.10.in-addr.arpa', type: 'PTR', answers: [`5.0.244.10.in-addr.arpa 30 PTR 10-244-0-5.${web}`] },
  { name: '8.0.244.10.in-addr.arpa', type: 'PTR', rcode: 'NXDOMAIN' },
  { name: '9.9.9.9.in-addr.arpa', type: 'PTR', rcode: 'NXDOMAIN' },
  { name: '0.244.10.in-addr.arpa', type: 'PTR', rcode: 'NXDOMAIN' },
  {
    name: `0.3.0.0.${'0.'.repeat(24)}0.0.d.f.ip6.arpa`,
    type: 'PTR',
    answers: [`0.3.0.0.${'0.'.repeat(24)}0.0.d.f.ip6.arpa 30 PTR dual.default.svc.cluster.local`],
  },
  {
    name: 'alias.default.svc.cluster.local',
    type: 'A',
    answers: ['alias.default.svc.cluster.local 30 CNAME Web.Default.svc.cluster.local', `${web} 30 A 10.96.0.20`],
  },
  {
    name: 'alias2.default.svc.cluster.local',
    type: 'A',
    answers: [
      'alias2.default.svc.cluster.local 30 CNAME alias.default.svc.cluster.local',
      'alias.default.svc.cluster.local 30 CNAME Web.Default.svc.cluster.local',
      `${web} 30 A 10.96.0.20`,
    ],
  },
  {
    name: 'alias.default.svc.cluster.local',
    type: 'CNAME',
    answers: ['alias.default.svc.cluster.local 30 CNAME Web.Default.svc.cluster.local'],
  },
  {
    name: 'broken.default.svc.cluster.local',
    type: 'A',
    rcode: 'NXDOMAIN',
    answers: ['broken.default.svc.cluster.local 30 CNAME gone.default.svc.cluster.local'],
  },
  {
    name: 'loop.default.svc.cluster.local',
    type: 'A',
    rcode: 'SERVFAIL',
    answers: [],
  },
  {
    name: 'abroad.default.svc.cluster.local',
    type: 'A',
    answers: ['abroad.default.svc.cluster.local 30 CNAME example.com'],
  },
  { name: 'by-ip.default.svc.cluster.local', type: 'A', rcode: 'NXDOMAIN' },
];

const lower = (texts: readonly string[]) => texts.map((text) => text.toLowerCase()).sort();

for (const { name, type, rcode = 'NOERROR', answers = [], additionals = [] } of cases) {
  t.test(`${name} ${type}`, async (t) => {
    const scene = makeCluster();
    for (const time of ['first', 'second']) {
      const got = await scene.ask(name, type);
      t.equal(got.rcode, rcode, time);
      t.strictSame(lower(shortly(got.answers)), lower(answers));
      t.strictSame(lower(shortly(got.additionals)), lower(additionals));
      t.equal(got.flag_aa, rcode !== 'REFUSED', 'authoritative');
      t.equal(got.flag_tc, false);
      if (answers.length === 0 && (rcode === 'NXDOMAIN' || rcode === 'NOERROR')) {
        const [authority = ''] = shortly(got.authorities);
        t.match(authority, / 30 SOA ns\.dns\..* hostmaster\..* 30$/, 'a negative answer has its SOA');
        if (name.endsWith('cluster.local')) t.equal(authority, soa);
      }
    }
  });
}

t.test('answers follow what changes', async (t) => {
  const scene = makeCluster();
  const { store } = scene;
  const addresses = async (name: string) =>
    shortly((await scene.ask(name, 'A')).answers)
      .map((text) => text.split(' ')[3])
      .sort();
  t.strictSame(await addresses(web), ['10.96.0.20']);
  store.setService(service({ name: 'web', ips: ['10.96.0.21'] }));
  t.strictSame(await addresses(web), ['10.96.0.21'], 'another address');
  t.equal((await scene.ask('20.0.96.10.in-addr.arpa', 'PTR')).rcode, 'NXDOMAIN', 'the former address is nobody’s');
  store.setService(service({ name: 'web', kind: 'external', ips: [], externalName: 'example.com' }));
  t.match(shortly((await scene.ask(web, 'CNAME')).answers), [/CNAME example\.com/], 'another kind');
  store.deleteService('default', 'web');
  t.equal((await scene.ask(web, 'A')).rcode, 'NXDOMAIN', 'gone, though its endpoints are not');

  t.strictSame(await addresses(db), ['10.244.0.6', '10.244.0.7']);
  const slice = (name: string, ip: string) => ({
    namespace: 'default',
    name,
    service: 'db',
    sets: [{ ports: [http], endpoints: [endpoint(ip)] }],
  });
  store.setEndpoints(slice('db-abc', '10.244.1.1'));
  t.strictSame(await addresses(db), ['10.244.0.6', '10.244.0.7', '10.244.1.1'], 'another slice');
  t.equal((await scene.ask('1.1.244.10.in-addr.arpa', 'PTR')).rcode, 'NOERROR');
  store.setEndpoints({ ...slice('db-abc', '10.244.1.2'), service: 'none' });
  t.strictSame(await addresses(db), ['10.244.0.6', '10.244.0.7'], 'the slice changed hands');
  t.strictSame(await addresses('none.default.svc.cluster.local'), ['10.244.1.2']);
  store.deleteEndpoints(slice('db-abc', '10.244.1.2'));
  t.equal((await scene.ask('none.default.svc.cluster.local', 'A')).rcode, 'NXDOMAIN');
  store.replaceEndpoints([]);
  t.equal((await scene.ask(db, 'A')).rcode, 'NXDOMAIN');
  t.equal((await scene.ask('6.0.244.10.in-addr.arpa', 'PTR')).rcode, 'NXDOMAIN');
  store.setNamespace('empty', false);
  t.equal((await scene.ask('empty.svc.cluster.local', 'A')).rcode, 'NXDOMAIN');
  store.replaceServices([]);
  t.equal((await scene.ask('kube-dns.kube-system.svc.cluster.local', 'A')).rcode, 'NXDOMAIN');
  t.match(store.count(), { services: 0, endpoints: 0 }, 'nothing is left behind');
});

t.test('several addresses take turns at being first', async (t) => {
  const scene = makeCluster();
  const firsts = new Set<string | undefined>();
  for (let i = 0; i < 4; i += 1) firsts.add(shortly((await scene.ask(db, 'A')).answers)[0]);
  t.equal(firsts.size, 2);
});

t.test('before the first lists are in nothing is denied', async (t) => {
  const scene = makeCluster();
  scene.synced = false;
  t.equal((await scene.ask(web, 'A')).rcode, 'SERVFAIL');
  t.equal((await scene.ask('nowhere.cluster.local', 'A')).rcode, 'SERVFAIL');
  t.equal((await scene.ask('20.0.96.10.in-addr.arpa', 'PTR')).rcode, 'SERVFAIL');
});
