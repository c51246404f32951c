import { PassThrough } from 'node:stream';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { ImageEngine } from '../../docker/types.js';
import { makeTarHeader, tarEnd, tarPadding } from './tar-header.js';

const aheadBytes = 4 * 1024 * 1024;

/** A tar on its way into `docker load`, which does nothing before it has all of it. */
export interface EngineUpload {
  /** Begins a member; its `size` bytes follow by `send`, then `pad`. */
  begin(name: string, size: number): Promise<void>;
  /** Rejects with the engine's failure, as soon as there is one. */
  send(chunk: Buffer): Promise<void>;
  pad(size: number): Promise<void>;
  /** Ends the tar; gives what the engine says it has loaded. */
  finish(): Promise<readonly string[]>;
  /** Breaks off, so that nothing is loaded; never rejects. */
  cancel(): Promise<void>;
}

/** Opens a load. */
export function startEngineUpload(engine: ImageEngine): EngineUpload {
  const tar = new PassThrough({ highWaterMark: aheadBytes });
  let failure: unknown;
  const fail = (error: unknown) => {
    failure ??= error;
    tar.destroy();
  };
  tar.on('error', fail);
  const loaded = engine.loadImage(tar);
  loaded.catch(fail);
  const send = async (chunk: Buffer) => {
    if (!tar.destroyed && tar.write(chunk)) return;
    if (!tar.destroyed) {
      await new Promise<void>((resolve) => {
        const go = () => {
          tar.off('drain', go);
          tar.off('close', go);
          resolve();
        };
        tar.on('drain', go);
        tar.on('close', go);
      });
    }
    if (!tar.destroyed) return;
    // The engine's own words come a moment after it stopped reading.
    await loaded.catch(fail);
    throw failure ?? new HyperupError('EngineFailed', 'load images: the engine stopped reading');
  };
  return {
    begin: (name, size) => send(makeTarHeader(name, size)),
    send,
    pad: async (size) => {
      const padding = tarPadding(size);
      if (padding.length > 0) await send(padding);
    },
    finish: async () => {
      await send(tarEnd());
      tar.end();
      return loaded;
    },
    cancel: async () => {
      tar.destroy(new HyperupError('Aborted', 'load images: given up'));
      await loaded.catch((error: unknown) => messageOf(error));
    },
  };
}
