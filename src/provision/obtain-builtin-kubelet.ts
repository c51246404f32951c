import { ensureKubeletImage, kubeletImageReference, kubeletProgram } from '../imagebuild/kubelet-image.js';
import { imageArchitecture } from '../mirror/engine-view.js';
import type { BuiltinKubelet } from '../nodeagent/builtin-kubelet.js';
import { type InstallContext, slot } from './install-context.js';
import { kubeletImageInputs } from './kubelet-image-inputs.js';

/**
 * The built-in kubelet's image, made from this machine's Node where the engine doesn't have this very one; once an install,
 * whoever asks.
 */
export function obtainBuiltinKubelet(context: InstallContext): Promise<BuiltinKubelet> {
  context.slots.kubeletImage ??= makeKubeletImage(context);
  return context.slots.kubeletImage;
}

async function makeKubeletImage(context: InstallContext): Promise<BuiltinKubelet> {
  const { options, runtime } = context;
  const engine = slot(context, 'engine');
  const journal = slot(context, 'journal');
  const reference = kubeletImageReference(runtime.packageVersion);
  const before = await engine.inspectImage(reference);
  if (!before) await journal.record({ kind: 'imageTag', reference, previousId: undefined, pulledAs: undefined });
  const { reference: image } = await ensureKubeletImage({
    engine,
    ...kubeletImageInputs(runtime, {
      cacheDir: options.images.cacheDir,
      architecture: imageArchitecture(slot(context, 'engineInfo').architecture),
    }),
  });
  return { image, program: kubeletProgram };
}
