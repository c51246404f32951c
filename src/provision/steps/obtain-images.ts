import { join } from 'node:path';
import { formatBytes } from '../../base/bytes.js';
import type { ImageOptions } from '../../config/types.js';
import type { Engine, EngineInfo } from '../../docker/types.js';
import { createImageBuilder, type ImageBuilder } from '../../imagebuild/image-builder.js';
import { readRecipes } from '../../imagebuild/recipe.js';
import { imageArchitecture } from '../../mirror/engine-view.js';
import { type ObtainOptions, obtainImages } from '../../mirror/obtain.js';
import { releaseFor } from '../../release/release-for.js';
import type { ReleaseImage } from '../../release/types.js';
import { withImageSources } from '../image-sources.js';
import { type InstallContext, slot } from '../install-context.js';
import { obtainDns } from '../obtain-dns.js';
import { obtainRelease } from '../obtain-release.js';
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
    const { options, runtime, slots, plan } = context;
    const engine = slot(context, 'engine');
    const info = slot(context, 'engineInfo');
    const journal = slot(context, 'journal');
    if (plan.reason !== undefined) io.emit({ type: 'note', level: 'info', message: plan.reason });
    return withImageSources(options.images, engine, info, runtime, async (sources) => {
      const builder = await makeImageBuilder(engine, info, options.images, runtime);
      const dead = new Map<string, string>();
      const obtain = (images: readonly ReleaseImage[], over: Partial<ObtainOptions> = {}) =>
        obtainImages({
          engine,
          engineInfo: info,
          release: { images },
          options: options.images,
          ...sources,
          builder,
          emit: io.emit,
          signal: runtime.signal,
          logger: runtime.logger,
          clock: runtime.clock,
          onTag: async (change) => {
            await journal.record({ kind: 'imageTag', ...change });
          },
          dead,
          ...over,
        });
      const releases = plan.layouts.map((layout) => releaseFor(options.cluster.kubernetesVersion, layout));
      const found = await obtainRelease({ releases, emit: io.emit, obtain: (release) => obtain(release.images) });
      // Afterwards, so that a mirror which is found dead costs its time once.
      const forDns = await obtainDns({
        plan: context.dnsPlan,
        mirrors: options.images.mirrors,
        emit: io.emit,
        obtain: (mirrors, emit) => obtain([found.release.coredns], { emit, options: { ...options.images, mirrors } }),
      });
      context.release = found.release;
      if (found.release.layout === 'component') context.kubelet = 'builtin';
      context.dns = forDns.dns;
      const images = [...found.images, ...forDns.images];
      slots.images = images;
      const fetched = images.filter((image) => image.changed);
      if (fetched.length === 0) return `${images.length} in the engine already`;
      return `${fetched.length} fetched, ${formatBytes(fetched.reduce((sum, image) => sum + image.sizeBytes, 0))}`;
    });
  },
};
