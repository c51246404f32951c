import { stat } from 'node:fs/promises';
import { HyperupError } from '../../base/errors.js';
import { refuseBacksteps } from './host-path.js';
import type { Mounter } from './mounter.js';
import { resolveInRoot } from './resolve-in-root.js';

const probeTimeoutMs = 150_000;
/** A check or a new file system reads and writes much of a large and slow disk. */
const workTimeoutMs = 30 * 60_000;
const defaultFsType = 'ext4';

/** Of fsck(8): some errors are left. Below it all is well again, above it the check itself didn't work. */
const fsckErrorsLeft = 4;
/** Of blkid(8): nothing that it knows is on the device. */
const blkidNothing = 2;

/** What a local volume's path leads to on the host. */
export interface LocalSource {
  /** Links followed. */
  readonly path: string;
  readonly type: 'directory' | 'device';
}

/** Throws `NotFound`, and `InvalidConfig` for what is neither a folder nor a block device. */
export async function findLocalSource(hostRoot: string, path: string): Promise<LocalSource> {
  refuseBacksteps(path, `invalid path: ${path}`);
  const resolved = await resolveInRoot(hostRoot, path);
  if (resolved.missing > 0) throw new HyperupError('NotFound', `path "${path}" does not exist`);
  const found = await stat(hostRoot + resolved.path);
  if (found.isDirectory()) return { path: resolved.path, type: 'directory' };
  if (found.isBlockDevice()) return { path: resolved.path, type: 'device' };
  throw new HyperupError('InvalidConfig', `local volume ${path}: only directory and block device are supported`);
}

/** The device that a path leads to on the host, links followed. Throws `NotFound`, and `InvalidConfig` for all else. */
export async function findDevice(hostRoot: string, path: string): Promise<string> {
  const source = await findLocalSource(hostRoot, path);
  if (source.type === 'device') return source.path;
  throw new HyperupError('InvalidConfig', `local volume ${path}: it is not a block device`, { details: { path } });
}

export interface FormatRequest {
  readonly device: string;
  /** Empty or absent: ext4. */
  readonly fsType: string | undefined;
  readonly readOnly: boolean;
}

/**
 * Readies a device for mount(8), with the host's programs: one that holds nothing gets a file system, one that holds
 * something is checked and repaired, and never formatted, whatever it holds. Gives the type to mount. Throws
 * `HostChangeFailed`, `InvalidConfig` and what the mounter throws (v1.20 `mount_linux.go`, `formatAndMountSensitive`).
 */
export async function formatDevice(mounter: Pick<Mounter, 'runOnHost'>, request: FormatRequest): Promise<string> {
  const { device, readOnly } = request;
  const fsType = request.fsType || defaultFsType;
  // It becomes part of a program's name.
  if (!/^[a-z0-9][\w.-]*$/i.test(fsType)) {
    throw new HyperupError('InvalidConfig', `invalid file system type "${fsType}"`, { details: { fsType } });
  }
  if (!(await isBlank(mounter, device))) {
    if (!readOnly) await repair(mounter, device);
    return fsType;
  }
  if (readOnly) {
    throw new HyperupError(
      'HostChangeFailed',
      `cannot mount unformatted disk ${device} as we are manipulating it in read-only mode`,
    );
  }
  // No blocks kept for root; and no question whether the whole disk is meant.
  const args = fsType === 'ext4' || fsType === 'ext3' ? ['-F', '-m0', device] : [device];
  const { exitCode, stdout, stderr } = await mounter.runOnHost([`mkfs.${fsType}`, ...args], workTimeoutMs);
  if (exitCode === 0) return fsType;
  throw new HyperupError('HostChangeFailed', `format of disk "${device}" as ${fsType} failed: ${stderr || stdout}`, {
    details: { exitCode },
  });
}

/** Reads the device itself, not a cache of what was on it. A table of partitions is something, too. */
async function isBlank(mounter: Pick<Mounter, 'runOnHost'>, device: string): Promise<boolean> {
  const command = ['blkid', '-p', '-s', 'TYPE', '-s', 'PTTYPE', '-o', 'export', device];
  const { exitCode, stdout, stderr } = await mounter.runOnHost(command, probeTimeoutMs);
  // The same code stands for a device that couldn't be read; then there is a word on stderr.
  if (exitCode === blkidNothing && stderr === '') return true;
  if (exitCode === 0) return !/^(?:TYPE|PTTYPE)=./m.test(stdout);
  throw new HyperupError(
    'HostChangeFailed',
    `failed to get disk format of disk ${device}: ${stderr || stdout || `blkid: exit ${exitCode}`}`,
    { details: { exitCode } },
  );
}

async function repair(mounter: Pick<Mounter, 'runOnHost'>, device: string): Promise<void> {
  let result: Awaited<ReturnType<Mounter['runOnHost']>>;
  try {
    result = await mounter.runOnHost(['fsck', '-a', device], workTimeoutMs);
  } catch (error) {
    if (error instanceof HyperupError && error.code === 'NotFound') return;
    throw error;
  }
  // Others, a device that is mounted already among them, are mount(8)'s to judge.
  if (result.exitCode !== fsckErrorsLeft) return;
  throw new HyperupError(
    'HostChangeFailed',
    `'fsck' found errors on device ${device} but could not correct them: ${result.stdout || result.stderr}`,
  );
}
