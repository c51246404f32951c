import { HyperupError } from '../base/errors.js';
import type { InstallOptions } from '../config/types.js';
import { ensureKubeletImage, kubeletImageReference } from '../imagebuild/kubelet-image.js';
import type { BlobStage } from '../mirror/bundle/blob-stage.js';
import type { BundledImage } from '../mirror/bundle/bundle-format.js';
import { type CollectedImage, collectArchive } from '../mirror/bundle/collect-archive.js';
import { formatReference, parseReference } from '../registry/reference.js';
import {
  type CollectChoice,
  type CollectTools,
  collectFromEngine,
  partsOf,
  type WantedImage,
} from './bundle-collect.js';
import { kubeletImageInputs } from './kubelet-image-inputs.js';
import type { Runtime } from './runtime.js';

/**
 * The built-in kubelet's image: the engine's where it is of this very hyperup and Node, else made now, into the stage
 * alone. Undefined for another platform than this machine's: it is made of this machine's own programs.
 */
export async function collectKubelet(
  options: InstallOptions,
  choice: Pick<CollectChoice, 'compress'>,
  tools: CollectTools,
  stage: BlobStage,
  runtime: Runtime,
): Promise<BundledImage> {
  const { engine, platform } = tools;
  const reference = kubeletImageReference(runtime.packageVersion);
  const full = formatReference(parseReference(reference));
  let made: readonly CollectedImage[] | undefined;
  await ensureKubeletImage({
    engine: {
      inspectImage: async (name) => await engine?.inspectImage(name),
      loadImage: async (archive) => {
        made = await collectArchive(archive, stage, { gzip: choice.compress });
        return [reference];
      },
    },
    ...kubeletImageInputs(runtime, { cacheDir: options.images.cacheDir, architecture: platform.architecture }),
  });
  const wanted: WantedImage = { name: 'kubelet', reference: full, digest: undefined, role: 'kubelet' };
  const image = made?.[0] ?? (await collectFromEngine([wanted], choice, tools, stage, runtime)).get(full);
  if (image === undefined) throw new HyperupError('BuildFailed', `save ${reference}: it could not be made`);
  return { name: 'kubelet', reference: full, role: 'kubelet', ...partsOf(image) };
}
