import { statfs } from 'node:fs/promises';
import type { Clock } from '../../base/clock.js';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { EngineImage, RuntimeEngine, RuntimeInfo } from '../../docker/runtime-types.js';
import type { KubeletIdentity, PodEvents } from '../types.js';

export interface ImageGarbageOptions {
  readonly engine: Pick<RuntimeEngine, 'listContainers' | 'listImages' | 'inspectImage' | 'removeImage'>;
  readonly info: Pick<RuntimeInfo, 'rootDir'>;
  readonly identity: KubeletIdentity;
  readonly events: PodEvents;
  readonly pauseImage: string;
  /** True for what must never go, by id or by one of its tags. */
  readonly keep: (reference: string) => boolean;
  /** As `KubeletOptions.imageGc`: 85, 80, 2 minutes unless told otherwise. */
  readonly policy: { readonly highPercent: number; readonly lowPercent: number; readonly minAgeMs: number };
  /** Of the file system that holds the images; for tests. */
  readonly diskUsage?: (() => Promise<DiskUsage>) | undefined;
}

export interface DiskUsage {
  readonly capacityBytes: number;
  readonly availableBytes: number;
}

export interface ImageGarbage {
  /** Notes which images are here and which are in use. The first time they count as having always been here. */
  detect(): Promise<void>;
  collect(): Promise<void>;
}

interface ImageRecord {
  image: EngineImage;
  readonly detectedMs: number;
  /** 0: never seen in use. */
  usedMs: number;
}

/** Frees disk space by removing images that nothing uses, the longest unused first (v1.20 `images/image_gc_manager.go`). */
export function createImageGarbage(options: ImageGarbageOptions, clock: Clock, logger: Logger): ImageGarbage {
  const { engine, events, policy } = options;
  const records = new Map<string, ImageRecord>();
  let detectedOnce = false;

  /** Gives the ids of images in use, by whomsoever: the engine may have containers that are none of ours. */
  const detect = async (): Promise<ReadonlySet<string>> => {
    const [images, containers, pause] = await Promise.all([
      engine.listImages(),
      engine.listContainers([]),
      engine.inspectImage(options.pauseImage),
    ]);
    const used = new Set(containers.map((container) => container.imageId));
    if (pause) used.add(pause.id);
    const now = clock.now();
    for (const image of images) {
      const record = records.get(image.id) ?? { image, detectedMs: detectedOnce ? now : 0, usedMs: 0 };
      record.image = image;
      if (used.has(image.id)) record.usedMs = now;
      records.set(image.id, record);
    }
    const here = new Set(images.map((image) => image.id));
    for (const id of records.keys()) if (!here.has(id)) records.delete(id);
    detectedOnce = true;
    return used;
  };
  const free = async (wantedBytes: number): Promise<number> => {
    const used = await detect();
    const now = clock.now();
    const candidates = [...records.values()]
      .filter(({ image, detectedMs }) => !used.has(image.id) && now - detectedMs >= policy.minAgeMs)
      .filter(({ image }) => ![image.id, ...image.tags].some(options.keep))
      .sort((a, b) => a.usedMs - b.usedMs || a.detectedMs - b.detectedMs);
    const errors: string[] = [];
    let freed = 0;
    for (const { image } of candidates) {
      if (freed >= wantedBytes) break;
      logger.info('Removing an unused image to free disk space', { image: image.tags[0] ?? image.id });
      try {
        await engine.removeImage(image.id);
        records.delete(image.id);
        freed += image.sizeBytes;
      } catch (error) {
        errors.push(messageOf(error));
      }
    }
    if (errors.length === 0) return freed;
    throw new HyperupError(
      'EngineFailed',
      `wanted to free ${wantedBytes} bytes, but freed ${freed} bytes space with errors in image deletion: [${errors.join(', ')}]`,
    );
  };
  return {
    async detect() {
      await detect();
    },
    async collect() {
      const usage = options.diskUsage ?? (() => diskUsageOf(`${options.identity.hostRoot}${options.info.rootDir}`));
      const { capacityBytes, availableBytes } = await usage();
      if (capacityBytes === 0) {
        const message = 'invalid capacity 0 on image filesystem';
        events.node('Warning', 'InvalidDiskCapacity', message);
        throw new HyperupError('EngineFailed', message);
      }
      const usedPercent = 100 - Math.floor((Math.min(availableBytes, capacityBytes) * 100) / capacityBytes);
      if (usedPercent < policy.highPercent) {
        await detect();
        return;
      }
      const wanted = Math.ceil((capacityBytes * (100 - policy.lowPercent)) / 100) - availableBytes;
      logger.info('The disk that holds images is too full', { usedPercent, wantedBytes: wanted });
      const freed = await free(wanted);
      if (freed >= wanted) return;
      const message = `failed to garbage collect required amount of images. Wanted to free ${wanted} bytes, but freed ${freed} bytes`;
      events.node('Warning', 'FreeDiskSpaceFailed', message);
      throw new HyperupError('EngineFailed', message);
    },
  };
}

async function diskUsageOf(path: string): Promise<DiskUsage> {
  const { bsize, blocks, bavail } = await statfs(path);
  return { capacityBytes: bsize * blocks, availableBytes: bsize * bavail };
}
