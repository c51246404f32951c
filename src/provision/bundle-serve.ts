import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { HyperupError, isHyperupError } from '../base/errors.js';
import { fileError, readTextIfPresent, writeAtomic } from '../base/files.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { InstallOptions } from '../config/types.js';
import { openBundle } from '../mirror/bundle/open-bundle.js';
import { serveBundle } from '../mirror/bundle/serve.js';
import { verifyBundle } from '../mirror/bundle/verify-bundle.js';
import { issueAuthority, issueLeaf, openAuthority } from '../pki/issue-certificate.js';
import type { Identity } from '../pki/types.js';
import { makeRuntime, type RunContext, type Runtime } from './runtime.js';

export interface ServeRequest {
  readonly file: string;
  /** `[HOST]:PORT`. */
  readonly listen: string;
  /** PEM files; both or none. */
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  /** Plain HTTP. */
  readonly plain: boolean;
  /** Called once it serves. */
  readonly onServing: (serving: Serving) => void;
}

/** What others need to pull from it. */
export interface Serving {
  readonly port: number;
  /** `https://ADDRESS:PORT` for each address of this machine. */
  readonly urls: readonly string[];
  readonly release: string;
  readonly images: readonly string[];
  /** The authority's certificate, where it was made here. */
  readonly caPath: string | undefined;
  /** SHA-256 of the certificate that is shown. */
  readonly fingerprint: string | undefined;
}

const dayMs = 24 * 3600 * 1000;

/** Offers a bundle to the network until the signal fires. Throws as `openBundle`, `verifyBundle` and `serveBundle`. */
export function serveImages(
  options: Pick<InstallOptions, 'images'>,
  request: ServeRequest,
  run: RunContext = {},
): Operation<{ readonly served: string }> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const { host, port } = parseListen(request.listen);
    const bundle = await openBundle(request.file, { signal });
    try {
      emit({ type: 'wait', step: 'serve', reason: `checking ${request.file}` });
      await verifyBundle(bundle, { signal });
      const addresses = ownAddresses(host);
      const tls = await chooseTls(options, request, addresses, runtime);
      const server = await serveBundle({ bundle, host, port, tls: tls?.pair, logger: runtime.logger });
      try {
        request.onServing({
          port: server.port,
          urls: addresses.map((address) => `${tls ? 'https' : 'http'}://${bracketed(address)}:${server.port}`),
          release: bundle.manifest.release,
          images: bundle.manifest.images.map(({ reference }) => reference),
          caPath: tls?.caPath,
          fingerprint: tls && new X509Certificate(tls.pair.cert).fingerprint256,
        });
        await untilAborted(signal);
      } finally {
        await server.close();
      }
      return { served: request.file };
    } finally {
      await bundle.close();
    }
  }, run.signal);
}

/** `[HOST]:PORT`, the host an address or a name. Throws `Usage`. */
export function parseListen(text: string): { readonly host: string; readonly port: number } {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:[\]]*):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new HyperupError('Usage', `read listen address: got "${text}", want [HOST]:PORT such as :5000`);
  }
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

/** Where others may find this machine; loopback last, for trying it out. */
function ownAddresses(host: string): readonly string[] {
  if (host !== '' && host !== '0.0.0.0' && host !== '::') return [host];
  const found = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ family }) => family === 'IPv4')
    .toSorted((a, b) => Number(a.internal) - Number(b.internal))
    .map(({ address }) => address);
  return [...new Set(found)];
}

const bracketed = (address: string) => (address.includes(':') ? `[${address}]` : address);

async function chooseTls(
  { images }: Pick<InstallOptions, 'images'>,
  { plain, tlsCert, tlsKey }: ServeRequest,
  addresses: readonly string[],
  { clock }: Pick<Runtime, 'clock'>,
): Promise<
  { readonly pair: { readonly cert: string; readonly key: string }; readonly caPath: string | undefined } | undefined
> {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new HyperupError('Usage', 'check options: --tls-cert and --tls-key: want both or none');
  }
  if (tlsCert !== undefined && tlsKey !== undefined) {
    if (plain) throw new HyperupError('Usage', 'check options: --plain and --tls-cert: choose one');
    return { pair: { cert: await readPem(tlsCert), key: await readPem(tlsKey) }, caPath: undefined };
  }
  if (plain) return undefined;
  const caPath = join(images.cacheDir, 'serve', 'ca.crt');
  const authority = await ensureAuthority(caPath, join(images.cacheDir, 'serve', 'ca.key'), clock.now());
  const isAddress = (name: string) => /^[\d.]+$|:/.test(name);
  const own = hostname().toLowerCase();
  const leaf = await issueLeaf(
    {
      kind: 'leaf',
      name: 'apiserver',
      path: '',
      issuer: 'ca',
      commonName: own,
      organizations: [],
      usages: ['server'],
      dnsNames: [...new Set(['localhost', own, ...addresses.filter((name) => !isAddress(name))])].toSorted(),
      ipAddresses: [...new Set(['127.0.0.1', ...addresses.filter(isAddress)])].toSorted(),
      validityMs: 90 * dayMs,
    },
    await openAuthority(authority),
    clock.now(),
  );
  return { pair: { cert: leaf.certPem + authority.certPem, key: leaf.keyPem }, caPath };
}

/** Kept between runs, so that those who trust it once need not do it again; a new leaf each time has today's addresses. */
async function ensureAuthority(certPath: string, keyPath: string, nowMs: number): Promise<Identity> {
  const [certPem, keyPem] = await Promise.all([readTextIfPresent(certPath), readTextIfPresent(keyPath)]);
  if (certPem !== undefined && keyPem !== undefined && isUsable(certPem, nowMs)) return { certPem, keyPem };
  const made = await issueAuthority(
    { kind: 'authority', name: 'ca', path: '', commonName: 'hyperup images serve', validityMs: 3650 * dayMs },
    nowMs,
  );
  await writeAtomic(keyPath, made.keyPem, 0o600);
  await writeAtomic(certPath, made.certPem, 0o644);
  return made;
}

function isUsable(certPem: string, nowMs: number): boolean {
  try {
    return Date.parse(new X509Certificate(certPem).validTo) > nowMs + 90 * dayMs;
  } catch {
    return false;
  }
}

async function readPem(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    const known = fileError('read', path, error);
    throw isHyperupError(known) ? known : error;
  });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
