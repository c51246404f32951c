import { HyperupError } from '../../base/errors.js';
import { count, listOf, looseObjectOf, mapOf, type ShapeOf, text } from '../../base/json-shape.js';
import type { Descriptor, ManifestContent } from '../../registry/types.js';
import { parseDigest } from './digest.js';
import { checked, parseJson } from './image-manifest.js';
import { mediaTypes } from './media-types.js';

/** image-spec 1.1, `annotations.md`. */
const nameAnnotation = 'org.opencontainers.image.ref.name';
/** What containerd and Docker write beside it: the full reference. */
const containerdNameAnnotation = 'io.containerd.image.name';

export const layoutFile = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
/** `index.json` of a layout with very many images. */
export const maxIndexBytes = 16 * 1024 * 1024;

const entryShape = looseObjectOf({ mediaType: text, digest: text, size: count }, { annotations: mapOf(text) });
/** An index with all that is in it, known or not. */
export const looseIndexShape = looseObjectOf({ manifests: listOf(entryShape) });
const layoutShape = looseObjectOf({ imageLayoutVersion: text });

/** A layout's `index.json`; what hyperup doesn't know in it is kept. */
export type LayoutIndex = ShapeOf<typeof looseIndexShape>;
export type LayoutEntry = ShapeOf<typeof entryShape>;

export const emptyLayoutIndex: LayoutIndex = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };

/** Throws `InvalidConfig` where `oci-layout` is malformed or of a later major version. */
export function checkLayoutFile(bytes: Buffer, action: string): void {
  const { imageLayoutVersion } = checked(layoutShape, parseJson(bytes, action), action);
  if (!/^1\./.test(imageLayoutVersion)) {
    throw new HyperupError('InvalidConfig', `${action}: image layout version "${imageLayoutVersion}", want 1.0.0`);
  }
}

/** Reads `index.json`. `InvalidConfig` beginning with `action`. */
export function parseLayoutIndex(bytes: Buffer, action: string): LayoutIndex {
  const index = checked(looseIndexShape, parseJson(bytes, action), action);
  for (const entry of index.manifests) parseDigest(entry.digest, action);
  return index;
}

/** What an image is called in a layout, if it has a name. */
export function entryName(entry: LayoutEntry): string | undefined {
  return entry.annotations?.[nameAnnotation] || entry.annotations?.[containerdNameAnnotation] || undefined;
}

/**
 * The entry of that name (or digest), or the only one where no name is given. `NotFound` naming what is there;
 * `InvalidConfig` where a name stands for two images.
 */
export function selectEntry(index: LayoutIndex, name: string | undefined, action: string): LayoutEntry {
  const matches = index.manifests.filter(
    (entry) =>
      name === undefined ||
      entry.annotations?.[nameAnnotation] === name ||
      entry.annotations?.[containerdNameAnnotation] === name ||
      entry.digest === name,
  );
  const digests = new Set(matches.map((entry) => entry.digest));
  const [first] = matches;
  if (first !== undefined && digests.size === 1) return first;
  const names = index.manifests.map((entry) => entryName(entry) ?? entry.digest);
  const there = names.length === 0 ? 'it holds no image' : `it holds ${listed(names)}`;
  if (name === undefined) {
    const reason = names.length === 0 ? there : `${there}: say which`;
    throw new HyperupError('NotFound', `${action}: ${reason}`, { details: { names } });
  }
  if (first !== undefined) throw new HyperupError('InvalidConfig', `${action}: "${name}" stands for several images`);
  throw new HyperupError('NotFound', `${action}: no image "${name}", ${there}`, { details: { names } });
}

/** An entry for a manifest; the empty name is none. */
export function makeEntry(manifest: ManifestContent, name: string): LayoutEntry {
  const annotations: Record<string, string> = {};
  if (name !== '') annotations[nameAnnotation] = name;
  if (name.includes('/')) annotations[containerdNameAnnotation] = name;
  const entry: Descriptor = { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length };
  return Object.keys(annotations).length === 0 ? { ...entry } : { ...entry, annotations };
}

/** The index with these entries in it: they take over their names, and a nameless one isn't there twice. */
export function mergeEntries(index: LayoutIndex, added: readonly LayoutEntry[]): LayoutIndex {
  const names = new Set(added.map(entryName).filter((name) => name !== undefined));
  const nameless = new Set(added.filter((entry) => entryName(entry) === undefined).map((entry) => entry.digest));
  const kept = index.manifests.filter((entry) => {
    const name = entryName(entry);
    return name === undefined ? !nameless.has(entry.digest) : !names.has(name);
  });
  return { ...index, manifests: [...kept, ...added] };
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 10).map((name) => `"${name.slice(0, 200)}"`);
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ');
}
