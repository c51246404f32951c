import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { RuntimeEngine } from '../../docker/runtime-types.js';
import type { V1Secret } from '../../kube/objects.js';
import type { V1Container, V1Pod } from '../../kube/pod-objects.js';
import { podUidOf } from '../pod/pod-names.js';
import { type ContainerWithKind, type Images, type PodEvents, PodFailure } from '../types.js';
import { createKeyedBackoff } from './image-backoff.js';
import { createImagePuller } from './image-puller.js';
import { parseImageReference, withDefaultTag } from './image-reference.js';
import { findCredentials } from './pull-credentials.js';

export interface ImageManagerOptions {
  readonly engine: Pick<RuntimeEngine, 'inspectImage' | 'pullImage'>;
  readonly events: PodEvents;
  /** Undefined where there is none; may throw. */
  readonly secret: (namespace: string, name: string) => Promise<V1Secret | undefined>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 5 unless told otherwise. */
  readonly maxParallelPulls?: number | undefined;
  /** 60 s unless told otherwise. */
  readonly stallMs?: number | undefined;
}

const defaultParallelPulls = 5;
const defaultStallMs = 60_000;

/**
 * Images of containers, by pull policy (v1.20 `pkg/kubelet/images/image_manager.go`). Every failure is told by an event of
 * its own and by `Error: <reason>`, so that callers needn't.
 */
export function createImageManager(options: ImageManagerOptions): Images {
  const { engine, clock, logger } = options;
  const backoff = createKeyedBackoff(clock);
  const puller = createImagePuller({
    engine,
    maxParallel: options.maxParallelPulls ?? defaultParallelPulls,
    stallMs: options.stallMs ?? defaultStallMs,
  });

  const secretsOf = async (pod: V1Pod): Promise<readonly V1Secret[]> => {
    const namespace = pod.metadata?.namespace ?? '';
    const names = (pod.spec?.imagePullSecrets ?? []).flatMap(({ name }) => (name ? [name] : []));
    const found = await Promise.all(
      names.map(async (name) => {
        try {
          return await options.secret(namespace, name);
        } catch (error) {
          logger.warn('Could not read an image pull secret; the pull may fail without it', {
            pod: pod.metadata?.name,
            secret: `${namespace}/${name}`,
            err: messageOf(error),
          });
          return undefined;
        }
      }),
    );
    return found.filter((secret): secret is V1Secret => secret !== undefined);
  };
  /** Many pods of one image start together. */
  const looking = new Map<string, Promise<string | undefined>>();
  const idOf = (reference: string): Promise<string | undefined> => {
    const running = looking.get(reference);
    if (running !== undefined) return running;
    const look = engine.inspectImage(reference).then((image) => image?.id);
    looking.set(reference, look);
    const done = () => void looking.delete(reference);
    look.then(done, done);
    return look;
  };
  const inspect = async (say: Say, asked: string, reference: string): Promise<string | undefined> => {
    try {
      return await idOf(reference);
    } catch (error) {
      const message = `Failed to inspect image "${asked}": ${messageOf(error)}`;
      throw say.failure('ImageInspectError', 'InspectFailed', message, error);
    }
  };
  const pull = async (pod: V1Pod, say: Say, asked: string, reference: string, signal: AbortSignal) => {
    const key = `${podUidOf(pod)}_${asked}`;
    if (backoff.isWaiting(key)) {
      const message = `Back-off pulling image "${asked}"`;
      say.normal('BackOff', message);
      throw say.refusal('ImagePullBackOff', message);
    }
    say.normal('Pulling', `Pulling image "${asked}"`);
    const startedMs = clock.monotonicMs();
    try {
      const credentials = findCredentials(parseImageReference(reference).name, await secretsOf(pod));
      await puller.pull(reference, credentials, signal);
      const id = (await engine.inspectImage(reference))?.id;
      if (id === undefined) throw new Error(`the engine has no image ${reference} although it pulled it`);
      backoff.succeeded(key);
      say.normal('Pulled', `Successfully pulled image "${asked}" in ${goDuration(clock.monotonicMs() - startedMs)}`);
      return id;
    } catch (error) {
      // The pod is going: nobody wants to know.
      if (signal.aborted) throw error;
      backoff.failed(key);
      say.warning('Failed', `Failed to pull image "${asked}": ${messageOf(error)}`);
      throw say.refusal('ErrImagePull', messageOf(error), error);
    }
  };
  return {
    async ensureImage(pod, container, signal) {
      const say = createSay(options.events, pod, container);
      const asked = container.container.image ?? '';
      let reference: string;
      try {
        reference = withDefaultTag(asked);
      } catch (error) {
        const cause = `couldn't parse image reference "${asked}": ${messageOf(error)}`;
        const message = `Failed to apply default image tag "${asked}": ${cause}`;
        throw say.failure('InvalidImageName', 'InspectFailed', message, error);
      }
      const policy = pullPolicyOf(container.container, reference);
      const id = await inspect(say, asked, reference);
      if (policy === 'Always' || (policy === 'IfNotPresent' && id === undefined)) {
        return await pull(pod, say, asked, reference, signal);
      }
      if (id === undefined) {
        const message = `Container image "${asked}" is not present with pull policy of Never`;
        throw say.failure('ErrImageNeverPull', 'ErrImageNeverPull', message);
      }
      say.normal('Pulled', `Container image "${asked}" already present on machine`);
      return id;
    },
  };
}

/** The API server fills it in, but not for static pods (v1.20 `pkg/apis/core/v1/defaults.go`). */
function pullPolicyOf(container: V1Container, reference: string): NonNullable<V1Container['imagePullPolicy']> {
  return container.imagePullPolicy ?? (/:latest$/.test(reference) ? 'Always' : 'IfNotPresent');
}

/** Events on one container, and failures that go with them. */
interface Say {
  normal(reason: string, message: string): void;
  warning(reason: string, message: string): void;
  /** `Error: <reason>` as an event, and the failure to throw. */
  refusal(reason: string, message: string, cause?: unknown): PodFailure;
  /** The same with an event of its own before. */
  failure(reason: string, eventReason: string, message: string, cause?: unknown): PodFailure;
}

function createSay(events: PodEvents, pod: V1Pod, { container, kind }: ContainerWithKind): Say {
  const of = { name: container.name, kind };
  const say: Say = {
    normal: (reason, message) => events.pod(pod, 'Normal', reason, message, of),
    warning: (reason, message) => events.pod(pod, 'Warning', reason, message, of),
    refusal(reason, message, cause) {
      say.warning('Failed', `Error: ${reason}`);
      return new PodFailure(reason, message, cause);
    },
    failure(reason, eventReason, message, cause) {
      say.warning(eventReason, message);
      return say.refusal(reason, message, cause);
    },
  };
  return say;
}

/** As Go writes a duration: `812ms`, `1.2s`, `1m2.5s`. */
export function goDuration(ms: number): string {
  const whole = Math.round(ms);
  if (whole < 1000) return `${whole}ms`;
  const minutes = Math.floor(whole / 60_000);
  const seconds = (whole % 60_000) / 1000;
  if (minutes === 0) return `${seconds}s`;
  const hours = Math.floor(minutes / 60);
  return `${hours === 0 ? '' : `${hours}h`}${minutes % 60}m${seconds}s`;
}
