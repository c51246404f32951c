import { readlink } from 'node:fs/promises';
import type { Mount } from '../../src/host/mountinfo.js';
import type { Mounter, MountRequest } from '../../src/kubelet/volumes/mounter.js';

/** Remembers mounts and changes nothing. */
export interface FakeMounter extends Mounter {
  readonly table: Mount[];
  /** Every request, sources below /proc replaced by what they led to. */
  readonly requests: MountRequest[];
  /** Throws in the next calls of mount where set. */
  fault: Error | undefined;
}

export function makeFakeMounter(): FakeMounter {
  const table: Mount[] = [];
  const requests: MountRequest[] = [];
  return {
    table,
    requests,
    fault: undefined,
    async mounts() {
      return [...table];
    },
    async mount(request) {
      if (this.fault) throw this.fault;
      const source = request.source.startsWith('/proc/') ? await readlink(request.source) : request.source;
      requests.push({ ...request, source });
      table.push({
        id: 1000 + requests.length,
        parentId: 1,
        device: '0:99',
        root: '/',
        mountPoint: request.target,
        options: 'rw',
        tags: [],
        fsType: request.fsType ?? 'ext4',
        source,
        superOptions: 'rw',
      });
    },
    async unmount(path) {
      const index = table.findLastIndex((mount) => mount.mountPoint === path);
      if (index < 0) throw new Error(`umount ${path}: not mounted`);
      table.splice(index, 1);
    },
  };
}
