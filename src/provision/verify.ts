import { HyperupError } from '../base/errors.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { ClusterQuery } from '../config/types.js';
import { kubeletImageReference } from '../imagebuild/kubelet-image.js';
import { recordedRelease, requireRecord } from './cluster-record.js';
import { adminClient, readIdentities } from './identities.js';
import { makeQuietRuntime, makeRuntime, type RunContext } from './runtime.js';
import { runSmoke } from './smoke.js';
import { clusterNames, findOutsideName } from './smoke-names.js';
import { readStatus } from './status.js';
import type { ClusterStatus, ComponentStatus } from './types.js';
import { withEngine } from './with-engine.js';

/** Each component's health, asked now. */
export async function status(query: ClusterQuery, run: RunContext = {}): Promise<ClusterStatus> {
  const runtime = makeQuietRuntime(run);
  await requireRecord(query.stateDir);
  const timeoutMs = Math.min(query.timeoutMs, 5000);
  return withEngine(query.engineHost, runtime, (engine) => readStatus(query.stateDir, engine, runtime, timeoutMs));
}

/** `status`, and proof by a pod that runs, answers through its Service and goes again. Never throws for what is down. */
export function verify(query: ClusterQuery, run: RunContext = {}): Operation<ClusterStatus> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const record = await requireRecord(query.stateDir);
    return withEngine(query.engineHost, runtime, async (engine) => {
      const found = await readStatus(query.stateDir, engine, runtime, Math.min(query.timeoutMs, 5000));
      if (!found.healthy) {
        const skipped = { component: 'smoke', state: 'unknown', message: 'not run: a component is down' } as const;
        return { ...found, components: [...found.components, skipped] };
      }
      const kube = adminClient(record.cluster, await readIdentities(record.cluster));
      const kubeletImage = kubeletImageReference(record.hyperupVersion);
      let smoke: ComponentStatus;
      try {
        const canLook = (record.dns ?? 'none') !== 'none' && (await engine.inspectImage(kubeletImage)) !== undefined;
        const names = canLook ? { ...clusterNames(record.cluster), outside: await findOutsideName() } : undefined;
        const warnings: string[] = [];
        const message = await runSmoke({
          kube,
          engine,
          release: recordedRelease(record),
          kubeletImage,
          runtime,
          timeoutMs: query.timeoutMs,
          onWait: (reason) => emit({ type: 'wait', step: 'smoke', reason }),
          names,
          onWarning: (warning) => {
            warnings.push(warning);
            emit({ type: 'note', level: 'warn', message: warning });
          },
        });
        smoke = { component: 'smoke', state: 'up', message: [message, ...warnings].join('; but ') };
      } catch (error) {
        if (!(error instanceof HyperupError) || error.code === 'Aborted') throw error;
        smoke = { component: 'smoke', state: 'down', message: error.message, lastLog: error.output?.split('\n') ?? [] };
      } finally {
        await kube.close();
      }
      return { ...found, healthy: smoke.state === 'up', components: [...found.components, smoke] };
    });
  }, run.signal);
}
