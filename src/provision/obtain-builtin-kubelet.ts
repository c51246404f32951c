import { ensureKubeletImage, kubeletImageReference, kubeletProgram } from '../imagebuild/kubelet-image.js';
import { imageArchitecture } from '../mirror/engine-view.js';
import type { BuiltinKubelet } from '../nodeagent/builtin-kubelet.js';
import { type InstallContext, slot } from './install-context.js';

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
    run: runtime.host.run,
    packageRoot: runtime.packageRoot,
    packageVersion: runtime.packageVersion,
    nodePath: process.execPath,
    nodeVersion: process.version,
    cacheDir: options.images.cacheDir,
    architecture: imageArchitecture(slot(context, 'engineInfo').architecture),
    signal: runtime.signal,
  });
  return { image, program: kubeletProgram };
}
