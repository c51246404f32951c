import { HyperupError, isHyperupError } from '../../base/errors.js';
import { formatReference, parseReference } from '../../registry/reference.js';
import { openArchive } from '../content/archive-file.js';
import { readDockerEntries } from '../content/docker-archive-reader.js';
import type { LayoutEntry } from '../content/layout-index.js';
import { parseImageLocation } from '../content/location.js';
import { openLayoutArchive } from '../content/oci-archive-reader.js';
import { readLayoutEntries } from '../content/oci-reader.js';
import type { ContentDeps, ImageLocation } from '../content/types.js';

/** An image in a file, and the names that it is to have; at least one. */
export interface ArchivedImage {
  readonly location: ImageLocation;
  readonly references: readonly string[];
}

/** image-spec 1.1 `annotations.md`, and what containerd and Docker write beside it: the full reference. */
const nameAnnotations = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'] as const;

/**
 * True for a word that means a file rather than a reference: `docker-archive:…`, `oci-archive:…`, what begins as a path
 * does, or ends as tars do.
 */
export function isArchiveWord(word: string): boolean {
  return /^(?:docker|oci)-archive:|^\.{0,2}\/|\.(?:tar|tar\.gz|tgz)$/.test(word);
}

/**
 * The images of a file that `docker save` or a tool for OCI layouts has made, by the names that they have there. Errors:
 * `InvalidConfig` for what is neither, or holds an image without a name; `NotFound`.
 */
export async function listArchive(word: string, deps: Pick<ContentDeps, 'tmpDir'>): Promise<readonly ArchivedImage[]> {
  const isNamed = /^(?:docker|oci)-archive:/.test(word);
  const given = isNamed ? parseImageLocation(word) : undefined;
  const path = given && 'path' in given ? given.path : word;
  const isDocker = given ? given.transport === 'docker-archive' : await hasDockerList(path, deps);
  const found = isDocker ? await dockerImages(path, deps) : await ociImages(path, deps);
  const wanted = given && 'name' in given ? given.name : undefined;
  const chosen = wanted === undefined ? found : found.filter((image) => isCalled(image, wanted));
  if (chosen.length === 0) {
    const there = found.flatMap(({ references }) => references).join(', ') || 'nothing';
    throw new HyperupError('NotFound', `read ${path}: no image ${wanted ?? ''}: it holds ${there}`);
  }
  for (const { references, location } of chosen) if (references.length === 0) throw nameless(path, location);
  return chosen;
}

/** Docker from 25 on writes both in one file; its own list has the names in full. */
async function hasDockerList(path: string, deps: Pick<ContentDeps, 'tmpDir'>): Promise<boolean> {
  const archive = await openArchive(path, deps);
  try {
    return archive.index.find('manifest.json') !== undefined;
  } finally {
    await archive.close();
  }
}

async function dockerImages(path: string, deps: Pick<ContentDeps, 'tmpDir'>): Promise<readonly ArchivedImage[]> {
  const archive = await openArchive(path, deps);
  try {
    const entries = await readDockerEntries(archive);
    return entries.map(({ RepoTags }, at) => ({
      location: { transport: 'docker-archive', path, name: `@${at}` },
      references: (RepoTags ?? []).flatMap((tag) => fullName(tag) ?? []),
    }));
  } finally {
    await archive.close();
  }
}

async function ociImages(path: string, deps: Pick<ContentDeps, 'tmpDir'>): Promise<readonly ArchivedImage[]> {
  const files = await openLayoutArchive(path, deps);
  try {
    const entries = await readLayoutEntries(files);
    const digests = [...new Set(entries.map(({ digest }) => digest))];
    return digests.map((digest) => ({
      location: { transport: 'oci-archive', path, name: digest },
      references: [...new Set(entries.flatMap((entry) => (entry.digest === digest ? (nameOf(entry) ?? []) : [])))],
    }));
  } finally {
    await files.close();
  }
}

function nameOf({ annotations }: LayoutEntry): string | undefined {
  for (const key of nameAnnotations) {
    const text = annotations?.[key];
    // A tag alone would read as one of Docker Hub's images.
    if (text !== undefined && /[/:]/.test(text)) return fullName(text);
  }
  return undefined;
}

function fullName(text: string): string | undefined {
  try {
    const parsed = parseReference(text);
    return formatReference({ domain: parsed.domain, path: parsed.path, tag: parsed.tag ?? 'latest' });
  } catch (error) {
    if (isHyperupError(error, 'InvalidConfig')) return undefined;
    throw error;
  }
}

function isCalled({ location, references }: ArchivedImage, wanted: string): boolean {
  if ('name' in location && location.name === wanted) return true;
  const full = fullName(wanted);
  return full !== undefined && references.includes(full);
}

function nameless(path: string, location: ImageLocation): HyperupError {
  const name = 'name' in location ? location.name : '';
  return new HyperupError('InvalidConfig', `read ${path}: image ${name} has no name that says registry and tag`, {
    hint: `Give it one: hyperup images copy ${location.transport}:${path}:${name} docker-daemon:NAME:TAG`,
  });
}
