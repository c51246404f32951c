import { systemClock } from '../../../src/base/clock.js';
import { silentLogger } from '../../../src/base/logger.js';
import type { ProgressEvent } from '../../../src/base/progress.js';
import type { ImageBuilder } from '../../../src/mirror/image-builder.js';
import { obtainImages } from '../../../src/mirror/obtain.js';
import type { TagChange } from '../../../src/mirror/obtain-run.js';
import type { ObtainedImage } from '../../../src/mirror/outcome.js';
import type { ProbeResult, RegistryProbe } from '../../../src/mirror/registry-probe.js';
import type { ReleaseImage } from '../../../src/release/types.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';
import type { FakeEngine } from '../../fakes/fake-engine-types.js';

export const shown: ProbeResult = { ok: true, digest: `sha256:${'d'.repeat(64)}`, sizeBytes: 1 };

export interface Harness {
  readonly engine: FakeEngine;
  readonly events: ProgressEvent[];
  /** Every tag as it was journaled, with what the engine had under that name at that moment. */
  readonly tags: TagChange[];
  /** References that the probe was asked for, in order. */
  readonly asked: string[];
  /** What the probe says of a reference or of a whole host; anything else is a fault of the test. */
  readonly answers: Map<string, ProbeResult>;
  readonly built: string[];
  readonly controller: AbortController;
  builder: ImageBuilder | undefined;
  onTag: (change: TagChange) => Promise<void>;
  obtain(
    images: readonly ReleaseImage[],
    mirrors: readonly string[],
    build?: boolean,
  ): Promise<readonly ObtainedImage[]>;
}

/** `obtainImages` on a fake engine, a fake probe and, where the test sets one, a builder. */
export function makeHarness(): Harness {
  const engine = makeFakeEngine();
  const harness: Harness = {
    engine,
    events: [],
    tags: [],
    asked: [],
    answers: new Map(),
    built: [],
    controller: new AbortController(),
    builder: undefined,
    onTag: async (change) => {
      harness.tags.push(change);
    },
    async obtain(images, mirrors, build = true) {
      const probe: RegistryProbe = {
        probe: async ({ reference }) => {
          harness.asked.push(reference);
          const host = reference.slice(0, reference.indexOf('/'));
          const answer = harness.answers.get(reference) ?? harness.answers.get(host);
          if (!answer) throw new Error(`the test arranged no answer for ${reference}`);
          return answer;
        },
        close: async () => {},
      };
      return await obtainImages({
        engine,
        engineInfo: await engine.info(),
        release: { images },
        options: { mirrors, build, stallMs: 20_000 },
        builder: harness.builder,
        emit: (event) => harness.events.push(event),
        signal: harness.controller.signal,
        logger: silentLogger,
        clock: systemClock,
        onTag: (change) => harness.onTag(change),
        probe,
      });
    },
  };
  return harness;
}

/** A builder that makes what it is asked for in the harness's engine. */
export function makeBuilder(harness: Harness, canBuild: (recipe: string) => boolean = () => true): ImageBuilder {
  let busy = false;
  return {
    canBuild,
    build: async (recipe, reference) => {
      if (busy) throw new Error('two builds at once');
      busy = true;
      await Promise.resolve();
      harness.engine.addImage(reference, { content: `built ${recipe}` });
      harness.built.push(recipe);
      busy = false;
    },
  };
}
