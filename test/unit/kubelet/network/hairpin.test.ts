import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import { ensureHairpin } from '../../../../src/kubelet/network/hairpin.js';

const igmp = [
  'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter',
  '1\tlo        :     1      V3',
  '\t\t\t\t010000E0     1 0:00000000\t\t0',
  '12\tveth0     :     1      V3',
  '\t\t\t\t010000E0     1 0:00000000\t\t0',
  '112\tveth1a2b3c4:     1      V3',
  '\t\t\t\t010000E0     1 0:00000000\t\t0',
  '',
].join('\n');

/** A machine with two pods on a bridge; the pod with process 7 is at the far end of number `iflink`. */
function machine(t: Test, iflink = '112\n') {
  const port = () => ({ brport: { hairpin_mode: '0\n' } });
  return t.testdir({
    proc: { 7: { root: { sys: { class: { net: { eth0: { iflink } } } } } }, self: { net: { igmp } } },
    sys: { class: { net: { veth0: port(), veth1a2b3c4: port(), lo: {} } } },
  });
}

const modeOf = (root: string, name: string) =>
  readFile(join(root, 'sys/class/net', name, 'brport/hairpin_mode'), 'utf8');

t.test("the pod's own port of the bridge, and no other", async (t) => {
  const root = machine(t);
  t.equal(await ensureHairpin({ pid: 7, ips: ['172.17.0.2'], logger: silentLogger, root }), true);
  t.equal(await modeOf(root, 'veth1a2b3c4'), '1\n');
  t.equal(await modeOf(root, 'veth0'), '0\n');
});

const others = [
  { name: 'a pod that has ended', pid: 8, ips: ['172.17.0.2'] },
  { name: 'a pod without an address', pid: 7, ips: [] },
  { name: 'a pod with an IPv6 address', pid: 7, ips: ['172.17.0.2', 'fd00::2'] },
  { name: 'an interface that is on no bridge', pid: 7, ips: ['172.17.0.2'], iflink: '1\n' },
  { name: 'an interface that nobody has', pid: 7, ips: ['172.17.0.2'], iflink: '99\n' },
] as const;

for (const { name, iflink, ...pod } of others.map((other) => ({ iflink: undefined, ...other }))) {
  t.test(`left as it is: ${name}`, async (t) => {
    const root = machine(t, iflink);
    t.equal(await ensureHairpin({ ...pod, logger: silentLogger, root }), false);
    for (const port of ['veth0', 'veth1a2b3c4']) t.equal(await modeOf(root, port), '0\n');
  });
}
