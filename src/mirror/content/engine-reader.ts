import { HyperupError } from '../../base/errors.js';
import { openDockerArchiveReader } from './docker-archive-reader.js';
import { spoolChunks } from './spool.js';
import type { ContentDeps, ImageReader } from './types.js';

/**
 * An image of the engine: what `docker save` gives, put aside in `tmpDir` until `close`. Its layers come out as plain
 * tars, so the manifest is another than the registry's, while the config and so the image's id is the same. `NotFound`.
 */
export async function openEngineReader(reference: string, deps: ContentDeps): Promise<ImageReader> {
  const { engine } = deps;
  if (!engine) throw new HyperupError('Internal', `read docker-daemon:${reference}: no engine was given`);
  if (!(await engine.inspectImage(reference))) {
    throw new HyperupError('NotFound', `read docker-daemon:${reference}: the engine has no such image`, {
      hint: '`docker images` lists those that it has.',
    });
  }
  const spool = await spoolChunks((await engine.saveImages([reference])) as AsyncIterable<Buffer>, deps.tmpDir);
  try {
    const reader = await openDockerArchiveReader(spool.path, undefined, deps);
    return {
      ...reader,
      name: `docker-daemon:${reference}`,
      close: async () => {
        await reader.close();
        await spool.remove();
      },
    };
  } catch (error) {
    await spool.remove();
    throw error;
  }
}
