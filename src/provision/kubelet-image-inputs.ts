import type { KubeletImageOptions } from '../imagebuild/kubelet-image.js';
import type { Runtime } from './runtime.js';

/** What the built-in kubelet's image is made of, beside the engine that gets it: this very hyperup and its Node. */
export function kubeletImageInputs(
  runtime: Runtime,
  { cacheDir, architecture }: Pick<KubeletImageOptions, 'cacheDir' | 'architecture'>,
): Omit<KubeletImageOptions, 'engine'> {
  return {
    run: runtime.host.run,
    packageRoot: runtime.packageRoot,
    packageVersion: runtime.packageVersion,
    nodePath: process.execPath,
    nodeVersion: process.version,
    cacheDir,
    architecture,
    signal: runtime.signal,
  };
}
