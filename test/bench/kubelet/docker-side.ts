import type { Clock } from '../../../src/base/clock.js';
import { connectRuntimeEngine } from '../../../src/docker/connect.js';
import type { RuntimeEngine } from '../../../src/docker/runtime-types.js';
import type { V1Pod } from '../../../src/kube/pod-objects.js';
import { makeContainerBody } from '../../../src/kubelet/runtime/container-body.js';
import { instanceLabel } from '../../../src/kubelet/runtime/labels.js';
import { logConfig } from '../../../src/kubelet/runtime/resources.js';
import { makeSandboxBody } from '../../../src/kubelet/runtime/sandbox-body.js';
import { inParallel } from './in-parallel.js';

const instance = 'hyperup-bench';
/** As many as the Docker baseline has under way at once. */
const parallel = 8;

/**
 * Milliseconds that the engine alone takes for these pods' sandboxes and containers, with the bodies that the built-in
 * kubelet sends: create, start, create, start; nothing is waited for. All of it is removed again.
 */
export async function timeDocker(pods: readonly V1Pod[], pauseImage: string, clock: Clock): Promise<number> {
  const engine = await connectRuntimeEngine({ env: process.env });
  try {
    await removeAll(engine);
    const { cgroupVersion } = await engine.info();
    const startedMs = clock.monotonicMs();
    await inParallel(pods, parallel, async (pod, index) => {
      const uid = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
      await runPod(engine, { ...pod, metadata: { ...pod.metadata, uid } }, pauseImage, cgroupVersion);
    });
    return clock.monotonicMs() - startedMs;
  } finally {
    await removeAll(engine).finally(() => engine.close());
  }
}

async function runPod(engine: RuntimeEngine, pod: V1Pod, pauseImage: string, cgroupVersion: 1 | 2): Promise<void> {
  const podName = pod.metadata?.name ?? '';
  const common = {
    identity: { instance },
    cgroupParent: undefined,
    runtime: undefined,
    logConfig: logConfig('10Mi', 5),
  };
  const sandboxId = await engine.createContainer(
    `${instance}_POD_${podName}`,
    makeSandboxBody({ ...common, pod, attempt: 0, pauseImage, hostname: podName }),
  );
  await engine.startContainer(sandboxId);
  const uid = pod.metadata?.uid ?? '';
  for (const container of pod.spec?.containers ?? []) {
    const body = makeContainerBody({
      ...common,
      request: {
        pod,
        container,
        kind: 'app',
        sandbox: {
          id: sandboxId,
          podUid: uid,
          attempt: 0,
          state: 'ready',
          createdAtMs: 0,
          hostNetwork: false,
          ips: [],
          pid: 0,
        },
        attempt: 0,
        imageId: container.image ?? '',
        environment: new Map(),
        binds: [],
        devices: [],
      },
      imageUser: { uid: 0, name: '' },
      // What a container gets that asks for none (v1.20); the engine's own profile costs it some milliseconds each.
      profiles: ['seccomp=unconfined'],
      logPath: '',
      nodeMemoryBytes: 0,
      podPidsLimit: 0,
      cgroupVersion,
      apiVersion: engine.apiVersion,
    });
    await engine.startContainer(await engine.createContainer(`${instance}_${container.name}_${podName}`, body));
  }
}

async function removeAll(engine: RuntimeEngine): Promise<void> {
  const left = await engine.listContainers([`${instanceLabel}=${instance}`]);
  await inParallel(left, parallel, async ({ id }) => void (await engine.removeContainer(id)));
}
