import { readFile } from 'node:fs/promises';
import { outputOf, runProgram } from './program.js';

/** Mount points with type, source and propagation. Identifiers, which grow with each mount, are left out. */
export async function listMounts(): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  // proc(5): id, parent, device, root, mount point, options, optional fields up to "-", type, source, super options.
  return text
    .trim()
    .split('\n')
    .flatMap((line) => {
      const fields = line.split(' ');
      const separator = fields.indexOf('-');
      const [root, point, options] = fields.slice(3, 6);
      const kinds = fields.slice(6, separator).map((field) => field.replace(/:.*/, ''));
      return [
        `${point} type ${fields[separator + 1]} source ${fields[separator + 2]} root ${root} options ${options}`,
        `${point} propagation ${kinds.join(',') || 'private'}`,
      ];
    });
}

interface Link {
  readonly ifname: string;
  readonly link_type: string;
  readonly mtu: number;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly { readonly family: string; readonly local: string; readonly prefixlen: number }[];
}

const readLinks = async (): Promise<readonly Link[]> =>
  JSON.parse(await outputOf('ip', ['-json', '-details', 'address', 'show'])) as readonly Link[];

/** Network links by name and kind. */
export async function listLinks(): Promise<readonly string[]> {
  return (await readLinks()).map(
    ({ ifname, link_type, linkinfo, mtu }) => `${ifname} kind ${linkinfo?.info_kind ?? link_type} mtu ${mtu}`,
  );
}

/** The addresses of every link. */
export async function listAddresses(): Promise<readonly string[]> {
  return (await readLinks()).flatMap(({ ifname, addr_info }) =>
    (addr_info ?? []).map(({ family, local, prefixlen }) => `${ifname} ${family} ${local}/${prefixlen}`),
  );
}

/** The routes and rules of both families; whether a link carries traffic right now is left out. */
export async function listRoutes(): Promise<readonly string[]> {
  const reads = ['-4', '-6'].flatMap((family) => [
    [family, 'route', 'show', 'table', 'all'],
    [family, 'rule', 'show'],
  ]);
  const texts = await Promise.all(reads.map((args) => outputOf('ip', args)));
  return texts.flatMap((text) =>
    text
      .split('\n')
      .map((line) => line.replace(/ (linkdown|dead|expires \d+sec|hoplimit \d+|pref \w+)\b/g, '').trim())
      .filter((line) => line !== ''),
  );
}

/**
 * Chains and rules of both families and both flavours, without counters. A built-in chain that accepts is left out: an
 * nft table that was used once stays, empty, which changes nothing.
 */
export async function listNetfilter(): Promise<readonly string[]> {
  const programs = ['iptables-save', 'ip6tables-save'];
  // Asking for the old flavour would load it, so only where it is loaded.
  for (const [names, program] of [
    ['/proc/net/ip_tables_names', 'iptables-legacy-save'],
    ['/proc/net/ip6_tables_names', 'ip6tables-legacy-save'],
  ] as const) {
    const loaded = await readFile(names, 'utf8').catch(() => '');
    if (loaded.trim() !== '') programs.push(program);
  }
  const texts = await Promise.all(programs.map(async (program) => [program, await saved(program)] as const));
  return texts.flatMap(([program, text]) => withTables(program, text));
}

async function saved(program: string): Promise<string> {
  const result = await runProgram(program, []);
  if (result.exitCode !== 0) throw new Error(`${program}: exit code ${result.exitCode}: ${result.stderr}`);
  return result.stdout;
}

function withTables(program: string, text: string): readonly string[] {
  const lines: string[] = [];
  let table = '';
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\s*\[\d+:\d+\]/, '').trim();
    if (line.startsWith('*')) table = line.slice(1);
    else if (/^:\S+ (?!ACCEPT)/.test(line) || line.startsWith('-')) lines.push(`${program} ${table} ${line}`);
  }
  return lines;
}
