import { readFile, writeFile } from 'node:fs/promises';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';

export interface HairpinOptions {
  /** The pod's first process, as this machine counts. */
  readonly pid: number;
  /** The pod's addresses. */
  readonly ips: readonly string[];
  readonly logger: Pick<Logger, 'debug'>;
  /** Where `/proc` and `/sys` are; empty but in tests. */
  readonly root?: string | undefined;
}

/**
 * Has the bridge send a pod's packets back to it where that is where they go: a pod that asks for a Service of its own. The
 * Go kubelet's `hairpin-veth` does this for kubenet alone (v1.20 `dockershim/network/hairpin/hairpin.go`). A pod with an
 * IPv6 address is left as it is: it would see its own neighbour solicitation and take the address for somebody else's.
 *
 * Gives whether it is so now. Never throws: an engine whose pods are not on a bridge, a pod that has ended.
 */
export async function ensureHairpin({ pid, ips, logger, root = '' }: HairpinOptions): Promise<boolean> {
  if (ips.length === 0 || ips.some((ip) => ip.includes(':'))) return false;
  try {
    const link = (await readFile(`${root}/proc/${pid}/root/sys/class/net/eth0/iflink`, 'utf8')).trim();
    // All interfaces with their numbers in one file, however many there are.
    const name = interfaceNamed(await readFile(`${root}/proc/self/net/igmp`, 'utf8'), link);
    if (name === undefined) throw new Error(`no interface has the number ${link}`);
    await setHairpin(name, root);
    return true;
  } catch (error) {
    logger.debug('A pod will not reach itself through its Services', { pid, err: messageOf(error) });
    return false;
  }
}

/** Has the bridge send back what comes from this port of its where it belongs there. Throws what the file system says. */
export async function setHairpin(name: string, root = ''): Promise<void> {
  await writeFile(`${root}/sys/class/net/${name}/brport/hairpin_mode`, '1\n');
}

/** A line such as `12<TAB>veth1a2b3c4: 1 V3`, between lines of groups, which begin with blanks. */
function interfaceNamed(igmp: string, index: string): string | undefined {
  for (const line of igmp.split('\n')) {
    const [, number, name] = /^(\d+)\s+([^\s:/]+)\s*:/.exec(line) ?? [];
    if (number === index) return name;
  }
  return undefined;
}
