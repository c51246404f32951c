import { writeFile } from 'node:fs/promises';
import { HyperupError } from '../base/errors.js';
import { fileError } from '../base/files.js';
import { journaled } from './changes.js';
import { type Host, hostPath, readHostText } from './host.js';
import type { Journal } from './journal.js';

/** The file of a kernel setting. Dots part the name, slashes where a part has dots of its own: sysctl(8). */
export function sysctlPath(key: string): string {
  return `/proc/sys/${key.includes('/') ? key : key.replaceAll('.', '/')}`;
}

/** A kernel setting's value, white space made single, or undefined where this kernel has no such setting. */
export async function readSysctl(key: string, host: Pick<Host, 'root'>): Promise<string | undefined> {
  return (await readHostText(host, sysctlPath(key)))?.trim().split(/\s+/).join(' ');
}

/**
 * Gives a kernel setting a value, journaled first with the value it had. Nothing where it is so already. Gives
 * whether it changed anything. Throws `HostChangeFailed` where the kernel has no such setting or refuses the value.
 */
export async function setSysctl(
  journal: Journal,
  key: string,
  value: string,
  host: Pick<Host, 'root'>,
): Promise<boolean> {
  const previous = await readSysctl(key, host);
  if (previous === undefined) {
    throw new HyperupError('HostChangeFailed', `set sysctl ${key}: this kernel has no such setting`, {
      ...(key.startsWith('net.bridge.') ? { hint: 'Load the module that brings it: modprobe br_netfilter' } : {}),
      details: { key },
    });
  }
  if (previous === value) return false;
  if (!journaled(journal, { kind: 'sysctl', key, previous, value })) {
    await journal.record({ kind: 'sysctl', key, previous, value });
  }
  await writeSysctl(key, value, host);
  return true;
}

/** Writes a kernel setting without journaling. */
export async function writeSysctl(key: string, value: string, host: Pick<Host, 'root'>): Promise<void> {
  try {
    await writeFile(hostPath(host, sysctlPath(key)), `${value}\n`);
  } catch (error) {
    throw fileError(`set sysctl ${key} to ${value} in`, sysctlPath(key), error);
  }
}

/**
 * What the cluster's components set by themselves, whatever was there: the kubelet at its start (v1.20.2
 * pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables; pkg/util/sysctl/sysctl.go), its dockershim
 * (pkg/kubelet/dockershim/network/plugins.go) and kube-proxy (pkg/proxy/iptables/proxier.go, NewProxier).
 */
export const componentSysctls: Readonly<Record<string, string>> = {
  'vm.overcommit_memory': '1',
  'vm.panic_on_oom': '0',
  'kernel.panic': '10',
  'kernel.panic_on_oops': '1',
  'kernel.keys.root_maxkeys': '1000000',
  'kernel.keys.root_maxbytes': '25000000',
  'net.bridge.bridge-nf-call-iptables': '1',
  'net.bridge.bridge-nf-call-ip6tables': '1',
  'net.ipv4.conf.all.route_localnet': '1',
};

/**
 * Journals settings that somebody else is about to change, without touching them, so that undo gives back what was
 * there. Call it before the components start; settings that are so already, that this kernel hasn't got, or that are
 * journaled need nothing. Gives the keys that were journaled.
 */
export async function expectSysctls(
  journal: Journal,
  host: Pick<Host, 'root'>,
  expected: Readonly<Record<string, string>> = componentSysctls,
): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const [key, value] of Object.entries(expected)) {
    const previous = await readSysctl(key, host);
    if (previous === undefined || previous === value) continue;
    const change = { kind: 'sysctl', key, previous, value } as const;
    if (journaled(journal, change)) continue;
    await journal.record(change);
    keys.push(key);
  }
  return keys;
}
