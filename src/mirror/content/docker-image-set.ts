import type { Readable } from 'node:stream';
import { HyperupError } from '../../base/errors.js';
import { formatReference, parseReference, taggedOnly } from '../../registry/reference.js';
import type { Descriptor, ManifestContent } from '../../registry/types.js';
import { parseDigest, verifiedChunks } from './digest.js';
import { maxConfigBytes, parseManifest } from './image-manifest.js';
import { mediaTypes } from './media-types.js';

/** An image as `manifest.json` of a docker-archive has it. */
export interface DockerImage {
  readonly config: string;
  /** Members' names, the lowest layer first. */
  readonly layers: readonly string[];
  /** Full references with tags. */
  readonly tags: Set<string>;
}

/** True for what is read whole: a config, by its type. */
export function isConfig(blob: Descriptor): boolean {
  return blob.mediaType === mediaTypes.dockerConfig || blob.mediaType === mediaTypes.ociConfig;
}

/** A config's bytes, verified. `InvalidConfig` where it claims more than configs have. */
export async function readConfig(
  blob: Descriptor,
  content: Readable,
  target: string,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const action = `write config ${blob.digest} to ${target}`;
  if (blob.size > maxConfigBytes) {
    content.destroy();
    throw new HyperupError('InvalidConfig', `${action}: it has ${blob.size} bytes, want at most ${maxConfigBytes}`);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of verifiedChunks(blob, content, action, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The parts of the one image that a manifest describes. `InvalidConfig` for an index, which these targets can't hold. */
export function imageParts(manifest: ManifestContent, target: string) {
  const action = `write manifest ${manifest.digest} to ${target}`;
  const parsed = parseManifest(manifest.bytes, action);
  if (parsed.kind === 'image') return { config: parsed.config, layers: parsed.layers, action };
  throw new HyperupError('InvalidConfig', `${action}: it is an index, want the image of one platform`);
}

/** The name with which Docker keeps an image: with a tag and no digest; undefined where it can have none. */
export function dockerTag(reference: string | undefined): string | undefined {
  if (reference === undefined || reference === '') return undefined;
  const tagged = taggedOnly(parseReference(reference));
  return tagged && formatReference(tagged);
}

/** Adds an image or, where it is there, its new tag; a tag that another image had goes over to it. */
export function addDockerImage(
  images: Map<string, DockerImage>,
  config: string,
  layers: readonly string[],
  tag: string | undefined,
): void {
  const image = images.get(config) ?? { config, layers, tags: new Set<string>() };
  images.set(config, image);
  if (tag === undefined) return;
  for (const other of images.values()) other.tags.delete(tag);
  image.tags.add(tag);
}

/** The member that a config is in. */
export function configMember(digest: string): string {
  return `${parseDigest(digest, 'write docker-archive').hex}.json`;
}

/** `manifest.json` (moby, `image/spec/v1.2.md`, "Combined Image JSON + Filesystem Changeset Format"). */
export function makeDockerManifest(images: Iterable<DockerImage>): Buffer {
  const entries = [...images].map(({ config, layers, tags }) => ({
    Config: configMember(config),
    RepoTags: tags.size === 0 ? null : [...tags],
    Layers: layers,
  }));
  return Buffer.from(`${JSON.stringify(entries)}\n`);
}
