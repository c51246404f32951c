import type { Clock } from '../../base/clock.js';
import type { RuntimeEngine } from '../../docker/runtime-types.js';
import type { V1ContainerImage } from '../../kube/node-objects.js';
import type { KubeletOptions } from '../config/kubelet-options.js';
import type { MachineFacts } from './machine-facts.js';
import type { NodeRoom } from './node-capacity.js';
import type { ConditionReading, NodeReading } from './node-status.js';

export interface NodeReaderOptions {
  readonly options: KubeletOptions;
  readonly facts: MachineFacts;
  readonly room: NodeRoom;
  readonly engine: Pick<RuntimeEngine, 'listImages'>;
  readonly engineVersion: string;
  readonly clock: Clock;
  /** Conditions that are true now. */
  readonly pressure: () => readonly string[];
  readonly isHealthy: () => boolean;
  readonly volumesInUse: () => readonly string[];
}

/** Images change seldom, and listing them is the engine's most expensive answer. */
const imagesPeriodMs = 30_000;
const namesPerImage = 5;

/** What the node's status is made from, as of the call. Never rejects: an engine that is away shows in `Ready`. */
export function createNodeReader(sources: NodeReaderOptions): () => Promise<NodeReading> {
  const { options, engine, clock } = sources;
  let images: readonly V1ContainerImage[] = [];
  let readAtMs = Number.NEGATIVE_INFINITY;

  async function readImages(): Promise<void> {
    if (clock.monotonicMs() - readAtMs < imagesPeriodMs) return;
    readAtMs = clock.monotonicMs();
    const found = await engine.listImages().catch(() => undefined);
    if (!found) return;
    const bySize = found
      .filter(({ tags, digests }) => tags.length + digests.length > 0)
      .toSorted((a, b) => b.sizeBytes - a.sizeBytes || (a.id < b.id ? -1 : 1));
    const { maxImages } = options.node;
    images = (maxImages < 0 ? bySize : bySize.slice(0, maxImages)).map(({ tags, digests, sizeBytes }) => ({
      names: [...digests, ...tags].slice(0, namesPerImage),
      sizeBytes,
    }));
  }

  return async () => {
    await readImages();
    return {
      options,
      facts: sources.facts,
      room: sources.room,
      engineVersion: sources.engineVersion,
      images,
      conditions: readConditions(sources.pressure(), sources.isHealthy()),
      volumesInUse: sources.volumesInUse(),
    };
  };
}

/** In the order and the words of v1.20 `pkg/kubelet/nodestatus/setters.go`. Pure. */
export function readConditions(pressure: readonly string[], isHealthy: boolean): readonly ConditionReading[] {
  const condition = (
    type: ConditionReading['type'],
    [reasonIf, messageIf]: readonly [string, string],
    [reasonElse, messageElse]: readonly [string, string],
  ): ConditionReading => {
    const isTrue = type === 'Ready' ? isHealthy : pressure.includes(type);
    return { type, isTrue, reason: isTrue ? reasonIf : reasonElse, message: isTrue ? messageIf : messageElse };
  };
  return [
    condition(
      'MemoryPressure',
      ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
      ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ),
    condition(
      'DiskPressure',
      ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
      ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ),
    condition(
      'PIDPressure',
      ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
      ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    ),
    condition(
      'Ready',
      ['KubeletReady', 'kubelet is posting ready status'],
      ['KubeletNotReady', 'container runtime is down: the engine has not listed its containers for three minutes'],
    ),
  ];
}
