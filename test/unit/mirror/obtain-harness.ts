import { createHash } from 'node:crypto';
import { systemClock } from '../../../src/base/clock.js';
import type { HyperupError } from '../../../src/base/errors.js';
import { silentLogger } from '../../../src/base/logger.js';
import type { ProgressEvent } from '../../../src/base/progress.js';
import type { ImageBuilder } from '../../../src/mirror/image-builder.js';
import type { BringRequest, ImageTransport } from '../../../src/mirror/image-transport.js';
import type { ImageLock } from '../../../src/mirror/lock/types.js';
import { obtainImages } from '../../../src/mirror/obtain.js';
import type { TagChange } from '../../../src/mirror/obtain-run.js';
import type { ObtainedImage } from '../../../src/mirror/outcome.js';
import type { ProbeResult, ProbeSuccess, ProbeTarget, RegistryProbe } from '../../../src/mirror/registry-probe.js';
import type { RegistryClient } from '../../../src/registry/types.js';
import type { ReleaseImage } from '../../../src/release/types.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';
import type { FakeEngine } from '../../fakes/fake-engine-types.js';

/** The id that the fake engine gives an image of that content. */
export function idOf(content: string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** A registry that has an image of that content; its one layer is `size` bytes. */
export function shown(content: string, size = 7): ProbeSuccess {
  const part = (name: string) => ({ mediaType: 'x', digest: idOf(`${name} of ${content}`), size });
  const manifest = { mediaType: 'x', digest: idOf(`manifest of ${content}`), bytes: Buffer.from(content) };
  return {
    ok: true,
    root: { ...manifest, digest: idOf(`index of ${content}`) },
    sizeBytes: size,
    image: { manifest, config: { mediaType: 'x', digest: idOf(content), size: 3 }, layers: [part('layer')] },
  };
}

/** A registry of which only the engine can make sense. */
export const shownToTheEngine: ProbeSuccess = { ...shown('x'), image: undefined };

export interface Harness {
  readonly engine: FakeEngine;
  readonly events: ProgressEvent[];
  /** Every tag as it was journaled. */
  readonly tags: TagChange[];
  /** What the probe was asked, in order. */
  readonly asked: string[];
  readonly targets: ProbeTarget[];
  /** What the probe says of a reference or of a whole host; anything else is a fault of the test. */
  readonly answers: Map<string, ProbeResult>;
  /** Transfers: the sources of each. */
  readonly brought: (readonly string[])[];
  /** What a transfer whose first source is that reference fails with, or does before it loads. */
  readonly transfers: Map<string, HyperupError | ((request: BringRequest) => void | Promise<void>)>;
  readonly built: string[];
  readonly controller: AbortController;
  builder: ImageBuilder | undefined;
  lock: ImageLock | undefined;
  onTag: (change: TagChange) => Promise<void>;
  obtain(
    images: readonly ReleaseImage[],
    mirrors: readonly string[],
    build?: boolean,
  ): Promise<readonly ObtainedImage[]>;
}

/** `obtainImages` on a fake engine, a fake probe, a fake transport and, where the test sets one, a builder. */
export function makeHarness(): Harness {
  const engine = makeFakeEngine();
  const answerOf = (reference: string) =>
    harness.answers.get(reference) ?? harness.answers.get(reference.slice(0, reference.indexOf('/')));
  const probe: RegistryProbe = {
    probe: async (target) => {
      harness.asked.push(target.reference);
      harness.targets.push(target);
      const answer = answerOf(target.reference);
      if (!answer) throw new Error(`the test arranged no answer for ${target.reference}`);
      return answer;
    },
    has: async ({ reference }, digest) => {
      const answer = answerOf(reference);
      return answer?.ok === true && answer.image?.manifest.digest === digest;
    },
    greet: () => {},
  };
  const harness: Harness = {
    engine,
    events: [],
    tags: [],
    asked: [],
    targets: [],
    answers: new Map(),
    brought: [],
    transfers: new Map(),
    built: [],
    controller: new AbortController(),
    builder: undefined,
    lock: undefined,
    onTag: async (change) => {
      harness.tags.push(change);
    },
    async obtain(images, mirrors, build = true) {
      return await obtainImages({
        engine,
        engineInfo: await engine.info(),
        release: { images },
        options: { mirrors, build, stallMs: 20_000 },
        lock: harness.lock,
        clients: { clientFor: (host) => ({ host }) as RegistryClient },
        transport: makeTransport(harness),
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

/** Loads an image of the content that `shown` made its manifest of. */
function makeTransport(harness: Harness): ImageTransport {
  return {
    bring: async (request) => {
      const { image, source, reference, beforeLoad, emit } = request;
      const origins = (source.origins ?? []).map(({ name }) => name);
      harness.brought.push(origins);
      const arranged = harness.transfers.get(origins[0] ?? '');
      if (arranged instanceof Error) throw arranged;
      emit({ type: 'transfer', image: source.name, source: origins.join(', '), currentBytes: 3, totalBytes: 9 });
      await arranged?.(request);
      await beforeLoad();
      harness.engine.addImage(reference, { content: image.manifest.bytes.toString() });
      return {
        digest: image.manifest.digest,
        blobs: { copied: 2, present: 0 },
        bytes: { moved: 45_000_000, present: 0 },
        from: origins.map((origin) => ({ origin, bytes: 45_000_000 / origins.length })),
      };
    },
  };
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
