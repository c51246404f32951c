import { type HyperupError, isHyperupError, messageOf } from '../base/errors.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { InstallOptions } from '../config/types.js';
import type { Engine, EngineInfo } from '../docker/types.js';
import { parseMirrors } from '../mirror/mirror-spec.js';
import { obtainImages } from '../mirror/obtain.js';
import { describeSource } from '../mirror/plan.js';
import { makeRegistryProbe } from '../mirror/registry-probe.js';
import type { BringOutcome } from '../mirror/workloads/image-desk.js';
import { type WatchReport, watchWorkloads } from '../mirror/workloads/watch-workloads.js';
import { requireRecord } from './cluster-record.js';
import { adminClient, readIdentities } from './identities.js';
import { type ImageSources, withImageSources } from './image-sources.js';
import { userImage } from './import-images.js';
import { makeRuntime, type RunContext, type Runtime } from './runtime.js';
import { withEngine } from './with-engine.js';

export { type ImportedImage, type ImportPlan, type ImportRequest, importImages, planImport } from './import-images.js';

export interface WatchRequest {
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly once: boolean;
}

/** What is known of registries, dead ones too, goes stale after so long. */
const roundMs = 60_000;
const probeTimeoutMs = 5_000;

/**
 * Brings images that pods of the installed cluster wait for, through the mirrors, until the signal fires; with `once`,
 * what waits now. They stay the user's, as after `importImages`; the pods' own secrets are neither read nor sent. Throws
 * `NotFound` where nothing is installed, `InvalidConfig` for mirrors, and what the API server's first answer is.
 */
export function watchImages(
  options: InstallOptions,
  { namespaces, once }: WatchRequest,
  run: RunContext = {},
): Operation<WatchReport> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    parseMirrors(options.images.mirrors);
    const { cluster } = await requireRecord(options.cluster.paths.stateDir);
    const identities = await readIdentities(cluster);
    return await withEngine(options.engineHost, runtime, async (engine) => {
      const info = await engine.info();
      return await withImageSources(options.images, engine, info, runtime, async (sources) => {
        const kube = adminClient(cluster, identities);
        const bring = makeBringer({ options, engine, info, sources, runtime });
        const { clock, logger } = runtime;
        const { nodeName } = cluster;
        try {
          return await watchWorkloads({ kube, nodeName, namespaces, once, bring, emit, clock, logger, signal });
        } finally {
          await kube.close();
        }
      });
    });
  }, run.signal);
}

interface BringerParts {
  readonly options: Pick<InstallOptions, 'images'>;
  readonly engine: Engine;
  readonly info: EngineInfo;
  readonly sources: ImageSources;
  readonly runtime: Runtime;
}

/** One image at a call, by the machinery of a release's images; how each source fails is in the outcome, not told on the way. */
function makeBringer({ options, engine, info, sources, runtime }: BringerParts) {
  const { clock, logger, emit } = runtime;
  const newRound = () => ({
    probe: makeRegistryProbe({ clients: sources.clients, timeoutMs: probeTimeoutMs, clock }),
    dead: new Map<string, string>(),
    endMs: clock.monotonicMs() + roundMs,
  });
  let round = newRound();
  return async (reference: string, signal: AbortSignal): Promise<BringOutcome> => {
    if (clock.monotonicMs() >= round.endMs) round = newRound();
    try {
      const [image] = await obtainImages({
        engine,
        engineInfo: info,
        release: { images: [userImage(reference)] },
        options: { ...options.images, build: false },
        ...sources,
        probe: round.probe,
        dead: round.dead,
        emit: (event) => {
          if (event.type === 'transfer') emit(event);
        },
        signal,
        logger,
        clock,
        onTag: async () => {},
      });
      if (!image) return { ok: false, message: 'it could not be had', reasons: [] };
      const from = image.source.kind === 'engine' ? 'already in the engine' : describeSource(image.source);
      return { ok: true, from, changed: image.changed, sizeBytes: image.sizeBytes };
    } catch (error) {
      if (isHyperupError(error, 'ImageUnavailable')) {
        return { ok: false, message: 'no source has it', reasons: reasonsOf(error) };
      }
      return { ok: false, message: messageOf(error), reasons: [] };
    }
  };
}

/** As `imagesUnavailable` lays them down: `details.images[].sources[]`. */
function reasonsOf({ details }: HyperupError): readonly string[] {
  const lists = [details['images']].flat() as readonly ({ readonly sources?: readonly SourceDetail[] } | undefined)[];
  return lists
    .flatMap((image) => image?.sources ?? [])
    .filter(({ source, code }) => source !== 'engine' || code !== undefined)
    .map(({ source, outcome, reason }) => `${source}: ${outcome}: ${reason}`);
}

interface SourceDetail {
  readonly source: string;
  readonly outcome: string;
  readonly reason: string;
  readonly code?: string | undefined;
}
