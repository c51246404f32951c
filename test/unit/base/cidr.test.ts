import t from 'tap';
import {
  canonicalAddress,
  cidrContains,
  cidrSize,
  cidrsOverlap,
  formatAddress,
  formatCidr,
  nthAddress,
  parseAddress,
  parseCidr,
} from '../../../src/base/cidr.js';

t.test('addresses are read and written in their canonical form', async (t) => {
  const cases: [text: string, want: string | undefined][] = [
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['10.0.0.05', undefined],
    ['10.0.0', undefined],
    ['256.0.0.1', undefined],
    ['::', '::'],
    ['::1', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1::', '1::'],
    ['FD00:0:0:0:0:0:0:5', 'fd00::5'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['fe80::1%eth0', undefined],
    ['example.com', undefined],
    ['', undefined],
  ];
  for (const [text, want] of cases) t.equal(canonicalAddress(text), want, text || '(empty)');
});

t.test('an address survives being written and read', async (t) => {
  for (const text of ['192.168.1.77', 'fd00:1:2:3:4:5:6:7', '1:0:0:2::3']) {
    const address = parseAddress(text);
    t.ok(address, text);
    if (address) t.same(parseAddress(formatAddress(address)), address, text);
  }
});

t.test('ranges', async (t) => {
  t.equal(formatCidr(parseCidr('10.96.7.9/12')), '10.96.0.0/12', 'host bits are cleared');
  t.equal(formatCidr(parseCidr('fd00::7/108')), 'fd00::/108');
  t.equal(formatCidr(parseCidr('0.0.0.0/0')), '0.0.0.0/0');
  t.equal(cidrSize(parseCidr('10.0.0.0/30')), 4n);
  t.equal(cidrSize(parseCidr('::/0')), 2n ** 128n);
  for (const bad of ['10.96.0.0', '10.96.0.0/33', '10.96.0.0/', '10.96.0.0/-1', '10.96.0.0/1x', '/12', 'fd00::/129']) {
    t.throws(() => parseCidr(bad), { code: 'InvalidConfig', message: new RegExp(`got "${bad}"`) }, bad);
  }
});

t.test('containment', async (t) => {
  const cases: [range: string, address: string, want: boolean][] = [
    ['10.96.0.0/12', '10.96.0.0', true],
    ['10.96.0.0/12', '10.111.255.255', true],
    ['10.96.0.0/12', '10.112.0.0', false],
    ['10.96.0.0/12', '10.95.255.255', false],
    ['10.96.0.0/12', 'fd00::1', false],
    ['fd00::/108', 'fd00::f:ffff', true],
    ['fd00::/108', 'fd00::10:0', false],
    ['10.0.0.1/32', '10.0.0.1', true],
  ];
  for (const [range, address, want] of cases) t.equal(cidrContains(range, address), want, `${address} in ${range}`);
  t.throws(() => cidrContains('10.0.0.0/8', 'nowhere'), { code: 'InvalidConfig' });
});

t.test('overlap', async (t) => {
  const cases: [a: string, b: string, want: boolean][] = [
    ['10.0.0.0/8', '10.96.0.0/12', true],
    ['10.0.0.0/16', '10.1.0.0/16', false],
    ['172.16.0.0/12', '172.31.255.0/24', true],
    ['0.0.0.0/0', '203.0.113.0/24', true],
    ['10.0.0.0/8', 'fd00::/8', false],
    ['fd00::/64', 'fd00:0:0:1::/64', false],
    ['fd00::/48', 'fd00:0:0:1::/64', true],
  ];
  for (const [a, b, want] of cases) {
    t.equal(cidrsOverlap(a, b), want, `${a} and ${b}`);
    t.equal(cidrsOverlap(b, a), want, `${b} and ${a}`);
  }
});

t.test('the n-th address', async (t) => {
  const cases: [range: string, n: number, want: string][] = [
    ['10.96.0.0/12', 1, '10.96.0.1'],
    ['10.96.0.0/12', 10, '10.96.0.10'],
    ['10.0.0.0/8', 256, '10.0.1.0'],
    ['fd00::/108', 1, 'fd00::1'],
    ['10.0.0.7/32', 0, '10.0.0.7'],
  ];
  for (const [range, n, want] of cases) t.equal(nthAddress(range, n), want, `${n} of ${range}`);
  t.throws(() => nthAddress('10.0.0.0/30', 4), { code: 'InvalidConfig', message: /too small/ });
  t.throws(() => nthAddress('10.0.0.0/30', -1), { code: 'InvalidConfig' });
});
