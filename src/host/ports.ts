import { readlink } from 'node:fs/promises';
import { formatAddress } from '../base/cidr.js';
import { type Host, hostPath, listHostDir, readHostText } from './host.js';

export interface ListeningPort {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  readonly inode: string;
  /** Undefined where the holder can't be seen: another PID namespace, or no right to look. */
  readonly pid: number | undefined;
  readonly comm: string | undefined;
}

/** TCP_LISTEN and, for UDP, TCP_CLOSE: what a bound, unconnected socket shows. Source: include/net/tcp_states.h. */
const listenStates = { tcp: '0A', udp: '07' } as const;

/** Who listens on this machine, sorted by protocol and port. `withProcesses: false` spares reading all of /proc. */
export async function listListeningPorts(
  host: Pick<Host, 'root'>,
  options: { readonly withProcesses?: boolean } = {},
): Promise<readonly ListeningPort[]> {
  const sockets = (
    await Promise.all(
      (['tcp', 'tcp6', 'udp', 'udp6'] as const).map(async (file) => {
        const text = await readHostText(host, `/proc/net/${file}`);
        return parseSockets(text ?? '', file.startsWith('tcp') ? 'tcp' : 'udp');
      }),
    )
  ).flat();
  const wanted = new Set(sockets.map(({ inode }) => inode));
  const owners = options.withProcesses === false ? new Map<string, number>() : await socketOwners(host, wanted);
  const ports = await Promise.all(
    sockets.map(async (socket) => {
      const pid = owners.get(socket.inode);
      const comm = pid === undefined ? undefined : (await readHostText(host, `/proc/${pid}/comm`))?.trim();
      return { ...socket, pid, comm };
    }),
  );
  return ports.sort(
    (a, b) => a.protocol.localeCompare(b.protocol) || a.port - b.port || a.address.localeCompare(b.address),
  );
}

type Socket = Pick<ListeningPort, 'protocol' | 'address' | 'port' | 'inode'>;

/** Reads /proc/net/{tcp,udp}{,6}: proc(5). */
export function parseSockets(text: string, protocol: 'tcp' | 'udp'): readonly Socket[] {
  const sockets: Socket[] = [];
  for (const line of text.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [address, port] = (fields[1] ?? '').split(':');
    const inode = fields[9];
    if (fields[3] !== listenStates[protocol] || !address || !port || inode === undefined) continue;
    sockets.push({ protocol, address: decodeAddress(address), port: Number.parseInt(port, 16), inode });
  }
  return sockets;
}

/** Hex words in the machine's byte order (little-endian on all that hyperup runs on) to the usual spelling. */
export function decodeAddress(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  const numbers = bytes.map((byte) => Number.parseInt(byte, 16));
  if (numbers.length === 4) return numbers.join('.');
  if (numbers.slice(0, 10).every((number) => number === 0) && numbers[10] === 0xff && numbers[11] === 0xff) {
    return `::ffff:${numbers.slice(12).join('.')}`;
  }
  return formatAddress({ family: 6, value: numbers.reduce((sum, number) => (sum << 8n) | BigInt(number), 0n) });
}

async function socketOwners(host: Pick<Host, 'root'>, wanted: ReadonlySet<string>): Promise<Map<string, number>> {
  const owners = new Map<string, number>();
  const pids = (await listHostDir(host, '/proc')).filter((name) => /^\d+$/.test(name));
  await Promise.all(
    pids.map(async (pid) => {
      // Without root, other users' processes can't be looked into: their sockets then show no owner.
      const descriptors = await listHostDir(host, `/proc/${pid}/fd`).catch(() => []);
      for (const descriptor of descriptors) {
        const target = await readlink(hostPath(host, `/proc/${pid}/fd/${descriptor}`)).catch(() => '');
        const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
        // A forked child shares its parent's socket: the oldest process is the one to name.
        if (inode !== undefined && wanted.has(inode) && Number(pid) < (owners.get(inode) ?? Number.POSITIVE_INFINITY)) {
          owners.set(inode, Number(pid));
        }
      }
    }),
  );
  return owners;
}

/** True where a listener on `address` would keep another from listening on all addresses, or on `wanted`. */
export function addressesClash(address: string, wanted: string): boolean {
  const any = (value: string) => value === '0.0.0.0' || value === '::';
  const plain = (value: string) => value.replace(/^::ffff:/, '');
  return any(address) || any(wanted) || plain(address) === plain(wanted);
}
