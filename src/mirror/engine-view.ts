import type { EngineInfo } from '../docker/types.js';
import type { ProbeFailure } from './probe-failure.js';

/** What of the engine's set-up decides how it reaches a registry. */
export type EngineNetwork = Pick<
  EngineInfo,
  | 'endpoint'
  | 'architecture'
  | 'operatingSystem'
  | 'rootless'
  | 'httpProxy'
  | 'httpsProxy'
  | 'noProxy'
  | 'registryMirrors'
  | 'insecureRegistries'
>;

/** True where the engine accepts plain HTTP and any certificate from this registry, as it does for loopback. */
export function isInsecure(engine: Pick<EngineNetwork, 'insecureRegistries'> | undefined, host: string): boolean {
  if (isLoopback(host)) return true;
  const bare = withoutPort(host);
  return (engine?.insecureRegistries ?? []).some((entry) => entry === host || entry === bare || inRange(bare, entry));
}

/**
 * True where the engine would fail as the probe did, so that asking it is only lost time. An engine that sits behind a
 * proxy, in a virtual machine, in a network namespace of its own or on another machine sees another network than this
 * process; one that trusts other certificates than Node judges TLS otherwise; Docker Hub may come through its mirrors.
 */
export function isFinal(failure: ProbeFailure, host: string, engine: EngineNetwork | undefined): boolean {
  if (failure.kind === 'digest') return true;
  if (isReserved(host)) return true;
  if (engine && !sharesOurNetwork(engine, host)) return false;
  switch (failure.kind) {
    case 'tls':
    // Our proxy is not the engine's.
    case 'proxy':
      return false;
    case 'dns':
    case 'refused':
    case 'unreachable':
    case 'broken':
      // The engine fails as fast as we did, and its own word counts more.
      return isLoopback(host);
    default:
      return true;
  }
}

/** The engine's architecture in an image's terms: `x86_64` is `amd64`. */
export function imageArchitecture(engineArchitecture: string): string {
  const names: Readonly<Record<string, string>> = {
    x86_64: 'amd64',
    aarch64: 'arm64',
    armv7l: 'arm',
    armv6l: 'arm',
    i386: '386',
    i686: '386',
  };
  return names[engineArchitecture] ?? engineArchitecture;
}

export function isLoopback(host: string): boolean {
  const bare = withoutPort(host);
  return bare === 'localhost' || bare === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(bare);
}

/** Names that RFC 6761 promises never to resolve. */
function isReserved(host: string): boolean {
  return /\.invalid$/i.test(withoutPort(host));
}

function sharesOurNetwork(engine: EngineNetwork, host: string): boolean {
  if (!engine.endpoint.startsWith('unix:') || engine.rootless) return false;
  if (/docker desktop/i.test(engine.operatingSystem)) return false;
  if (host === 'docker.io' && engine.registryMirrors.length > 0) return false;
  const proxied = engine.httpsProxy !== '' || engine.httpProxy !== '';
  return !proxied || isLoopback(host) || bypassesProxy(engine.noProxy, withoutPort(host));
}

/** `NO_PROXY` as Go reads it: `*`, a host, or a domain with all below it; ranges for addresses. */
function bypassesProxy(noProxy: string, host: string): boolean {
  return noProxy
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .some((entry) => {
      const domain = withoutPort(entry).replace(/^\*?\./, '');
      return entry === '*' || host === domain || host.endsWith(`.${domain}`) || inRange(host, entry);
    });
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, '');
}

/** IPv4 only; the engine lists its insecure ranges as CIDRs. */
function inRange(address: string, range: string): boolean {
  const [base = '', bits] = range.split('/');
  const a = ipv4(address);
  const b = ipv4(base);
  if (a === undefined || b === undefined || bits === undefined || !/^\d{1,2}$/.test(bits)) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(a / size) === Math.floor(b / size);
}

function ipv4(text: string): number | undefined {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return undefined;
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
