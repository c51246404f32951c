import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import { connectEngine } from '../../src/docker/connect.js';
import { type ContainerSpec, managedLabel, roleLabel } from '../../src/docker/types.js';
import { localHost } from '../../src/host/host.js';
import { runCommand } from '../../src/host/run-command.js';
import { unmountUnder } from '../../src/host/unmount.js';
import { buildKubeconfig, formatKubeconfig } from '../../src/kube/kubeconfig.js';
import { readClientOptions } from '../../src/kube/kubeconfig-client.js';
import { clusterLabel } from '../../src/nodeagent/kubelet-container.js';
import { issueLeaf, openAuthority } from '../../src/pki/issue-certificate.js';
import { readIdentity } from '../../src/pki/pki-files.js';
import { outputOf } from '../e2e/support/program.js';

/**
 * A second node for a cluster that `install --kubelet builtin` has made on this machine: another instance of the built-in
 * kubelet on the same engine, with a name, a folder, ports and labels of its own. For tests that want two nodes.
 *
 *     node build/test-js/test/conformance/second-node.js start|stop
 */
const nodeName = 'second';
const configDir = '/etc/kubernetes';
const containerName = 'hyperup-kubelet-second';
// Below the first one's folder, which is on a shared mount already.
const rootDir = '/var/lib/kubelet/second';
const files = join(rootDir, 'config');
const ports = { server: 10_260, health: 10_258 };

async function start(): Promise<void> {
  const engine = await connectEngine({ env: {} });
  const first = await engine.inspectContainer('hyperup-kubelet');
  if (!first) throw new Error('there is no container hyperup-kubelet: install --kubelet builtin first');
  await mkdir(files, { recursive: true, mode: 0o700 });
  const authority = await openAuthority(await readIdentity(join(configDir, 'pki'), 'ca'));
  const identity = await issueLeaf(
    {
      kind: 'leaf',
      name: 'kubelet-client',
      path: 'unused',
      issuer: 'ca',
      commonName: `system:node:${nodeName}`,
      organizations: ['system:nodes'],
      dnsNames: [],
      ipAddresses: [],
      usages: ['client'],
      validityMs: 24 * 3_600_000,
    },
    authority,
    Date.now(),
  );
  const { server, caPem } = await readClientOptions(join(configDir, 'kubelet.conf'));
  const kubeconfig = formatKubeconfig(
    buildKubeconfig({ name: nodeName, server, caPem, clientCertPem: identity.certPem, clientKeyPem: identity.keyPem }),
  );
  await writeFile(join(files, 'kubelet.conf'), kubeconfig, { mode: 0o600 });
  const { staticPodPath: _, ...configuration } = load(
    await readFile(join(configDir, 'kubelet.yaml'), 'utf8'),
  ) as Record<string, unknown>;
  await writeFile(
    join(files, 'kubelet.yaml'),
    dump({ ...configuration, port: ports.server, healthzPort: ports.health }),
    { mode: 0o600 },
  );
  await engine.removeContainer(containerName, { force: true });
  const id = await engine.createContainer(specFrom(first.command, first.image));
  await engine.startContainer(id);
  engine.close();
}

/** The first kubelet's own command with another name, folder and configuration. */
function specFrom(command: readonly string[], image: string): ContainerSpec {
  const replaced: Readonly<Record<string, string>> = {
    config: join(files, 'kubelet.yaml'),
    kubeconfig: join(files, 'kubelet.conf'),
    'hostname-override': nodeName,
    instance: nodeName,
    'root-dir': rootDir,
    'cert-dir': files,
  };
  const [program = '', ...rest] = command;
  const flags = rest.map((argument) => {
    const name = /^--([^=]+)=/.exec(argument)?.[1];
    const value = name === undefined ? undefined : replaced[name];
    return value === undefined ? argument : `--${name}=${value}`;
  });
  return {
    name: containerName,
    image,
    entrypoint: [program],
    command: flags,
    labels: { [managedLabel]: 'true', [roleLabel]: 'kubelet', [clusterLabel]: nodeName },
    env: { HYPERUP_IN_CONTAINER: 'true' },
    networkMode: 'host',
    pidMode: 'host',
    cgroupnsMode: 'host',
    privileged: true,
    restart: 'no',
    mounts: [
      { source: '/sys', target: '/sys' },
      { source: '/sys/fs/cgroup', target: '/sys/fs/cgroup' },
      { source: '/var/run', target: '/var/run' },
      { source: '/var/log', target: '/var/log' },
      { source: rootDir, target: rootDir, propagation: 'rshared' },
      { source: configDir, target: configDir },
    ],
  };
}

/** The node's object first, so that nothing is put there any more; then its kubelet, its containers and its folder. */
async function stop(): Promise<void> {
  const engine = await connectEngine({ env: {} });
  await outputOf('kubectl', ['delete', 'node', nodeName, '--ignore-not-found', '--wait=false']).catch(() => {});
  await engine.removeContainer(containerName, { force: true });
  const containers = await engine.listContainers({ all: true, labels: [`io.hyperup.kubelet=${nodeName}`] });
  for (const { id } of containers) await engine.removeContainer(id, { force: true });
  await unmountUnder(rootDir, localHost(runCommand));
  await rm(rootDir, { recursive: true, force: true });
  engine.close();
}

await (process.argv[2] === 'stop' ? stop() : start());
