import { HyperupError } from '../../base/errors.js';
import { count, exactly, listOf, mapOf, objectOf, readShape, type Shape, text } from '../../base/json-shape.js';
import type { Descriptor, ManifestContent } from '../../registry/types.js';
import { parseDigest, sha256Of } from './digest.js';
import { dockerToOci, mediaTypes, ociToDocker } from './media-types.js';

/** As registries have it: a manifest or index is at most this long. */
export const maxManifestBytes = 4 * 1024 * 1024;
/** A config, which is read whole where layers have to be checked against it. */
export const maxConfigBytes = 8 * 1024 * 1024;

const descriptorShape = objectOf(
  { mediaType: text, digest: text, size: count },
  {
    platform: objectOf({ os: text, architecture: text }, { variant: text }),
    annotations: mapOf(text),
    artifactType: text,
    urls: listOf(text),
  },
);
const indexShape = objectOf({ schemaVersion: exactly(2), manifests: listOf(descriptorShape) });
const imageShape = objectOf({ schemaVersion: exactly(2), config: descriptorShape, layers: listOf(descriptorShape) });
const configShape = objectOf(
  { rootfs: objectOf({ diff_ids: listOf(text) }, { type: text }) },
  { architecture: text, os: text },
);

/** A manifest's meaning; its bytes stay what they are. */
export type ParsedManifest =
  | { readonly kind: 'index'; readonly manifests: readonly Descriptor[] }
  | { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly Descriptor[] };

/** Reads an OCI or schema 2 manifest or index. `InvalidConfig` beginning with `action` for anything else. */
export function parseManifest(bytes: Buffer, action: string): ParsedManifest {
  if (bytes.length > maxManifestBytes) {
    throw invalid(action, `the manifest has ${bytes.length} bytes, want at most ${maxManifestBytes}`);
  }
  const json = parseJson(bytes, action);
  // One with both would be read differently by different readers (OCI's CVE-2021-41190).
  if (isObject(json) && 'manifests' in json && ('layers' in json || 'config' in json)) {
    throw invalid(action, 'the manifest is both an index and an image');
  }
  if (isObject(json) && 'manifests' in json) {
    const { manifests } = checked(indexShape, json, action);
    for (const child of manifests) parseDigest(child.digest, action);
    return { kind: 'index', manifests };
  }
  const { config, layers } = checked(imageShape, json, action);
  for (const part of [config, ...layers]) parseDigest(part.digest, action);
  return { kind: 'image', config, layers };
}

/** The type that the bytes claim, else the one promised, else what their shape says. */
export function manifestType(bytes: Buffer, promised: string | undefined, action: string): string {
  const json = parseJson(bytes, action);
  if (!isObject(json)) throw invalid(action, 'the manifest is not a JSON object');
  if (typeof json['mediaType'] === 'string' && json['mediaType'] !== '') return json['mediaType'];
  if (promised !== undefined && promised !== '') return promised;
  return 'manifests' in json ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

/** What of a config the layers are checked against. `InvalidConfig`. */
export function parseImageConfig(bytes: Buffer, action: string): { readonly diffIds: readonly string[] } {
  const { rootfs } = checked(configShape, parseJson(bytes, action), action);
  for (const id of rootfs.diff_ids) parseDigest(id, action);
  return { diffIds: rootfs.diff_ids };
}

/** True for an index or a manifest list. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;
}

/**
 * An OCI image manifest as schema 2, for targets that know no OCI; one that is schema 2 comes back as it is. Config and
 * layers keep their bytes, so the image's id stays; annotations go. `InvalidConfig` for an index, an artifact or zstd.
 */
export function toDockerSchema2(manifest: ManifestContent): ManifestContent {
  return convert(manifest, mediaTypes.dockerManifest, ociToDocker, dockerToOci, 'schema 2');
}

/** A schema 2 image manifest as OCI, for targets that know no schema 2. Else as `toDockerSchema2`. */
export function toOciManifest(manifest: ManifestContent): ManifestContent {
  return convert(manifest, mediaTypes.ociManifest, dockerToOci, ociToDocker, 'OCI');
}

function convert(
  manifest: ManifestContent,
  target: string,
  map: ReadonlyMap<string, string>,
  already: ReadonlyMap<string, string>,
  word: string,
): ManifestContent {
  if (manifest.mediaType === target) return manifest;
  const action = `convert manifest ${manifest.digest} to ${word}`;
  const parsed = parseManifest(manifest.bytes, action);
  if (parsed.kind === 'index') throw invalid(action, 'it is an index, want one image');
  const part = (descriptor: Descriptor) => {
    const mediaType = already.has(descriptor.mediaType) ? descriptor.mediaType : map.get(descriptor.mediaType);
    if (mediaType === undefined) throw invalid(action, `there is no counterpart of ${descriptor.mediaType}`);
    const { urls } = descriptor;
    return { mediaType, size: descriptor.size, digest: descriptor.digest, ...(urls ? { urls } : {}) };
  };
  return makeImageManifest(target, part(parsed.config), parsed.layers.map(part));
}

/** A manifest of these parts, its bytes the same for the same parts. */
export function makeImageManifest(
  mediaType: string,
  config: Descriptor,
  layers: readonly Descriptor[],
): ManifestContent {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }, undefined, 3));
  return { mediaType, digest: sha256Of(bytes), bytes };
}

/** JSON of a file or member. `InvalidConfig` beginning with `action`. */
export function parseJson(bytes: Buffer, action: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new HyperupError('InvalidConfig', `${action}: it is not JSON`, { cause: error });
  }
}

/** The value in that shape, or `InvalidConfig` naming the first fault. */
export function checked<T>(shape: Shape<T>, content: unknown, action: string): T {
  const { value, fault } = readShape(shape, content);
  if (fault === undefined) return value;
  const where = fault.where === '' ? '' : ` at ${fault.where}`;
  throw invalid(action, `unexpected content${where}: ${fault.message}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(action: string, reason: string): HyperupError {
  return new HyperupError('InvalidConfig', `${action}: ${reason}`);
}
