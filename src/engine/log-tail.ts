import { stat } from 'node:fs/promises';
import { type Host, hostPath, readHostText } from '../host/host.js';
import type { ServiceManager } from './service-manager.js';

export const daemonLogPath = '/var/log/docker.log';
const tailLines = 25;

/** The size of dockerd's log now, so that a later tail shows only what came since. Zero where there is none. */
export async function logSize(host: Pick<Host, 'root'>): Promise<number> {
  return stat(hostPath(host, daemonLogPath)).then(
    (stats) => stats.size,
    () => 0,
  );
}

/** The last lines of the engine's log, for an error's output. Empty where the log can't be read: it is only help. */
export async function engineLogTail(host: Host, manager: ServiceManager, fromByte = 0): Promise<string> {
  try {
    if (manager === 'systemd') {
      const args = ['-u', 'docker', '-n', String(tailLines), '--no-pager', '-o', 'cat'];
      return (await host.run('journalctl', args, { timeoutMs: 10_000 })).stdout.trimEnd();
    }
    const text = Buffer.from((await readHostText(host, daemonLogPath)) ?? '')
      .subarray(fromByte)
      .toString();
    return text.trimEnd().split('\n').slice(-tailLines).join('\n');
  } catch {
    return '';
  }
}
