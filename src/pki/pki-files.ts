import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, HyperupError } from '../base/errors.js';
import { fileError, readTextIfPresent } from '../base/files.js';
import type { CertificateRequestSpec, Identity } from './types.js';

/** Where an entry's two files are: for a key pair the public key takes the certificate's place. */
export function entryPaths(dir: string, spec: Pick<CertificateRequestSpec, 'kind' | 'path'>) {
  return {
    certPath: join(dir, `${spec.path}.${spec.kind === 'keyPair' ? 'pub' : 'crt'}`),
    keyPath: join(dir, `${spec.path}.key`),
  };
}

/** What the folder holds for one entry; PEM texts are undefined where the file is absent. */
export interface StoredEntry {
  readonly certPath: string;
  readonly keyPath: string;
  readonly certPem: string | undefined;
  readonly keyPem: string | undefined;
  /** Group or others may read the key. */
  readonly keyExposed: boolean;
}

/** Reads an entry's files. Throws on anything but their absence. */
export async function readEntry(
  dir: string,
  spec: Pick<CertificateRequestSpec, 'kind' | 'path'>,
): Promise<StoredEntry> {
  const paths = entryPaths(dir, spec);
  const [certPem, keyPem, mode] = await Promise.all([
    readTextIfPresent(paths.certPath),
    readTextIfPresent(paths.keyPath),
    fileMode(paths.keyPath),
  ]);
  return { ...paths, certPem, keyPem, keyExposed: (mode & 0o077) !== 0 };
}

async function fileMode(path: string): Promise<number> {
  try {
    return (await stat(path)).mode;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw fileError('stat', path, error);
  }
}

/**
 * A certificate and its key by the entry's `path` (`admin`, `etcd/server`), for callers that have no plan at hand.
 * Throws `NotFound` where either is absent.
 */
export async function readIdentity(dir: string, path: string): Promise<Identity> {
  const entry = await readEntry(dir, { kind: 'leaf', path });
  if (entry.certPem === undefined || entry.keyPem === undefined) {
    const missing = entry.certPem === undefined ? entry.certPath : entry.keyPath;
    throw new HyperupError('NotFound', `read certificate ${path}: ${missing} does not exist`, { details: { missing } });
  }
  return { certPem: entry.certPem, keyPem: entry.keyPem };
}

/** An authority's certificate by the entry's `path` (`ca`, `etcd/ca`). Throws `NotFound` where it is absent. */
export async function readCertificate(dir: string, path: string): Promise<string> {
  const { certPath } = entryPaths(dir, { kind: 'leaf', path });
  const certPem = await readTextIfPresent(certPath);
  if (certPem === undefined) {
    throw new HyperupError('NotFound', `read certificate ${path}: ${certPath} does not exist`, {
      details: { missing: certPath },
    });
  }
  return certPem;
}
