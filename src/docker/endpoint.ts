import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.js';
import { readCurrentContext, readDockerContext, type TlsMaterial } from './docker-context.js';

/** The variables that decide where the engine is; only `config` reads them from the process. */
export interface EngineEnvironment {
  readonly DOCKER_HOST?: string | undefined;
  readonly DOCKER_CONTEXT?: string | undefined;
  readonly DOCKER_CONFIG?: string | undefined;
  readonly DOCKER_CERT_PATH?: string | undefined;
  readonly DOCKER_TLS_VERIFY?: string | undefined;
  readonly DOCKER_API_VERSION?: string | undefined;
  readonly HOME?: string | undefined;
  readonly XDG_RUNTIME_DIR?: string | undefined;
}

/** How to reach an engine, resolved down to certificates. */
export type Connection =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | ({ readonly kind: 'tls'; readonly host: string; readonly port: number; readonly verify: boolean } & TlsMaterial);

/** One place to look for an engine. `fault` says why it can't even be tried. */
export interface EngineCandidate {
  readonly address: string;
  /** Who said so, for messages: `DOCKER_HOST`, `context "lab"`, `default socket`. */
  readonly source: string;
  readonly connection?: Connection;
  readonly fault?: string;
}

export const defaultSocket = '/var/run/docker.sock';

/**
 * The places to look, in order. Whoever names an engine (option, DOCKER_HOST, DOCKER_CONTEXT, the current context, in
 * this order, as the docker command has it) means that one alone; the default and the rootless socket are tried
 * only where nobody did. A context or certificate that can't be read becomes a candidate with a fault.
 */
export async function engineCandidates(
  host: string | undefined,
  env: EngineEnvironment,
): Promise<readonly EngineCandidate[]> {
  const configDir = env.DOCKER_CONFIG || (env.HOME ? join(env.HOME, '.docker') : undefined);
  if (host) return [await fromAddress(host, 'engine option', env, configDir)];
  if (env.DOCKER_HOST) return [await fromAddress(env.DOCKER_HOST, 'DOCKER_HOST', env, configDir)];
  const context = env.DOCKER_CONTEXT || (configDir ? await readCurrentContext(configDir) : undefined);
  if (context && context !== 'default') {
    return [await fromContext(context, env.DOCKER_CONTEXT ? 'DOCKER_CONTEXT' : 'current context', configDir)];
  }
  const sockets = [[defaultSocket, 'default socket']];
  if (env.XDG_RUNTIME_DIR) sockets.push([join(env.XDG_RUNTIME_DIR, 'docker.sock'), 'rootless socket']);
  return sockets.map(([path = '', source = '']) => ({
    address: `unix://${path}`,
    source,
    connection: { kind: 'unix', path },
  }));
}

async function fromAddress(
  address: string,
  source: string,
  env: EngineEnvironment,
  configDir: string | undefined,
): Promise<EngineCandidate> {
  try {
    const wantsTls = Boolean(env.DOCKER_TLS_VERIFY || env.DOCKER_CERT_PATH);
    const certDir = env.DOCKER_CERT_PATH || configDir;
    const connection = await parseAddress(address, wantsTls, async () => ({
      // As the docker command: DOCKER_CERT_PATH alone encrypts, DOCKER_TLS_VERIFY checks who answers, https:// checks always.
      verify: Boolean(env.DOCKER_TLS_VERIFY) || /^https:/i.test(address),
      ...(wantsTls && certDir ? await readCertDir(certDir) : {}),
    }));
    return { address, source, connection };
  } catch (error) {
    return { address, source, fault: messageOf(error) };
  }
}

async function fromContext(name: string, by: string, configDir: string | undefined): Promise<EngineCandidate> {
  const source = `${by} "${name}"`;
  try {
    if (!configDir) throw new Error('neither DOCKER_CONFIG nor HOME says where contexts are kept');
    const context = await readDockerContext(configDir, name);
    const hasTls = context.tls.ca !== undefined || context.tls.cert !== undefined;
    const connection = await parseAddress(context.host, hasTls, async () => ({
      verify: !context.skipTlsVerify,
      ...context.tls,
    }));
    return { address: context.host, source, connection };
  } catch (error) {
    return { address: `context ${name}`, source, fault: messageOf(error) };
  }
}

async function parseAddress(
  address: string,
  wantsTls: boolean,
  tls: () => Promise<{ readonly verify: boolean } & TlsMaterial>,
): Promise<Connection> {
  if (address.startsWith('/')) return { kind: 'unix', path: address };
  if (address.startsWith('unix://')) return { kind: 'unix', path: address.slice('unix://'.length) || defaultSocket };
  const url = parseUrl(address.includes('://') ? address : `tcp://${address}`);
  const { scheme } = url;
  if (scheme === 'ssh') {
    throw new Error(
      'ssh:// is not supported: run hyperup on that machine, or forward its socket with `ssh -L` and use unix://',
    );
  }
  if (!['tcp', 'http', 'https'].includes(scheme)) {
    throw new Error(`${scheme}:// is not supported, want unix://, tcp://, http:// or https://`);
  }
  const secure = scheme === 'https' || (scheme === 'tcp' && wantsTls);
  // WHATWG keeps the brackets of an IPv6 address, sockets don't want them.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (!host) throw new Error('no host in the address');
  const port = Number(url.port) || (secure ? 2376 : 2375);
  return secure ? { kind: 'tls', host, port, ...(await tls()) } : { kind: 'tcp', host, port };
}

function parseUrl(address: string): { readonly scheme: string; readonly hostname: string; readonly port: string } {
  const [, scheme = '', rest = ''] = /^([^:]+):\/\/(.*)$/s.exec(address) ?? [];
  try {
    // Under a scheme of its own, since URL drops a port that is a known scheme's default (`http://host:80`).
    const { hostname, port } = new URL(`engine://${rest}`);
    return { scheme: scheme.toLowerCase(), hostname, port };
  } catch {
    throw new Error(
      `"${address}" is not an address, want something like unix:///var/run/docker.sock or tcp://host:2375`,
    );
  }
}

async function readCertDir(dir: string): Promise<TlsMaterial> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readFile(join(dir, name), 'utf8')),
  );
  return { ca, cert, key };
}
