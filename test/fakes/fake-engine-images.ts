import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { HyperupError } from '../../src/base/errors.js';
import { splitReference } from '../../src/docker/reference-parts.js';
import type { ImageEngine, ImageSummary } from '../../src/docker/types.js';
import { readTar } from './fake-engine-tar.js';
import type { FakeBuild, FakeImageSpec, FakePull } from './fake-engine-types.js';

export interface FakeImage {
  summary: ImageSummary;
  readonly command: readonly string[];
  readonly files: ReadonlyMap<string, string>;
}

/** The images of a fake engine: state, what is arranged, and the calls over both. */
export interface FakeImages {
  readonly calls: ImageEngine;
  readonly pulls: Map<string, FakePull[]>;
  readonly builds: Map<string, FakeBuild>;
  add(reference: string, spec: FakeImageSpec): FakeImage;
  find(reference: string): FakeImage | undefined;
  /** Told by the containers which images are in use. */
  inUse: (id: string) => boolean;
}

const archiveMark = 'fake-engine-archive\n';

export function makeFakeImages(now: () => number): FakeImages {
  const images = new Map<string, FakeImage>();
  const pulls = new Map<string, FakePull[]>();
  const builds = new Map<string, FakeBuild>();

  const find = (reference: string): FakeImage | undefined => {
    for (const image of images.values()) {
      const { id, tags, digests } = image.summary;
      const short = reference.replace(/^sha256:/, '');
      if (id === reference || (/^[0-9a-f]{12,64}$/.test(short) && id.startsWith(`sha256:${short}`))) return image;
      if (tags.includes(withTag(reference)) || digests.includes(reference)) return image;
    }
    return undefined;
  };
  const untag = (reference: string) => {
    for (const image of images.values()) {
      image.summary = { ...image.summary, tags: image.summary.tags.filter((tag) => tag !== reference) };
    }
  };
  const setTag = (image: FakeImage, reference: string) => {
    untag(reference);
    image.summary = { ...image.summary, tags: [...image.summary.tags, reference].sort() };
  };
  const add = (reference: string, spec: FakeImageSpec): FakeImage => {
    const { content = reference, command = [], files = {}, ...summary } = spec;
    const id = summary.id ?? `sha256:${createHash('sha256').update(content).digest('hex')}`;
    const image: FakeImage = images.get(id) ?? {
      summary: {
        digests: [],
        sizeBytes: content.length,
        createdAt: new Date(now()).toISOString(),
        architecture: 'amd64',
        labels: {},
        ...summary,
        id,
        tags: [],
      },
      command,
      files: new Map(Object.entries(files)),
    };
    images.set(id, image);
    if (reference.includes('@')) {
      image.summary = { ...image.summary, digests: [...new Set([...image.summary.digests, reference])] };
    } else setTag(image, withTag(reference));
    return image;
  };

  const fake: FakeImages = { calls: {} as ImageEngine, pulls, builds, add, find, inUse: () => false };
  Object.assign(fake.calls, {
    inspectImage: async (reference) => find(reference)?.summary,
    listImages: async (labels = {}) =>
      [...images.values()]
        .map((image) => image.summary)
        .filter((image) => Object.entries(labels).every(([key, value]) => image.labels[key] === value)),
    tagImage: async (source, target) => {
      checkReference(`tag ${source} as ${target}`, target);
      const image = find(source);
      if (!image) throw new HyperupError('NotFound', `tag ${source} as ${target}: No such image: ${source}`);
      setTag(image, withTag(target));
    },
    removeImage: async (reference, options) => {
      const image = find(reference);
      if (!image) return false;
      const { id, tags } = image.summary;
      const byTag = tags.includes(withTag(reference));
      if (byTag && tags.length > 1) {
        untag(withTag(reference));
        return true;
      }
      if ((!byTag && tags.length > 1 && !options?.force) || (fake.inUse(id) && !options?.force)) {
        throw new HyperupError('Conflict', `remove image ${reference}: conflict: it is referenced or in use`);
      }
      images.delete(id);
      return true;
    },
    pullImage: async (reference, options = {}) => {
      if (options.signal?.aborted) throw new HyperupError('Aborted', `pull ${reference}: interrupted`);
      const outcomes = pulls.get(reference);
      const outcome = outcomes && outcomes.length > 1 ? outcomes.shift() : outcomes?.[0];
      if (!outcome) throw new Error(`fake engine: no pull of ${reference} was arranged`);
      if (outcome.kind === 'hang') return hang(reference, options.stallMs, options.signal);
      for (const progress of outcome.progress ?? []) options.onProgress?.(progress);
      if (outcome.kind === 'error') throw outcome.error;
      add(reference, { content: reference, ...outcome.image });
    },
    loadImage: async (tar, options) => {
      const archive = await text(tar);
      if (!archive.startsWith(archiveMark)) throw new HyperupError('EngineFailed', 'load images: not an archive');
      const saved = JSON.parse(archive.slice(archiveMark.length)) as { reference: string; spec: FakeImageSpec }[];
      for (const { reference, spec } of saved) {
        add(reference, spec);
        options?.onLine?.(`Loaded image: ${reference}`);
      }
      return saved.map(({ reference }) => reference);
    },
    saveImages: async (references) => {
      const saved = references.map((reference) => {
        const image = find(reference);
        if (!image) throw new HyperupError('NotFound', `save ${reference}: No such image: ${reference}`);
        const { tags: _, ...summary } = image.summary;
        const files = Object.fromEntries(image.files);
        return { reference: withTag(reference), spec: { ...summary, command: image.command, files } };
      });
      return Readable.from([archiveMark, JSON.stringify(saved)], { objectMode: false });
    },
    buildImage: async (context, options) => {
      await text(context);
      const outcome = builds.get(options.tag);
      if (!outcome) throw new Error(`fake engine: no build of ${options.tag} was arranged`);
      for (const line of outcome.lines ?? []) options.onLine?.(line);
      if (outcome.kind === 'error') throw outcome.error;
      return add(options.tag, { labels: options.labels ?? {}, ...outcome.image }).summary.id;
    },
    importImage: async (tar, reference, changes = []) => {
      const files = await readTar(tar);
      const labels = Object.fromEntries(
        changes.filter((change) => change.startsWith('LABEL ')).map((change) => labelOf(change.slice(6))),
      );
      const command = changes.find((change) => change.startsWith('CMD '))?.slice(4) ?? '[]';
      const content = JSON.stringify([files, changes, now()]);
      return add(reference, { content, files, labels, command: JSON.parse(command) as string[] }).summary.id;
    },
  } satisfies ImageEngine);
  return fake;
}

function withTag(reference: string): string {
  if (reference.includes('@')) return reference;
  const { repository, tag } = splitReference(reference);
  return `${repository}:${tag}`;
}

function checkReference(action: string, reference: string): void {
  if (/[A-Z]/.test(splitReference(reference).repository)) {
    throw new HyperupError('InvalidConfig', `${action}: invalid reference format`);
  }
}

function labelOf(text: string): [string, string] {
  const equals = text.indexOf('=');
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function hang(reference: string, stallMs: number | undefined, signal: AbortSignal | undefined): Promise<never> {
  if (stallMs !== undefined) {
    return Promise.reject(new HyperupError('Timeout', `pull ${reference}: nothing heard for ${stallMs / 1000} s`));
  }
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(new HyperupError('Aborted', `pull ${reference}: interrupted`)));
  });
}
