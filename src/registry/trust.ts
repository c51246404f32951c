import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import { errnoOf, HyperupError, messageOf } from '../base/errors.js';

/** Where distributions keep the bundle of their roots; the first that is there counts, as for Go's crypto/x509. */
export const systemCaFiles: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Where Docker has certificates of single registries: `HOST[:PORT]/*.crt`, and `*.cert` with `*.key` to show. */
export const dockerCertificateFolder = '/etc/docker/certs.d';

export interface TrustOptions {
  readonly extraCas: readonly string[];
  readonly caFiles: readonly string[];
  readonly certificateFolder: string;
}

/** What a TLS connection to a host is made with. */
export interface Trust {
  /** Made once for all hosts without certificates of their own: it parses hundreds of roots. */
  contextFor(host: string): Promise<SecureContext>;
}

interface HostCertificates {
  readonly cas: readonly string[];
  readonly pairs: readonly { readonly cert: string; readonly key: string }[];
}

/** Node's roots, the system's, `extraCas`, and for each host what Docker has for it. Rejects with `InvalidConfig`. */
export function createTrust(options: TrustOptions): Trust {
  let common: Promise<readonly string[]> | undefined;
  let shared: Promise<SecureContext> | undefined;
  const roots = () => {
    common ??= firstFile(options.caFiles).then((bundle) => [
      // Loaded with the first host that speaks TLS: it takes its time.
      ...process.getBuiltinModule('node:tls').rootCertificates,
      ...(bundle === undefined ? [] : [bundle]),
      ...options.extraCas,
    ]);
    return common;
  };
  return {
    async contextFor(host) {
      const own = await hostCertificates(join(options.certificateFolder, host));
      if (own.cas.length === 0 && own.pairs.length === 0) {
        shared ??= roots().then((ca) => secureContext(ca, [], 'the extra CA certificates'));
        return await shared;
      }
      return secureContext([...(await roots()), ...own.cas], own.pairs, join(options.certificateFolder, host));
    },
  };
}

function secureContext(ca: readonly string[], pairs: HostCertificates['pairs'], of: string): SecureContext {
  const { createSecureContext } = process.getBuiltinModule('node:tls');
  try {
    return createSecureContext({
      ca: [...ca],
      ...(pairs.length === 0 ? {} : { cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key) }),
    });
  } catch (error) {
    throw new HyperupError('InvalidConfig', `read certificates of ${of}: ${messageOf(error)}`, {
      hint: 'Give certificates as PEM files.',
      cause: error,
    });
  }
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      return await readFile(path, 'utf8');
    } catch {
      // The next one; Node's own roots are there in any case.
    }
  }
  return undefined;
}

async function hostCertificates(folder: string): Promise<HostCertificates> {
  let names: readonly string[];
  try {
    names = (await readdir(folder)).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return { cas: [], pairs: [] };
    throw unreadable(folder, error);
  }
  const read = async (name: string) => {
    try {
      return await readFile(join(folder, name), 'utf8');
    } catch (error) {
      throw unreadable(join(folder, name), error);
    }
  };
  const cas = await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read));
  const pairs = await Promise.all(
    names
      .filter((name) => name.endsWith('.cert'))
      .map(async (name) => ({ cert: await read(name), key: await read(name.replace(/\.cert$/, '.key')) })),
  );
  return { cas, pairs };
}

function unreadable(path: string, error: unknown): HyperupError {
  return new HyperupError('InvalidConfig', `read ${path}: ${messageOf(error)}`, { cause: error, details: { path } });
}
