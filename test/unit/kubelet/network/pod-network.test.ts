import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import { silentLogger } from '../../../../src/base/logger.js';
import type { RunCommand } from '../../../../src/base/run-command.js';
import type { BridgeNetwork } from '../../../../src/docker/runtime-types.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createPodNetwork, type PodNetworkOptions } from '../../../../src/kubelet/network/pod-network.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const bridge: BridgeNetwork = {
  link: 'docker0',
  subnet: '172.17.0.0/16',
  gateway: '172.17.0.1',
  range: undefined,
  mtu: 1450,
  ipv6: false,
};
const pod: V1Pod = { metadata: { name: 'web' }, spec: { containers: [{ name: 'main', image: 'web:1' }] } };

const trie = (...addresses: readonly string[]) =>
  ['Local:', ...addresses.flatMap((address) => [`     |-- ${address}`, '        /32 host LOCAL']), ''].join('\n');

interface Scene {
  readonly bridge?: () => Promise<BridgeNetwork | undefined>;
  readonly options?: Partial<PodNetworkOptions>;
  /** What ip(8) says to a command line that holds the text; it succeeds otherwise. */
  readonly failures?: Readonly<Record<string, string>>;
  readonly version?: string;
}

/** A machine with Docker's bridge, the pod with process 7 and whatever interfaces ip(8) is asked to add. */
function machine(t: Test, scene: Scene = {}) {
  const { bridge: ask = async () => bridge, options = {}, failures = {} } = scene;
  const { version = 'ip utility, iproute2-6.1.0, libbpf 1.1.0' } = scene;
  const root = t.testdir({
    proc: {
      7: { ns: { net: '' }, net: { fib_trie: trie('127.0.0.1') } },
      self: { net: { fib_trie: trie('127.0.0.1', '172.17.0.1', '192.168.1.5') } },
      sys: { net: { ipv6: { conf: { all: { disable_ipv6: '0' }, default: { disable_ipv6: '0' } } } } },
    },
    sys: { class: { net: { docker0: { bridge: {} }, eth0: {} } } },
  });
  const ran: string[] = [];
  const left = { ...failures };
  const run: RunCommand = async (file, args, { stdin } = {}) => {
    const command = [file, ...args].join(' ');
    ran.push(stdin === undefined ? command : `${command} < ${stdin.trimEnd().replaceAll('\n', '; ')}`);
    const key = Object.keys(left).find((text) => command.includes(text));
    const stderr = key === undefined ? '' : (left[key] ?? '');
    const [, name] = /link add name (\S+)/.exec(command) ?? [];
    if (name !== undefined && stderr === '') {
      await mkdir(join(root, 'sys/class/net', name, 'brport'), { recursive: true });
    }
    return { command, exitCode: stderr === '' ? 0 : 2, stdout: command.endsWith(' -V') ? version : '', stderr };
  };
  const clock = makeManualClock();
  const network = createPodNetwork({
    ...{ enabled: true, engine: { bridgeNetwork: ask, engineVersion: '20.10.24' }, info: { defaultRuntime: 'runc' } },
    ...{ hostRoot: '', run, clock, logger: silentLogger, root },
    ...options,
  });
  return { network, root, ran, clock, left };
}

t.test('a pod is connected by two calls', async (t) => {
  const { network, root, ran } = machine(t);
  t.same(await network.planFor(pod), { sysctls: { 'net.ipv6.conf.all.disable_ipv6': '1' } });
  t.same(await network.attach(7), ['172.17.255.254']);
  t.same(ran, [
    'ip -V',
    'ip link add name hupac11fffe mtu 1450 master docker0 up type veth peer name eth0 address 02:42:ac:11:ff:fe mtu 1450 netns 7',
    `nsenter --net=${root}/proc/7/ns/net -- ip -batch - < link set eth0 up; address add 172.17.255.254/16 brd 172.17.255.255 dev eth0; route add default via 172.17.0.1`,
  ]);
  t.equal(await readFile(join(root, 'sys/class/net/hupac11fffe/brport/hairpin_mode'), 'utf8'), '1\n');
  t.same(await network.attach(7), ['172.17.255.253'], 'the next one has another address');
});

t.test("in a container the host's programs are called", async (t) => {
  const { network, root, ran } = machine(t, { options: { hostRoot: '/proc/1/root' } });
  await network.planFor(pod);
  await network.attach(7);
  t.same(
    ran.map((line) => line.split(' ip ')[0]),
    [
      'nsenter --root=/proc/1/root --',
      'nsenter --root=/proc/1/root --',
      `nsenter --root=/proc/1/root --net=${root}/proc/7/ns/net --`,
    ],
  );
});

t.test('an address that somebody has is passed over', async (t) => {
  const { network, root, left } = machine(t, {
    failures: { hupac11fffd: 'RTNETLINK answers: File exists' },
  });
  await mkdir(join(root, 'sys/class/net/hupac11fffe'));
  t.same(await network.attach(7), ['172.17.255.252'], 'one is seen, the other claimed meanwhile');
  left['link add'] = 'RTNETLINK answers: File exists';
  await t.rejects(network.attach(7), { code: 'Conflict', message: /64 in turn are taken/ });
});

