import { readlink } from 'node:fs/promises';
import type { CommandResult } from '../../src/base/run-command.js';
import type { Mount } from '../../src/host/mountinfo.js';
import type { Mounter, MountRequest } from '../../src/kubelet/volumes/mounter.js';

/** Remembers mounts and changes nothing. */
export interface FakeMounter extends Mounter {
  readonly table: Mount[];
  /** Every request, sources below /proc replaced by what they led to. */
  readonly requests: MountRequest[];
  /** Throws in the next calls of mount where set. */
  fault: Error | undefined;
  /** Every program that was run, as one line. */
  readonly commands: string[];
  /** What the host's programs answer, by name; exit 0 and silence where nothing is set. */
  readonly answers: Map<string, Partial<CommandResult>>;
}

export function makeFakeMounter(): FakeMounter {
  const table: Mount[] = [];
  const requests: MountRequest[] = [];
  const commands: string[] = [];
  const answers = new Map<string, Partial<CommandResult>>();
  return {
    table,
    requests,
    commands,
    answers,
    async runOnHost(command) {
      commands.push(command.join(' '));
      return { command: command.join(' '), exitCode: 0, stdout: '', stderr: '', ...answers.get(command[0] ?? '') };
    },
    fault: undefined,
    async mounts() {
      return [...table];
    },
    async mount(request) {
      if (this.fault) throw this.fault;
      if (request.options.includes('remount')) {
        requests.push(request);
        const index = table.findLastIndex((mount) => mount.mountPoint === request.target);
        const found = table[index];
        if (!found) throw new Error(`mount ${request.target}: not mounted`);
        const options = request.options.slice(1).join(',');
        table[index] = { ...found, options, superOptions: options };
        return;
      }
      const source = request.source.startsWith('/proc/') ? await readlink(request.source) : request.source;
      requests.push({ ...request, source });
      table.push({
        id: 1000 + requests.length,
        parentId: 1,
        device: '0:99',
        root: '/',
        mountPoint: request.target,
        options: request.options.includes('ro') ? 'ro' : 'rw',
        tags: [],
        fsType: request.fsType ?? 'ext4',
        source,
        superOptions: request.options.includes('ro') ? 'ro' : 'rw',
      });
    },
    async unmount(path) {
      const index = table.findLastIndex((mount) => mount.mountPoint === path);
      if (index < 0) throw new Error(`umount ${path}: not mounted`);
      table.splice(index, 1);
    },
  };
}
