import { readFile, writeFile } from 'node:fs/promises';
import { errnoOf, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { RunCommand } from '../../base/run-command.js';
import { hostCommand } from './host-command.js';

export interface BridgeNetfilterOptions {
  readonly hostRoot: string;
  readonly run: RunCommand;
  readonly logger: Logger;
}

const settings = ['bridge-nf-call-iptables', 'bridge-nf-call-ip6tables'] as const;

/**
 * Has packets between containers of one bridge pass iptables, which a pod that asks for a Service of its neighbour needs.
 * Loads the kernel's module where it can. Gives false, and says so in the log, where the kernel hasn't got it; never
 * throws. Idempotent (v1.20 `dockershim/network/plugins.go`).
 */
export async function ensureBridgeNetfilter({ hostRoot, run, logger }: BridgeNetfilterOptions): Promise<boolean> {
  const folder = `${hostRoot}/proc/sys/net/bridge`;
  const isThere = () => readFile(`${folder}/${settings[0]}`).then(Boolean, () => false);
  if (!(await isThere())) {
    // The host's own modprobe and modules, where this is a container.
    const [file, args] = hostCommand(hostRoot, ['modprobe', 'br_netfilter']);
    await run(file, args, { timeoutMs: 10_000 }).catch((error: unknown) => {
      logger.debug('Module br_netfilter was not loaded', { err: messageOf(error) });
    });
  }
  let done = false;
  for (const setting of settings) {
    try {
      const path = `${folder}/${setting}`;
      if ((await readFile(path, 'utf8')).trim() !== '1') await writeFile(path, '1\n');
      done ||= setting === settings[0];
    } catch (error) {
      const level = setting === settings[0] ? 'warn' : 'debug';
      logger[level]('Packets on bridges do not pass iptables', { setting, errno: errnoOf(error) });
    }
  }
  return done;
}
