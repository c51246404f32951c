import type { KubeletChoice } from '../config/types.js';
import type { ImageLayout, ReleaseSpec } from '../release/types.js';
import type { ClusterRecord } from './cluster-record.js';

/** Which kubelet runs the node, and which images the rest comes from. */
export interface KubeletPlan {
  readonly kubelet: 'hyperkube' | 'builtin';
  /** In the order in which they are tried; another one than hyperkube's means the built-in kubelet. */
  readonly layouts: readonly [ImageLayout, ...ImageLayout[]];
  /** Why it is the built-in kubelet, where nobody asked for it. */
  readonly reason: string | undefined;
}

/**
 * The kubelet of an install. `auto` is hyperkube's where it can serve, and on a cluster that is there the one that runs
 * already: two kubelets in turn would each stop the other's pods. Pure.
 */
export function planKubelet(
  choice: KubeletChoice,
  release: Pick<ReleaseSpec, 'version' | 'dockershim'>,
  record?: Pick<ClusterRecord, 'kubelet' | 'layout'>,
): KubeletPlan {
  if (!release.dockershim) {
    const reason =
      choice === 'auto'
        ? `the kubelet of ${release.version} can't drive Docker: the built-in one runs the node`
        : undefined;
    return { kubelet: 'builtin', layouts: ['component'], reason };
  }
  if (choice === 'hyperkube') return { kubelet: 'hyperkube', layouts: ['hyperkube'], reason: undefined };
  return {
    kubelet: choice === 'builtin' ? 'builtin' : (record?.kubelet ?? 'hyperkube'),
    layouts: record?.layout === 'component' ? ['component', 'hyperkube'] : ['hyperkube', 'component'],
    reason: undefined,
  };
}
