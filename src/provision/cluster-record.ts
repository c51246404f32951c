import { join } from 'node:path';
import * as z from 'zod';
import { HyperupError, messageOf } from '../base/errors.js';
import { readTextIfPresent } from '../base/files.js';
import type { ClusterOptions, DnsKind } from '../config/types.js';
import { releaseFor } from '../release/release-for.js';
import type { ImageLayout, ReleaseSpec } from '../release/types.js';

/**
 * What an install leaves for the verbs that come after it: `<stateDir>/cluster.json`. `state` is `installing` from
 * before the first change until the cluster was verified.
 */
export interface ClusterRecord {
  readonly format: 1;
  readonly state: 'installing' | 'installed';
  readonly hyperupVersion: string;
  readonly installedAt: string;
  /** The one that runs; `cluster.kubelet` is what was asked for. */
  readonly kubelet: 'hyperkube' | 'builtin';
  /** Which images the components run from; records of 0.1.0 don't say, theirs is hyperkube's. */
  readonly layout?: ImageLayout | undefined;
  /** The one that answers for the cluster's names; records from before there was one don't say, and mean `none`. */
  readonly dns?: DnsKind | undefined;
  readonly podCidr: string | undefined;
  readonly kubeconfigPath: string;
  readonly kubectl: string | undefined;
  /** Where images that were built here are kept. */
  readonly cacheDir: string;
  readonly cluster: ClusterOptions;
}

const recordSchema = z.looseObject({
  format: z.literal(1),
  state: z.enum(['installing', 'installed']),
  kubelet: z.enum(['hyperkube', 'builtin']),
  layout: z.enum(['hyperkube', 'component']).optional(),
  dns: z.enum(['coredns', 'builtin', 'none']).optional(),
  kubeconfigPath: z.string(),
  cluster: z.looseObject({ name: z.string(), kubernetesVersion: z.string(), nodeName: z.string() }),
});

/** The release with the images that a cluster was made from. */
export function recordedRelease({ cluster, layout }: Pick<ClusterRecord, 'cluster' | 'layout'>): ReleaseSpec {
  return releaseFor(cluster.kubernetesVersion, layout ?? 'hyperkube');
}

export function recordPath(stateDir: string): string {
  return join(stateDir, 'cluster.json');
}

export function formatRecord(record: ClusterRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/** The record in a state folder; undefined where nothing is installed. Throws `Conflict` on a damaged one. */
export async function readRecord(stateDir: string): Promise<ClusterRecord | undefined> {
  const path = recordPath(stateDir);
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    recordSchema.parse(value);
    return value as ClusterRecord;
  } catch (error) {
    throw new HyperupError('Conflict', `read ${path}: ${messageOf(error)}`, {
      cause: error,
      hint: 'hyperup uninstall works from the journal and does not need this file.',
    });
  }
}

/** The record, or `NotFound` where nothing is installed. */
export async function requireRecord(stateDir: string): Promise<ClusterRecord> {
  const record = await readRecord(stateDir);
  if (record) return record;
  throw new HyperupError('NotFound', `find the cluster: nothing is installed under ${stateDir}`, {
    hint: 'hyperup install makes one.',
  });
}
