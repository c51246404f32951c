import { messageOf } from '../base/errors.js';
import { type Engine, type EngineInfo, managedLabel, roleLabel } from '../docker/types.js';
import { type Host, readHostText } from '../host/host.js';
import { listProcesses } from '../host/processes.js';
import type { PrivilegedFact } from './facts.js';
import { makeProbeProgram, packProbe, probePath } from './probe-image.js';

/** What the proof needs of an engine. */
export type ProbeEngine = Pick<
  Engine,
  'importImage' | 'removeImage' | 'createContainer' | 'startContainer' | 'waitContainer' | 'removeContainer'
>;

/** The repository of the probes' images. */
export const probeImageName = 'hyperup.local/preflight-probe';

/**
 * Proves that the engine runs privileged containers by running one, from an image of a few hundred bytes made on the
 * spot, so that nothing has to be pulled; both are gone again afterwards. `suffix` keeps two runs apart. A failing
 * engine is an answer, not an error.
 */
export async function provePrivileged(
  engine: ProbeEngine,
  info: Pick<EngineInfo, 'architecture'>,
  suffix: string,
): Promise<Pick<PrivilegedFact, 'runs' | 'message'>> {
  const program = makeProbeProgram(info.architecture);
  if (!program) return { runs: 'unproven', message: `not tried: no probe program for ${info.architecture}` };
  const image = `${probeImageName}:${suffix}`;
  let container: string | undefined;
  try {
    await engine.importImage(packProbe(program), image, [`LABEL ${managedLabel}=true ${roleLabel}=preflight`]);
  } catch (error) {
    return { runs: 'unproven', message: `not tried: ${messageOf(error)}` };
  }
  try {
    container = await engine.createContainer({
      name: `hyperup-preflight-${suffix}`,
      image,
      entrypoint: [probePath],
      command: [],
      labels: { [managedLabel]: 'true', [roleLabel]: 'preflight' },
      networkMode: 'none',
      privileged: true,
    });
    await engine.startContainer(container);
    const exitCode = await engine.waitContainer(container);
    return exitCode === 0
      ? { runs: 'yes', message: '' }
      : { runs: 'no', message: `the one that was tried exited with ${exitCode}` };
  } catch (error) {
    return { runs: 'no', message: messageOf(error) };
  } finally {
    if (container !== undefined) await engine.removeContainer(container, { force: true });
    await engine.removeImage(image, { force: true });
  }
}

/** By number; capability.h of Linux 5.9 and later. */
const capabilityNames = [
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE',
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN',
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE',
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE',
]
  .join(' ')
  .split(' ');

/** The capabilities of this kernel that a bounding set (hex, as in /proc/<pid>/status) lacks. Pure. */
export function missingCapabilities(boundingSet: string, lastCapability: number): readonly string[] {
  const bits = BigInt(`0x${boundingSet}`);
  const missing: string[] = [];
  for (let number = 0; number <= lastCapability; number += 1) {
    if ((bits & (1n << BigInt(number))) === 0n) missing.push(`CAP_${capabilityNames[number] ?? number}`);
  }
  return missing;
}

/** What the engine's own process may never do; empty where that process can't be found. */
export async function engineMissingCapabilities(host: Pick<Host, 'root'>): Promise<readonly string[]> {
  const engine = (await listProcesses(host)).find(({ comm }) => comm === 'dockerd' || comm === 'podman');
  if (!engine) return [];
  const status = (await readHostText(host, `/proc/${engine.pid}/status`)) ?? '';
  const last = (await readHostText(host, '/proc/sys/kernel/cap_last_cap')) ?? '40';
  const set = /^CapBnd:\s+([0-9a-f]+)/m.exec(status)?.[1];
  return set === undefined ? [] : missingCapabilities(set, Number(last));
}
