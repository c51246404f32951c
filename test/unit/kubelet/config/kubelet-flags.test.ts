import t from 'tap';
import { configurationFields } from '../../../../src/kubelet/config/kubelet-configuration.js';
import { flagTable, parseKubeletFlags } from '../../../../src/kubelet/config/kubelet-flags.js';

t.test('forms of flags', async (t) => {
  const cases: readonly (readonly [string, readonly string[], object])[] = [
    ['with =', ['--port=10'], { port: '10' }],
    ['with a space', ['--port', '10'], { port: '10' }],
    ['one dash', ['-port=10'], { port: '10' }],
    ['underscores', ['--node_ip=192.0.2.7'], { 'node-ip': '192.0.2.7' }],
    ['a boolean takes nothing after it', ['--anonymous-auth', '--port=1'], { 'anonymous-auth': 'true', port: '1' }],
    ['a boolean with a value', ['--anonymous-auth=false'], { 'anonymous-auth': 'false' }],
    ['the last one wins', ['--port=1', '--port=2'], { port: '2' }],
    ['= in the value', ['--node-labels=a=b,c=d'], { 'node-labels': 'a=b,c=d' }],
    ['an empty value', ['--resolv-conf='], { 'resolv-conf': '' }],
    ['passed over', ['--v', '2', '--fail-swap-on=false', '--network-plugin=cni', '--port=1'], { port: '1' }],
    ['none', [], {}],
  ];
  for (const [name, argv, want] of cases) t.strictSame(parseKubeletFlags(argv), want, name);
});

t.test('every fault at once', async (t) => {
  t.throws(() => parseKubeletFlags(['--por=1', 'x', '--constructor=1', '--address']), {
    code: 'Usage',
    message:
      "read the kubelet's flags: --por: no such flag; x: not a flag; --constructor: no such flag; --address: needs a value",
  });
});

t.test('a flag of a field names one that there is', async (t) => {
  const fields = Object.values(flagTable).flatMap(({ field }) => field ?? []);
  t.ok(fields.length > 30);
  t.strictSame(
    fields.filter((field) => !(field in configurationFields)),
    [],
  );
  for (const [name, { field, boolean }] of Object.entries(flagTable)) {
    if (field) t.equal(configurationFields[field] === 'boolean', boolean === true, name);
  }
});
