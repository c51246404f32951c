import { readFile } from 'node:fs/promises';
import { HyperupError } from '../../base/errors.js';
import { fileError } from '../../base/files.js';
import type { CommandResult, RunCommand } from '../../base/run-command.js';
import { type Mount, parseMountinfo } from '../../host/mountinfo.js';
import type { KubeletIdentity } from '../types.js';

/** Mounts in the host's mount namespace, the one that the engine binds from. */
export interface Mounter {
  /** The host's mounts, oldest first. */
  mounts(): Promise<readonly Mount[]>;
  /** Throws `HostChangeFailed` with what mount(8) said. */
  mount(request: MountRequest): Promise<void>;
  /** The topmost mount at that path. Throws `HostChangeFailed`, also for a busy one. */
  unmount(path: string): Promise<void>;
  /**
   * Runs a program of the host's, with the host's files and devices; any exit code is an outcome. Throws as `RunCommand`
   * does, `NotFound` where the host has no such program.
   */
  runOnHost(command: readonly string[], timeoutMs: number): Promise<CommandResult>;
}

export interface MountRequest {
  /** A device, a folder, `tmpfs`, `server:/path`. Never resolved on the way to the kernel. */
  readonly source: string;
  /** A path that is there already. */
  readonly target: string;
  /** Absent for a bind. */
  readonly fsType?: string;
  readonly options: readonly string[];
}

/** mount(8) gives up on a silent NFS server by itself after two minutes. */
const mountTimeoutMs = 150_000;

/**
 * The mounter that fits where the kubelet runs: beside the host's mounts, or in a container, from where a process of the
 * host's leads to them (`hostRoot`: `/proc/1/root`). Throws `InvalidConfig` for another host root.
 */
export function createMounter(options: {
  readonly identity: Pick<KubeletIdentity, 'hostRoot'>;
  readonly run: RunCommand;
}): Mounter {
  const { identity, run } = options;
  if (identity.hostRoot === '') return createLocalMounter(run);
  const pid = /^\/proc\/(\d+)\/root$/.exec(identity.hostRoot)?.[1];
  if (pid !== undefined) return createNsenterMounter(run, pid);
  throw new HyperupError('InvalidConfig', `mount on the host: got host root ${identity.hostRoot}, want /proc/PID/root`);
}

/** Runs mount(8) and umount(8) here. */
export function createLocalMounter(run: RunCommand): Mounter {
  return commandMounter(run, [], '/proc/self/mountinfo');
}

/** Runs the host's own mount(8) in the mount namespace of that process; wants the host's PID namespace. */
export function createNsenterMounter(run: RunCommand, pid: string): Mounter {
  return commandMounter(run, ['nsenter', '-t', pid, '-m', '--'], `/proc/${pid}/mountinfo`);
}

function commandMounter(run: RunCommand, prefix: readonly string[], mountinfo: string): Mounter {
  const runOnHost = async (command: readonly string[], timeoutMs: number) => {
    const [file = '', ...args] = [...prefix, ...command];
    const result = await run(file, args, { timeoutMs });
    // nsenter(1) tells a missing program as a shell does.
    if (prefix.length > 0 && result.exitCode === 127) {
      throw new HyperupError('NotFound', `run ${command.join(' ')}: the host has no program ${command[0] ?? ''}`, {
        details: { stderr: result.stderr },
      });
    }
    return result;
  };
  const call = async (command: readonly string[]) => {
    const { exitCode, stdout, stderr } = await runOnHost(command, mountTimeoutMs);
    if (exitCode === 0) return;
    throw new HyperupError('HostChangeFailed', `${command.join(' ')}: ${stderr || stdout || `exit ${exitCode}`}`, {
      details: { exitCode },
    });
  };
  return {
    async mounts() {
      try {
        return parseMountinfo(await readFile(mountinfo, 'utf8'));
      } catch (error) {
        throw fileError('read', mountinfo, error);
      }
    },
    mount({ source, target, fsType, options }) {
      // Unresolved, for a source below /proc/<pid>/fd that mount(8) resolved itself could be swapped meanwhile
      // (CVE-2021-25741).
      return call([
        'mount',
        '--no-canonicalize',
        ...(fsType === undefined ? [] : ['-t', fsType]),
        ...(options.length === 0 ? [] : ['-o', options.join(',')]),
        source,
        target,
      ]);
    },
    unmount: (path) => call(['umount', path]),
    runOnHost,
  };
}

/** The newest mount at exactly that path. */
export function mountAt(mounts: readonly Mount[], path: string): Mount | undefined {
  return mounts.findLast((mount) => mount.mountPoint === path);
}
