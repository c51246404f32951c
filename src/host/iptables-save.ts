import { isHyperupError } from '../base/errors.js';
import type { RunCommand } from '../base/run-command.js';

export type IpFamily = 'ipv4' | 'ipv6';
/** Which of the kernel's two rule stores a program speaks to; a machine can have rules in both. */
export type NetfilterFlavour = 'nft' | 'legacy';

export interface NetfilterRule {
  readonly chain: string;
  /** As iptables-save prints it, from `-A`. */
  readonly text: string;
  /** What `-j` or `-g` names. */
  readonly target: string | undefined;
}

export interface NetfilterTable {
  readonly family: IpFamily;
  readonly flavour: NetfilterFlavour;
  /** The program pair's name up to `-save` and `-restore`. */
  readonly program: string;
  readonly table: string;
  readonly chains: readonly { readonly name: string /** `-` for a chain of a user's. */; readonly policy: string }[];
  readonly rules: readonly NetfilterRule[];
}

/** Splits iptables-save's output into tables. Counters and comment lines are left out. */
export function parseIptablesSave(
  text: string,
  origin: { readonly family: IpFamily; readonly flavour: NetfilterFlavour; readonly program: string },
): readonly NetfilterTable[] {
  const tables: NetfilterTable[] = [];
  let chains: { name: string; policy: string }[] = [];
  let rules: NetfilterRule[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line.startsWith('*')) {
      chains = [];
      rules = [];
      tables.push({ ...origin, table: line.slice(1), chains, rules });
    } else if (line.startsWith(':')) {
      const [name = '', policy = '-'] = line.slice(1).split(' ');
      chains.push({ name, policy });
    } else {
      const rule = /^(?:\[\d+:\d+\] )?(-A (\S+)(?: .*)?)$/.exec(line);
      if (rule?.[1] && rule[2]) rules.push({ chain: rule[2], text: rule[1], target: targetOf(rule[1]) });
    }
  }
  return tables;
}

/** What a rule jumps to. Quoted words are skipped: a comment may hold ` -j ` itself. */
function targetOf(rule: string): string | undefined {
  const bare = rule.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  return / (?:-j|-g|--jump|--goto) (\S+)/.exec(bare)?.[1];
}

const pairs: readonly { readonly family: IpFamily; readonly name: string }[] = [
  { family: 'ipv4', name: 'iptables' },
  { family: 'ipv6', name: 'ip6tables' },
];

/**
 * Every table that this machine's iptables programs can see: both families, both flavours. A machine whose programs
 * bear no flavour in their names (before 1.8, or Alpine's) is asked by the plain name. Without any program: undefined.
 * Listing loads no kernel module and makes no table. The network namespace is that of `run`.
 */
export async function readNetfilter(run: RunCommand): Promise<readonly NetfilterTable[] | undefined> {
  const lists = await Promise.all(pairs.map(({ family, name }) => readFamily(run, family, name)));
  if (lists.every((list) => list === undefined)) return undefined;
  return lists.flatMap((list) => list ?? []);
}

async function readFamily(
  run: RunCommand,
  family: IpFamily,
  name: string,
): Promise<readonly NetfilterTable[] | undefined> {
  const [nft, legacy] = await Promise.all([
    readProgram(run, family, 'nft', `${name}-nft`),
    readProgram(run, family, 'legacy', `${name}-legacy`),
  ]);
  if (nft || legacy) return [...(nft ?? []), ...(legacy ?? [])];
  const version = await tryRun(run, name, ['--version']);
  if (version === undefined) return undefined;
  return readProgram(run, family, version.includes('nf_tables') ? 'nft' : 'legacy', name);
}

async function readProgram(
  run: RunCommand,
  family: IpFamily,
  flavour: NetfilterFlavour,
  program: string,
): Promise<readonly NetfilterTable[] | undefined> {
  const text = await tryRun(run, `${program}-save`, []);
  return text === undefined ? undefined : parseIptablesSave(text, { family, flavour, program });
}

/**
 * stdout, or undefined where the program isn't there. A failing exit is no error: a kernel without IPv6 or without the
 * old tables has nothing to list, and a table that nft made in its own way ends the list with exit 1.
 */
async function tryRun(run: RunCommand, file: string, args: readonly string[]): Promise<string | undefined> {
  try {
    return (await run(file, args, { timeoutMs: 30_000 })).stdout;
  } catch (error) {
    if (isHyperupError(error, 'NotFound')) return undefined;
    throw error;
  }
}