t.test('pods that the engine connects', async (t) => {
  const { network, ran } = machine(t);
  const spec = (changes: Partial<NonNullable<V1Pod['spec']>>): V1Pod => ({
    spec: { containers: [{ name: 'a', image: 'a' }], ...changes },
  });
  const ports = [{ containerPort: 80, hostPort: 8080 }];
  const cases = {
    'host network': spec({ hostNetwork: true }),
    'a runtime class': spec({ runtimeClassName: 'kata' }),
    'a host port': spec({ containers: [{ name: 'a', image: 'a', ports }] }),
    "a sidecar's host port": spec({ initContainers: [{ name: 'b', image: 'b', ports, restartPolicy: 'Always' }] }),
  };
  for (const [name, other] of Object.entries(cases)) t.equal(await network.planFor(other), undefined, name);
  t.same(ran, []);
  const plain = spec({ containers: [{ name: 'a', image: 'a', ports: [{ containerPort: 80 }] }] });
  t.ok(await network.planFor(plain), 'a port that is not published');
});

t.test('engines that connect their pods themselves', async (t) => {
  const scenes: Record<string, Scene> = {
    'no default network': { bridge: async () => undefined },
    'an engine that does not answer': {
      bridge: async () => {
        throw new HyperupError('EngineUnreachable', 'gone');
      },
    },
    IPv6: { bridge: async () => ({ ...bridge, ipv6: true }) },
    'a part of the range': { bridge: async () => ({ ...bridge, range: '172.17.128.0/17' }) },
    'a small range': { bridge: async () => ({ ...bridge, subnet: '172.17.0.0/24' }) },
    'a bridge of another machine': { bridge: async () => ({ ...bridge, gateway: '172.18.0.1' }) },
    'a bridge that is not there': { bridge: async () => ({ ...bridge, link: 'docker9' }) },
    'another kind of runtime': { options: { info: { defaultRuntime: 'runsc' } } },
    'no ip(8)': { failures: { 'ip -V': 'ip: not found' } },
    "BusyBox's ip(8)": { version: 'BusyBox v1.36.1' },
    'told so': { options: { enabled: false } },
  };
  for (const [name, scene] of Object.entries(scenes)) {
    t.equal(await machine(t, scene).network.planFor(pod), undefined, name);
  }
});

t.test('an engine is asked anew after a minute, and goes on with the addresses', async (t) => {
  let asked = 0;
  let answer: BridgeNetwork | undefined = { ...bridge, gateway: undefined };
  const { network, clock } = machine(t, {
    bridge: async () => {
      asked += 1;
      return answer;
    },
  });
  await Promise.all([network.planFor(pod), network.planFor(pod)]);
  t.equal(asked, 1);
  t.same(await network.attach(7), ['172.17.255.254'], "without a gateway it is the range's first address");
  answer = { ...bridge, mtu: 9000 };
  await clock.advance(60_000);
  t.same(await network.attach(7), ['172.17.255.253']);
  t.equal(asked, 2);
  answer = undefined;
  await clock.advance(60_000);
  t.equal(await network.planFor(pod), undefined);
  await t.rejects(network.attach(7), { code: 'EngineFailed' });
});

t.test('after a failure the engine connects pods for ten minutes', async (t) => {
  const { network, clock, left, root } = machine(t, { failures: { 'link add': 'RTNETLINK answers: No space' } });
  t.ok(await network.planFor(pod));
  await t.rejects(network.attach(7), { message: /ip failed with 2: RTNETLINK answers: No space/ });
  t.equal(await network.planFor(pod), undefined);
  delete left['link add'];
  await clock.advance(600_000);
  t.ok(await network.planFor(pod));
  left['nsenter'] = 'nsenter: cannot open /proc/7/ns/net';
  await rm(join(root, 'proc/7'), { recursive: true });
  await t.rejects(network.attach(7));
  t.ok(await network.planFor(pod), 'not where the sandbox has ended');
});

t.test('the addresses of a sandbox that an earlier kubelet has connected', async (t) => {
  const { network, root } = machine(t, { options: { enabled: false } });
  await mkdir(join(root, 'sys/class/net/hupac11fffa'));
  await mkdir(join(root, 'proc/8/net'), { recursive: true });
  await writeFile(join(root, 'proc/7/net/fib_trie'), trie('127.0.0.1', '172.17.255.250', '10.9.9.9'));
  await writeFile(join(root, 'proc/8/net/fib_trie'), trie('127.0.0.1', '172.17.0.2'));
  t.same(await network.addressesOf(7), ['172.17.255.250'], "and not the pod's own devices");
  t.same(await network.addressesOf(8), []);
  t.same(await network.addressesOf(9), [], 'one that has ended');
});

t.test('IPv6 as the engine has it', async (t) => {
  const newer = { engineVersion: '28.1.0', bridgeNetwork: async () => bridge };
  t.same(await machine(t, { options: { engine: newer } }).network.planFor(pod), {
    sysctls: { 'net.ipv6.conf.default.disable_ipv6': '1' },
  });
  const { network, root } = machine(t);
  await rm(join(root, 'proc/sys'), { recursive: true });
  t.same(await network.planFor(pod), { sysctls: {} }, 'a kernel without it');
});
