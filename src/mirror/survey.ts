import type { ImageOptions } from '../config/types.js';
import type { ImageEngine } from '../docker/types.js';
import type { RegistryClients } from '../registry/types.js';
import type { ReleaseImage } from '../release/types.js';
import { type EngineNetwork, imageArchitecture, isFinal } from './engine-view.js';
import type { ImageBuilder } from './image-builder.js';
import type { ImageLock } from './lock/types.js';
import { expectation, lockPin } from './obtain-common.js';
import { describeSource, type ImagePlan, planImages } from './plan.js';
import { makeRegistryProbe, type RegistryProbe } from './registry-probe.js';
import { sharedSignal } from './time-limit.js';
import { imageFault } from './verify-image.js';

/** Where an image would come from, were it obtained now. */
export interface SurveyedImage {
  readonly name: string;
  readonly reference: string;
  readonly source: 'engine' | 'bundle' | 'mirror' | 'build' | 'unavailable';
  /** Which source, or why there is none. */
  readonly detail: string;
  /** In the engine: on disk. At a registry: what a pull brings in, compressed. Undefined: not known. */
  readonly sizeBytes: number | undefined;
}

export interface SurveyOptions {
  readonly engine: Pick<ImageEngine, 'inspectImage'>;
  readonly engineInfo?: EngineNetwork | undefined;
  readonly release: { readonly images: readonly ReleaseImage[] };
  readonly options: Pick<ImageOptions, 'mirrors' | 'build'>;
  readonly lock?: ImageLock | undefined;
  readonly clients: Pick<RegistryClients, 'clientFor'>;
  readonly builder?: ImageBuilder | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly probe?: RegistryProbe | undefined;
}

/** The probes of a survey have this long each; a dry run should not be slower than the run. */
const probeTimeoutMs = 5_000;

/**
 * What `obtainImages` would do, without doing any of it: asks the engine and the registries, pulls nothing. A registry
 * that shows the manifest is taken to have the image. Never fails for a source; throws `InvalidConfig` and `Aborted`.
 */
export async function surveyImages(given: SurveyOptions): Promise<readonly SurveyedImage[]> {
  const probe = given.probe ?? makeRegistryProbe({ clients: given.clients, timeoutMs: probeTimeoutMs });
  const plans = planImages(given.release, given.options, given.lock);
  const shared = { ...given, signal: sharedSignal(given.signal) };
  return await Promise.all(plans.map((plan) => surveyImage(shared, probe, plan)));
}

async function surveyImage(given: SurveyOptions, probe: RegistryProbe, plan: ImagePlan): Promise<SurveyedImage> {
  const named = { name: plan.image.name, reference: plan.tag };
  const architecture = given.engineInfo ? imageArchitecture(given.engineInfo.architecture) : undefined;
  const reasons: string[] = [];
  for (const source of plan.sources) {
    if (source.kind === 'engine') {
      const image = await given.engine.inspectImage(source.reference);
      const fault = image && imageFault(source.reference, image, expectation({ architecture }, plan));
      if (image && !fault) return { ...named, source: 'engine', detail: 'already there', sizeBytes: image.sizeBytes };
      if (fault) reasons.push(fault.message);
    } else if (source.kind === 'build') {
      if (given.builder?.canBuild(source.recipe)) {
        return { ...named, source: 'build', detail: "from the distribution's packages", sizeBytes: undefined };
      }
      reasons.push('this host cannot build it');
    } else if (source.kind === 'lock') {
      reasons.push(`lock: ${source.reason}`);
    } else {
      const answer = await probe.probe(
        {
          reference: source.reference,
          scheme: source.kind === 'mirror' ? source.scheme : undefined,
          architecture,
          pin: lockPin({ architecture }, plan),
        },
        given.signal,
      );
      const detail = describeSource(source);
      if (answer.ok) return { ...named, source: 'mirror', detail, sizeBytes: answer.sizeBytes };
      const hint = isFinal(answer, source.host, given.engineInfo) ? '' : ' (the engine may reach it all the same)';
      reasons.push(`${detail}: ${answer.reason}${hint}`);
    }
  }
  return { ...named, source: 'unavailable', detail: reasons.join('; '), sizeBytes: undefined };
}
