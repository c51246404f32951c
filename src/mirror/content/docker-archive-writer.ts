import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { HyperupError } from '../../base/errors.js';
import { fileError } from '../../base/files.js';
import { makeFolder } from '../../base/make-folder.js';
import type { Descriptor } from '../../registry/types.js';
import { hearErrors, mismatch, verifiedChunks } from './digest.js';
import {
  addDockerImage,
  configMember,
  type DockerImage,
  dockerTag,
  imageParts,
  isConfig,
  makeDockerManifest,
  readConfig,
} from './docker-image-set.js';
import { makeFileSink } from './file-sink.js';
import { parseImageConfig } from './image-manifest.js';
import { readLayerTar } from './layer-tar.js';
import { spoolChunks } from './spool.js';
import { blockSize, makeTarHeader, tarEnd, tarPadding } from './tar-header.js';
import { makeTurn } from './turn.js';
import type { ContentDeps, ImageWriter } from './types.js';

/** A layer that is in the archive. */
interface Layer {
  readonly member: string;
  readonly diffId: string;
}

/**
 * A docker-archive as `docker load` and skopeo read it: layers inflated, each there once, `manifest.json` last. Written
 * aside and renamed at `commit`. A layer streams into the file; those that come meanwhile wait in `tmpDir`, so that no
 * source is kept waiting for another. Errors beside the contract's: `DigestMismatch` where a layer isn't the one that
 * its image's config names, `InvalidConfig` for an index, and for layers that are neither gzip nor plain.
 */
export async function openDockerArchiveWriter(path: string, deps: Pick<ContentDeps, 'tmpDir'>): Promise<ImageWriter> {
  const found = await stat(path).catch(() => undefined);
  if (found && !found.isFile()) throw new HyperupError('InvalidConfig', `write ${path}: it is no regular file`);
  const aside = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  const file = await makeFolder(dirname(path))
    .then(() => open(aside, 'wx', 0o644))
    .catch((error: unknown) => {
      throw fileError('write', path, error);
    });
  const sink = makeFileSink(file);
  const turn = makeTurn();
  const layers = new Map<string, Layer>();
  const configs = new Map<string, Buffer>();
  const images = new Map<string, DockerImage>();
  let isOpen = true;

  const end = async () => {
    if (!isOpen) return;
    isOpen = false;
    await file.close().catch(() => {});
    await rm(aside, { force: true }).catch(() => {});
  };
  /** The header comes last: only then is the size known. */
  const append = async (blob: Descriptor, content: Readable, signal: AbortSignal | undefined) => {
    const start = sink.position;
    try {
      await sink.write(Buffer.alloc(blockSize));
      const action = `write layer ${blob.digest} to ${path}`;
      const diffId = await readLayerTar(blob, content, action, (chunk) => sink.write(chunk), signal);
      const size = sink.position - start - blockSize;
      const member = `${diffId.slice('sha256:'.length)}.tar`;
      const isThere = [...layers.values()].some((layer) => layer.diffId === diffId);
      if (!isThere) await sink.write(tarPadding(size));
      await sink.flush();
      if (isThere) sink.seek(start);
      else await file.write(makeTarHeader(member, size), 0, blockSize, start);
      layers.set(blob.digest, { member, diffId });
    } catch (error) {
      // What was written of it is written over by what comes next.
      await sink.flush().catch(() => {});
      sink.seek(start);
      throw fileError('write', path, error);
    }
  };
  const addMember = async (name: string, bytes: Buffer) => {
    for (const part of [makeTarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]) await sink.write(part);
  };

  return {
    name: `docker-archive:${path}`,
    accepts: { index: false, oci: false },
    hasBlob: async (blob) => layers.has(blob.digest) || configs.has(blob.digest),
    putBlob: async (blob, content, signal) => {
      hearErrors(content);
      if (isConfig(blob)) {
        configs.set(blob.digest, await readConfig(blob, content, path, signal));
        return;
      }
      const release = turn.tryTake();
      if (release) {
        await append(blob, content, signal).finally(release);
        return;
      }
      const action = `write layer ${blob.digest} to ${path}`;
      const spool = await spoolChunks(verifiedChunks(blob, content, action, signal), deps.tmpDir);
      const later = await turn.take();
      try {
        await append(blob, spool.open(), signal);
      } finally {
        later();
        await spool.remove();
      }
    },
    putManifest: async (manifest, reference) => {
      const parts = imageParts(manifest, path);
      const config = configs.get(parts.config.digest);
      if (!config) throw new HyperupError('NotFound', `${parts.action}: config ${parts.config.digest} is missing`);
      const { diffIds } = parseImageConfig(config, `${parts.action}: config ${parts.config.digest}`);
      const members = parts.layers.map((blob, at) => {
        const layer = layers.get(blob.digest);
        if (!layer) throw new HyperupError('NotFound', `${parts.action}: layer ${blob.digest} is missing`);
        if (layer.diffId === diffIds[at]) return layer.member;
        throw mismatch(
          `${parts.action}: layer ${blob.digest}`,
          `diff id ${layer.diffId}, want ${diffIds[at] ?? 'none'}`,
        );
      });
      if (diffIds.length !== members.length) {
        throw mismatch(parts.action, `${members.length} layers, want ${diffIds.length} as its config says`);
      }
      addDockerImage(images, parts.config.digest, members, dockerTag(reference));
    },
    commit: async () => {
      try {
        for (const digest of images.keys()) {
          const bytes = configs.get(digest);
          if (bytes) await addMember(configMember(digest), bytes);
        }
        await addMember('manifest.json', makeDockerManifest(images.values()));
        await sink.write(tarEnd());
        await sink.flush();
        await file.truncate(sink.position);
        await file.sync();
        await rename(aside, path);
        isOpen = false;
        await file.close();
      } catch (error) {
        await end();
        throw fileError('write', path, error);
      }
    },
    abort: end,
  };
}
