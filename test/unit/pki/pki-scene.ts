import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../src/base/clock.js';
import { planPki } from '../../../src/pki/plan-pki.js';
import type { CertificateRequestSpec } from '../../../src/pki/types.js';

export const hourMs = 3600 * 1000;
export const dayMs = 24 * hourMs;
export const yearMs = 365 * dayMs;

/** The moment that the tests of this room take place at. */
export const nowMs = Date.UTC(2026, 5, 1);

export function clockAt(ms: number): Pick<Clock, 'now'> {
  return { now: () => ms };
}

export function testPlan(changes: Partial<Parameters<typeof planPki>[0]> = {}): readonly CertificateRequestSpec[] {
  return planPki({
    nodeName: 'node-1',
    hostName: 'node-1',
    nodeAddresses: ['192.0.2.10'],
    serviceCidr: '10.96.0.0/12',
    clusterDomain: 'cluster.local',
    extraSans: [],
    ...changes,
  });
}

/** A digest of each file in a folder, by relative path. */
export async function digestsOf(dir: string): Promise<Record<string, string>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const digests = await Promise.all(
    files.sort().map(async (file) => {
      const digest = createHash('sha256')
        .update(await readFile(file))
        .digest('hex');
      return [file.slice(dir.length + 1), digest] as const;
    }),
  );
  return Object.fromEntries(digests);
}
