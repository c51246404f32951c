import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { HyperupError, messageOf } from '../base/errors.js';
import type { Upstream } from './forward/types.js';
import type { DnsOptions } from './options.js';
import { nameKey } from './wire/names.js';

interface FlagFacts {
  readonly summary: string;
  readonly default: string | readonly string[];
}

/** The flags, in the order of the help. Lists may be given with commas or by naming the flag again. */
export const dnsFlags = {
  kubeconfig: { summary: "how to reach the API server; the pod's service account where absent", default: '' },
  'cluster-domain': { summary: 'the domain to answer for', default: 'cluster.local' },
  listen: { summary: 'address:port to serve on, UDP and TCP', default: ['0.0.0.0:53'] },
  upstream: { summary: 'resolver for all other names, address[:port]', default: [] },
  'resolv-conf': {
    summary: 'files to take resolvers from, the first usable one counts',
    default: ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'],
  },
  'ns-service': { summary: 'the Service in front of this server, namespace/name', default: 'kube-system/kube-dns' },
  'http-address': { summary: 'address of the three ports below', default: '0.0.0.0' },
  'health-port': { summary: 'port of /health; 0: none', default: '8080' },
  'ready-port': { summary: 'port of /ready; 0: none', default: '8181' },
  'metrics-port': { summary: 'port of /metrics; 0: none', default: '9153' },
  cache: { summary: "resolvers' answers to keep; 0: none", default: '10000' },
  'serve-stale': { summary: 'how long past its time an answer serves where resolvers fail', default: '1h' },
  lameduck: { summary: 'how long to serve on, unready, when told to stop', default: '0s' },
  v: { summary: 'verbosity; 4 and more logs everything', default: '2' },
} as const satisfies Readonly<Record<string, FlagFacts>>;

type FlagName = keyof typeof dnsFlags;

/** Reads the command line. Throws `Usage` naming every fault. */
export function parseDnsFlags(argv: readonly string[]): DnsOptions {
  const given = readFlags(argv);
  const faults: string[] = [];
  const list = (name: FlagName): readonly string[] => {
    const values = given[name] ?? [];
    const chosen = values.length > 0 ? values : [dnsFlags[name].default].flat();
    return chosen.flatMap((value) => value.split(',')).filter((value) => value !== '');
  };
  const text = (name: FlagName): string => given[name]?.at(-1) ?? [dnsFlags[name].default].flat().join(',');
  const read = <T>(name: FlagName, value: string, parsed: T | undefined, want: string): T => {
    if (parsed === undefined) faults.push(`--${name}: got ${JSON.stringify(value)}, want ${want}`);
    return parsed as T;
  };
  const number = (name: FlagName, most: number) => {
    const value = text(name);
    const parsed = /^\d{1,9}$/.test(value) && Number(value) <= most ? Number(value) : undefined;
    return read(name, value, parsed, `a number from 0 to ${most}`);
  };
  const addresses = (name: FlagName, port: number | undefined): readonly Upstream[] =>
    list(name).map((value) =>
      read(name, value, parseAddressAndPort(value, port), port === undefined ? 'ADDRESS:PORT' : 'ADDRESS[:PORT]'),
    );
  const duration = (name: FlagName) =>
    read(name, text(name), parseDurationMs(text(name)), 'a duration such as 5s or 1h');
  const domain = text('cluster-domain').toLowerCase().replace(/\.$/, '');
  const [namespace = '', name = ''] = text('ns-service').split('/');
  const httpAddress = text('http-address');
  const options: DnsOptions = {
    kubeconfig: text('kubeconfig') === '' ? undefined : text('kubeconfig'),
    clusterDomain: read(
      'cluster-domain',
      domain,
      domain !== '' && nameKey(domain) !== undefined ? domain : undefined,
      'a domain such as cluster.local',
    ),
    listen: addresses('listen', undefined),
    upstreams: addresses('upstream', 53),
    resolvConf: list('resolv-conf'),
    nsService: read(
      'ns-service',
      text('ns-service'),
      namespace === '' || name === '' ? undefined : { namespace, name },
      'NAMESPACE/NAME',
    ),
    httpAddress: read('http-address', httpAddress, isIP(httpAddress) === 0 ? undefined : httpAddress, 'an IP address'),
    healthPort: number('health-port', 65_535),
    readyPort: number('ready-port', 65_535),
    metricsPort: number('metrics-port', 65_535),
    cacheSize: number('cache', 1_000_000),
    serveStaleSeconds: Math.round(duration('serve-stale') / 1000),
    lameduckMs: duration('lameduck'),
  };
  number('v', 10);
  if (faults.length > 0) throw new HyperupError('Usage', `read the flags of dns: ${faults.join('; ')}`);
  return options;
}

/** True where the flags ask for all log lines. */
export function wantsAllLogs(argv: readonly string[]): boolean {
  return argv.some((word) => /^--v=([4-9]|10)$/.test(word));
}

/** `hyperup dns --help`. */
export function dnsHelp(): string {
  const rows = Object.entries<FlagFacts>(dnsFlags).map(([name, facts]) => {
    const standard = [facts.default].flat().join(',');
    return `  --${name}=…`.padEnd(22) + facts.summary + (standard === '' ? '' : ` (${standard})`);
  });
  return [
    'Usage: hyperup dns [--kubeconfig=FILE] [flags]',
    '',
    "The cluster's DNS server, in the foreground: answers for Services and pods, and forwards other names.",
    '',
    ...rows,
    '',
  ].join('\n');
}

function readFlags(argv: readonly string[]): Partial<Record<FlagName, readonly string[]>> {
  const options = Object.fromEntries(
    Object.keys(dnsFlags).map((name) => [name, { type: 'string', multiple: true } as const]),
  );
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new HyperupError('Usage', `read the flags of dns: ${messageOf(error)}`, {
      hint: 'hyperup dns --help lists them.',
      cause: error,
    });
  }
}

/** `10.0.0.1:53`, `[fd00::1]:53`; without a port where one is given for that. */
function parseAddressAndPort(text: string, standard: number | undefined): Upstream | undefined {
  if (standard !== undefined && isIP(text) !== 0) return { address: text, port: standard };
  const match = /^(?:\[(?<six>[^\]]+)\]|(?<four>[^:]+))(?::(?<port>\d{1,5}))?$/.exec(text);
  const address = match?.groups?.['six'] ?? match?.groups?.['four'] ?? '';
  const port = match?.groups?.['port'] === undefined ? standard : Number(match.groups['port']);
  return isIP(address) === 0 || port === undefined || port > 65_535 ? undefined : { address, port };
}

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

function parseDurationMs(text: string): number | undefined {
  const match = /^(\d{1,6})(ms|s|m|h)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs];
}
