import { join } from 'node:path';
import { formatBytes } from '../../base/bytes.js';
import type { ImageOptions } from '../../config/types.js';
import type { Engine, EngineInfo } from '../../docker/types.js';
import { createImageBuilder, type ImageBuilder } from '../../imagebuild/image-builder.js';
import { readRecipes } from '../../imagebuild/recipe.js';
import { imageArchitecture } from '../../mirror/engine-view.js';
import { obtainImages } from '../../mirror/obtain.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Runtime } from '../runtime.js';
import type { Step } from '../step.js';

/** The builder of this package's recipes. */
export async function makeImageBuilder(
  engine: Engine,
  info: Pick<EngineInfo, 'architecture'>,
  options: ImageOptions,
  runtime: Runtime,
): Promise<ImageBuilder> {
  return createImageBuilder({
    engine,
    run: runtime.host.run,
    recipes: await readRecipes(join(runtime.packageRoot, 'images')),
    cacheDir: options.cacheDir,
    debianMirror: options.debianMirror,
    architecture: imageArchitecture(info.architecture),
    logger: runtime.logger,
  });
}

export const obtainImagesStep: Step<InstallContext> = {
  id: 'images',
  title: 'Get the images',
  async run(context, io) {
    const { options, runtime, release, slots } = context;
    const engine = slot(context, 'engine');
    const info = slot(context, 'engineInfo');
    const journal = slot(context, 'journal');
    const images = await obtainImages({
      engine,
      engineInfo: info,
      release,
      options: options.images,
      builder: await makeImageBuilder(engine, info, options.images, runtime),
      emit: io.emit,
      signal: runtime.signal,
      logger: runtime.logger,
      clock: runtime.clock,
      onTag: async (change) => {
        await journal.record({ kind: 'imageTag', ...change });
      },
    });
    slots.images = images;
    const fetched = images.filter((image) => image.changed);
    if (fetched.length === 0) return `${images.length} in the engine already`;
    return `${fetched.length} fetched, ${formatBytes(fetched.reduce((sum, image) => sum + image.sizeBytes, 0))}`;
  },
};
