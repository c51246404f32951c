import { networkInterfaces } from 'node:os';
import { formatCidr, parseCidr } from '../base/cidr.js';
import { pathExists } from '../base/files.js';
import { optionalMounts } from '../nodeagent/kubelet-container.js';

/** The range of the engine's default bridge, where pods without a network plugin get their addresses. */
export function bridgeCidr(interfaces = networkInterfaces(), name = 'docker0'): string | undefined {
  const cidr = interfaces[name]?.find((entry) => entry.family === 'IPv4')?.cidr;
  return cidr === undefined || cidr === null ? undefined : formatCidr(parseCidr(cidr));
}

/** Those of the kubelet's optional host folders that this host has. */
export async function existingHostPaths(): Promise<ReadonlySet<string>> {
  const found = await Promise.all(
    optionalMounts.map(async ({ source }) => ((await pathExists(source)) ? [source] : [])),
  );
  return new Set(found.flat());
}
