import type { ImageLock, LockEntry } from '../../../../src/mirror/lock/types.js';

export const imageType = 'application/vnd.docker.distribution.manifest.v2+json';
export const indexType = 'application/vnd.docker.distribution.manifest.list.v2+json';

/** A digest of that one hex digit. */
export function digest(letter: string): string {
  return `sha256:${letter.repeat(64)}`;
}

/** An entry; manifests by platform as letters, whose configs are `d`. */
export function makeEntry(
  letter: string,
  manifests: Readonly<Record<string, string>>,
  mediaType: string = indexType,
): LockEntry {
  const platforms = Object.entries(manifests).map(([name, manifest]) => [
    name,
    { manifest: digest(manifest), config: digest('d'), size: 7, layers: [digest('f')] },
  ]);
  return {
    digest: digest(letter),
    mediaType,
    platforms: Object.fromEntries(platforms),
    source: 'k8s.gcr.io/etcd:3.4.13-0',
    at: '2026-11-22T08:00:00.000Z',
  };
}

export function lockOf(images: ImageLock['images']): ImageLock {
  return { version: 1, images };
}
