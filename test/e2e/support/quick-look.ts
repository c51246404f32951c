import { readFile } from 'node:fs/promises';
import type { Test } from 'tap';
import { clusterImages, imageId } from './cluster-images.js';
import { outputOf, runProgram } from './program.js';

/** The first places where an install shows. */
const places = [
  '/etc/kubernetes',
  '/var/lib/hyperup',
  '/var/lib/kubelet',
  '/var/log/pods',
  '/var/log/containers',
  '/usr/local/bin/kubectl',
  '/run/dockershim.sock',
] as const;

/**
 * The machine at a glance: what an install would have made first, and whether it is there. A tenth of a second, where
 * a whole snapshot takes longer than the command that is looked at.
 */
export async function quickLook(): Promise<readonly string[]> {
  const [containers, pods, mounts, chains, paths, images] = await Promise.all([
    outputOf('docker', [
      'ps',
      '-a',
      '--filter',
      'label=io.hyperup.role',
      '--format',
      'container {{.Names}} {{.Label "io.hyperup.role"}}',
    ]),
    outputOf('docker', ['ps', '-a', '--filter', 'label=io.kubernetes.pod.name', '--format', 'container {{.Names}}']),
    readFile('/proc/self/mountinfo', 'utf8'),
    outputOf('iptables-save', []),
    Promise.all(
      places.map(async (path) => `${path} ${(await runProgram('stat', ['-c', '%F %Y', path])).stdout.trim()}`),
    ),
    Promise.all(clusterImages.map(async ({ reference }) => `${reference} ${await imageId(reference)}`)),
  ]);
  const probes = await outputOf('docker', ['images', '--filter', 'label=io.hyperup.role=preflight', '--quiet']);
  return [
    ...paths,
    ...images,
    // An install that may not build has no part in containers that do.
    ...`${containers}${pods}`.split('\n').filter((line) => !line.endsWith(' build')),
    ...probes.split('\n').map((id) => (id === '' ? '' : `probe image ${id}`)),
    ...mounts.split('\n').filter((line) => /kubelet|hyperup-(?!test)/.test(line)),
    ...chains.split('\n').filter((line) => /KUBE/.test(line)),
  ].filter((line) => line !== '');
}

/** Fails the test where the machine does not look as it did. */
export async function rememberLook(): Promise<(t: Test) => Promise<void>> {
  const before = await quickLook();
  return async (t) => {
    t.same(await quickLook(), before, 'the machine is as it was');
  };
}
