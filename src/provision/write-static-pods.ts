import type { StaticComponent } from '../controlplane/component-flags.js';
import { writeHostFile } from '../host/changes.js';
import { staticPodFiles } from './cluster-files.js';
import { type InstallContext, slot } from './install-context.js';

/** Puts these components' manifests where the kubelet looks for static pods. Those that are as wanted stay. */
export async function writeStaticPods(context: InstallContext, components: readonly StaticComponent[]): Promise<void> {
  const files = staticPodFiles(slot(context, 'manifests'), slot(context, 'controlPlane'));
  for (const file of files) {
    if (components.includes(file.component)) {
      await writeHostFile(slot(context, 'journal'), file.path, file.data, file.mode);
    }
  }
}
