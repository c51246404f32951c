import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  type ClusterRecord,
  formatRecord,
  readRecord,
  recordPath,
  requireRecord,
} from '../../../src/provision/cluster-record.js';
import { diagnose } from '../../../src/provision/diagnose.js';
import { findProgram } from '../../../src/provision/find-program.js';
import { bridgeCidr } from '../../../src/provision/host-facts.js';
import { nodeFault } from '../../../src/provision/steps/wait-node.js';
import { makeCluster } from '../../builders/cluster.js';

const dir = await mkdtemp(join(tmpdir(), 'records-'));
t.teardown(() => rm(dir, { recursive: true, force: true }));

t.test('a record is read as it was written', async (t) => {
  const record: ClusterRecord = {
    format: 1,
    state: 'installed',
    hyperupVersion: '0.1.0',
    installedAt: '2026-01-01T00:00:00.000Z',
    kubelet: 'hyperkube',
    podCidr: '172.17.0.0/16',
    kubeconfigPath: '/home/user/.kube/config',
    kubectl: '/usr/local/bin/kubectl',
    cacheDir: '/home/user/.cache/hyperup',
    cluster: makeCluster(),
  };
  t.equal(await readRecord(dir), undefined, 'none yet');
  await t.rejects(requireRecord(dir), { code: 'NotFound', hint: /hyperup install/ });
  await writeFile(recordPath(dir), formatRecord(record));
  const found = await requireRecord(dir);
  t.equal(found.cluster.nodeName, 'node-1');
  t.equal(found.podCidr, '172.17.0.0/16');
  t.equal(found.dns, undefined, 'one from before there was a DNS server is as good');
  const wrong = [formatRecord({ ...record, state: 'half' as never }), formatRecord({ ...record, dns: 'x' as never })];
  for (const damaged of ['', '{', '{}', '[]', '{"format":2}', ...wrong]) {
    await writeFile(recordPath(dir), damaged);
    await t.rejects(readRecord(dir), { code: 'Conflict', hint: /uninstall works/ }, JSON.stringify(damaged));
  }
});

t.test('a log gives its cause away', async (t) => {
  const cases = [
    { line: 'listen tcp 0.0.0.0:6443: bind: address already in use', cause: /port/ },
    { line: 'write /var/lib/etcd/wal: no space left on device', cause: /disk/ },
    { line: 'failed to run Kubelet: misconfiguration: kubelet cgroup driver: "systemd"', cause: /cgroup driver/ },
    { line: 'x509: certificate has expired or is not yet valid: current time', cause: /dates/ },
    { line: 'x509: certificate signed by unknown authority', cause: /another cluster/ },
    { line: 'Back-off pulling image: ImagePullBackOff', cause: /image is missing/ },
    { line: 'mount: operation not permitted', cause: /may not do/ },
    { line: 'dial tcp 127.0.0.1:2379: connect: connection refused', cause: /does not answer/ },
  ];
  for (const { line, cause } of cases) t.match(diagnose(`first\n${line}\nlast`)?.cause, cause, line);
  t.equal(diagnose('I1122 all is well'), undefined);
});

t.test('a program is found on the PATH, absolute folders only', async (t) => {
  await writeFile(join(dir, 'tool'), '', { mode: 0o755 });
  await writeFile(join(dir, 'text'), '', { mode: 0o644 });
  t.equal(await findProgram('tool', `relative:/nonexistent:${dir}`), join(dir, 'tool'));
  t.equal(await findProgram('text', dir), undefined);
  t.equal(await findProgram('tool', undefined), undefined);
});

t.test("the bridge's range", async (t) => {
  const entry = { address: '172.17.0.1', netmask: '255.255.0.0', mac: '', internal: false, cidr: '172.17.0.1/16' };
  t.equal(bridgeCidr({ docker0: [{ ...entry, family: 'IPv4' }] }), '172.17.0.0/16');
  t.equal(bridgeCidr({ eth0: [{ ...entry, family: 'IPv4' }] }), undefined);
});

t.test('why a node is not up', async (t) => {
  const node = (status: 'True' | 'False', version: string, message?: string) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1' },
    status: {
      conditions: [{ type: 'Ready', status, ...(message === undefined ? {} : { message }) }],
      nodeInfo: { kubeletVersion: version },
    },
  });
  const check = (given: object | undefined) => nodeFault(given as Parameters<typeof nodeFault>[0], 'v1.20.2');
  t.equal(check(node('True', 'v1.20.2')), undefined);
  t.equal(check(node('False', 'v1.20.2', 'no network')), 'no network');
  t.match(check(undefined), /not registered/);
  t.match(check({ metadata: { name: 'n' } }), /no Ready condition/);
  t.throws(() => check(node('True', 'v1.19.0')), { code: 'Unhealthy', message: /got kubelet v1.19.0, want v1.20.2/ });
});
