import { join } from 'node:path';
import t, { type Test } from 'tap';
import { pushImage, startRegistry } from '../fixtures/registry.js';
import { startCli } from './support/cli.js';
import { cliJson, installCluster, temporaryFolder, withoutCluster } from './support/cluster.js';
import { imageId } from './support/cluster-images.js';
import { eventually } from './support/eventually.js';
import { type Kubectl, kubectlOutput, makeKubectl } from './support/kubectl.js';
import { describeFailure, outputOf } from './support/program.js';
import { ensureTestImages, testImage } from './support/test-images.js';

t.setTimeout(300_000);

interface Report {
  readonly brought: number;
  readonly images: readonly { readonly reference: string; readonly outcome: string; readonly reasons: string[] }[];
  readonly refused: readonly { readonly pod: string; readonly remedy: string }[];
}

/** Nothing listens there, which an engine finds out at once, whatever network and DNS there are. */
const lost = '127.0.0.1:1';

function pod(name: string, image: string, policy = 'IfNotPresent'): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'app', image, imagePullPolicy: policy, command: ['sleep', '3600'] }],
    },
  });
}

/** Waits until the pod's phase, or why its container waits, is one of those; gives which. */
function podIs(kubectl: Kubectl, name: string, wanted: readonly string[]): Promise<string> {
  const path = '{.status.phase} {.status.containerStatuses[0].state.waiting.reason}';
  return eventually(`pod ${name} to be ${wanted.join(' or ')}`, async () => {
    const words = (await kubectlOutput(kubectl, ['get', 'pod', name, '-o', `jsonpath=${path}`])).trim().split(' ');
    const word = words.find((each) => wanted.includes(each));
    return word === undefined ? { done: false, reason: words.join(' ') } : { done: true, value: word };
  });
}

const waiting = ['ErrImagePull', 'ImagePullBackOff'] as const;

t.test('pods whose registry is out of reach go on with images from a mirror', { timeout: 300_000 }, async (t) => {
  await ensureTestImages(['busybox']);
  const removeImages = async () => {
    for (const tag of ['1', '2']) {
      if ((await imageId(`${lost}/app:${tag}`)) !== undefined) await outputOf('docker', ['rmi', `${lost}/app:${tag}`]);
    }
  };
  // Torn down last: a pod's container holds its image.
  t.teardown(removeImages);
  await withoutCluster(t);
  await removeImages();
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  for (const path of ['app:1', 'app:2']) await pushImage(testImage('busybox'), `${registry.host}/${path}`);
  const kubeconfig = join(await temporaryFolder(t), 'config');
  const installed = await installCluster(['--kubelet', 'builtin', '--dns', 'none', '--kubeconfig', kubeconfig]);
  const kubectl = makeKubectl({ program: installed.kubectl, kubeconfig });
  const apply = async (manifest: string) => {
    // The namespace's service account comes a moment after the API server.
    await eventually('the pod to be accepted', async () => {
      const { exitCode, stderr } = await kubectl(['apply', '-f', '-'], manifest);
      return exitCode === 0 ? { done: true, value: undefined } : { done: false, reason: stderr };
    });
  };
  const mirrors = ['--mirror', registry.host, '--mirror', 'none'];

  await apply(pod('web', `${lost}/app:1`));
  await podIs(kubectl, 'web', ['ImagePullBackOff']);
  const before = await kubectlOutput(kubectl, ['get', 'pod', 'web', '-o', 'jsonpath={.metadata.uid}']);
  const once = await cliJson<Report>(['images', 'watch', '--once', ...mirrors]);
  t.equal(once.exitCode, 0, 'helped', { said: describeFailure(once.run) });
  t.match(once.line.result, { brought: 1, images: [{ reference: `${lost}/app:1`, outcome: 'brought' }], refused: [] });
  await podIs(kubectl, 'web', ['Running']);
  const after = 'jsonpath={.metadata.uid}{.metadata.annotations.io\\.hyperup\\.image-arrived}';
  t.equal(await kubectlOutput(kubectl, ['get', 'pod', 'web', '-o', after]), before, 'the same pod, as it was');
  const again = await cliJson<Report>(['images', 'watch', '--once', ...mirrors]);
  t.match(again.line, { ok: true, result: { brought: 0, images: [], refused: [] } }, 'then nobody waits');

  await apply(pod('always', `${lost}/app:1`, 'Always'));
  await apply(pod('nowhere', `${lost}/nowhere:1`));
  await podIs(kubectl, 'always', waiting);
  await podIs(kubectl, 'nowhere', waiting);
  const failed = await cliJson<Report>(['images', 'watch', '--once', ...mirrors]);
  t.equal(failed.exitCode, 1, 'one that could not be helped');
  t.match(failed.line.result.refused, [{ pod: 'default/always', remedy: 'always' }]);
  t.match(failed.line.result.images, [{ reference: `${lost}/nowhere:1`, outcome: 'failed' }]);
  t.match(failed.line.result.images[0]?.reasons[0], new RegExp(`mirror ${registry.host}/nowhere:1: failed: `));
  const other = await cliJson<Report>(['images', 'watch', '--once', '--namespace', 'kube-system', ...mirrors]);
  t.equal(other.exitCode, 0, 'pods of other namespaces are none of its business');

  await watchUntilInterrupted(t, mirrors, async () => {
    await apply(pod('later', `${lost}/app:2`));
    await podIs(kubectl, 'later', ['Running']);
  });
});

async function watchUntilInterrupted(t: Test, mirrors: readonly string[], work: () => Promise<void>): Promise<void> {
  let begun = () => {};
  const watching = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const program = startCli(['images', 'watch', ...mirrors], {
    onLine: (line) => /watching the pods of/.test(line) && begun(),
    timeoutMs: 120_000,
  });
  try {
    await Promise.race([watching, program.result]);
    await work();
  } finally {
    program.kill('SIGINT');
  }
  const { exitCode, stderr, stdout } = await program.result;
  t.equal(exitCode, 0, 'an interrupt is its proper end', { stderr });
  t.match(stderr, new RegExp(`ok \\] ${lost}/app:2: mirror .*for default/later`), 'what came, whence and for whom');
  t.equal(stderr.match(/nowhere:1: no source has it/g)?.length, 1, 'what can not be had is told once');
  t.equal(stdout, '1 image brought.\n');
}
