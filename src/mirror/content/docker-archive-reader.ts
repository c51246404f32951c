import { Readable } from 'node:stream';
import { HyperupError } from '../../base/errors.js';
import { listOf, nullable, objectOf, type ShapeOf, text } from '../../base/json-shape.js';
import { formatReference, parseReference, taggedOnly } from '../../registry/reference.js';
import type { Descriptor } from '../../registry/types.js';
import { type ArchiveFile, isGzip, openArchive } from './archive-file.js';
import { mismatch, sha256Of } from './digest.js';
import { checked, makeImageManifest, maxConfigBytes, parseImageConfig, parseJson } from './image-manifest.js';
import { hashLayer } from './layer-tar.js';
import { mediaTypes } from './media-types.js';
import type { TarFile } from './tar-index.js';
import type { ContentDeps, ImageReader } from './types.js';

const maxListBytes = 16 * 1024 * 1024;
const listShape = listOf(
  objectOf({ Config: text }, { RepoTags: nullable(listOf(text)), Layers: nullable(listOf(text)) }),
);

/** An image in a docker-archive's `manifest.json`. */
export type DockerArchiveEntry = ShapeOf<typeof listShape>[number];

/**
 * An image of a docker-archive, as a schema 2 manifest that is made of what is in it: plain layers by their diff ids,
 * which the config names, compressed ones by the digest they have. `name`: a full reference with its tag, `@N` for the
 * N-th, or undefined for the only image. Errors: `NotFound` naming what is there, `InvalidConfig` naming file and
 * member, `DigestMismatch` where a compressed layer isn't the one that the config names.
 */
export async function openDockerArchiveReader(
  path: string,
  name: string | undefined,
  deps: Pick<ContentDeps, 'tmpDir'>,
): Promise<ImageReader> {
  const archive = await openArchive(path, deps);
  try {
    const entry = selectImage(await readDockerEntries(archive), name, `read ${path}`);
    return await readerOf(archive, entry, `docker-archive:${path}${name === undefined ? '' : `:${name}`}`);
  } catch (error) {
    await archive.close();
    throw error;
  }
}

/** The images that a docker-archive says it holds. */
export async function readDockerEntries(archive: ArchiveFile): Promise<readonly DockerArchiveEntry[]> {
  const list = memberOf(archive, 'manifest.json');
  const action = `read ${archive.path}: member "manifest.json"`;
  return checked(listShape, parseJson(await archive.read(list, maxListBytes), action), action);
}

async function readerOf(archive: ArchiveFile, entry: DockerArchiveEntry, name: string): Promise<ImageReader> {
  const action = `read ${archive.path}: member "${entry.Config}"`;
  const config = await archive.read(memberOf(archive, entry.Config), maxConfigBytes);
  const { diffIds } = parseImageConfig(config, action);
  const paths = entry.Layers ?? [];
  if (paths.length !== diffIds.length) {
    throw new HyperupError('InvalidConfig', `${action}: ${paths.length} layers, want ${diffIds.length} as it says`);
  }
  const members = new Map<string, TarFile>();
  const layers: Descriptor[] = [];
  for (const [at, diffId] of diffIds.entries()) {
    const path = paths[at] ?? '';
    const member = memberOf(archive, path);
    const layer = await describeLayer(archive, member, diffId);
    members.set(layer.digest, member);
    layers.push(layer);
  }
  const configBlob = { mediaType: mediaTypes.dockerConfig, size: config.length, digest: sha256Of(config) };
  const manifest = makeImageManifest(mediaTypes.dockerManifest, configBlob, layers);
  const missing = (digest: string) => new HyperupError('NotFound', `read ${archive.path}: it has no ${digest}`);
  return {
    name,
    getManifest: async (digest = manifest.digest) => {
      if (digest === manifest.digest) return manifest;
      throw missing(digest);
    },
    openBlob: async (blob) => {
      if (blob.digest === configBlob.digest) return Readable.from([config], { objectMode: false });
      const member = members.get(blob.digest);
      if (!member) throw missing(blob.digest);
      return archive.stream(member);
    },
    close: () => archive.close(),
  };
}

async function describeLayer(archive: ArchiveFile, member: TarFile, diffId: string): Promise<Descriptor> {
  const start = await archive.read({ ...member, size: Math.min(member.size, 8) }, 8);
  if (!isGzip(start)) return { mediaType: mediaTypes.dockerLayer, size: member.size, digest: diffId };
  const action = `read ${archive.path}: member "${member.path}"`;
  const layer = await hashLayer(archive.stream(member), action);
  if (layer.diffId !== diffId) throw mismatch(action, `diff id ${layer.diffId}, want ${diffId}`);
  return { mediaType: mediaTypes.dockerLayerGzip, size: member.size, digest: layer.digest };
}

function memberOf(archive: ArchiveFile, path: string): TarFile {
  const member = archive.index.find(path);
  if (member) return member;
  throw new HyperupError('InvalidConfig', `read ${archive.path}: it has no member "${path.slice(0, 200)}"`, {
    hint: 'A docker-archive is what `docker save` makes; write oci-archive:FILE for a packed OCI layout.',
  });
}

function selectImage(
  entries: readonly DockerArchiveEntry[],
  name: string | undefined,
  action: string,
): DockerArchiveEntry {
  const names = entries.map((entry, at) => entry.RepoTags?.[0] ?? `@${at}`);
  const there = names.length === 0 ? 'it holds no image' : `it holds ${names.slice(0, 10).join(', ')}`;
  const details = { names };
  if (name === undefined) {
    const [only, second] = entries;
    if (only && !second) return only;
    throw new HyperupError('NotFound', `${action}: ${there}${only ? ': say which' : ''}`, { details });
  }
  const found = name.startsWith('@')
    ? entries[Number(name.slice(1))]
    : entries.find((entry) => entry.RepoTags?.some((tag) => normalised(tag) === normalised(name)));
  if (!found) throw new HyperupError('NotFound', `${action}: no image ${name}, ${there}`, { details });
  return found;
}

/** As docker reads a tag; what is no reference stands for itself. */
function normalised(tag: string): string {
  try {
    const reference = taggedOnly(parseReference(tag));
    return reference ? formatReference(reference) : tag;
  } catch {
    return tag;
  }
}
