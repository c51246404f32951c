import { HyperupError, isHyperupError } from '../base/errors.js';
import type { RunCommand } from '../base/run-command.js';
import { type NetfilterTable, readNetfilter } from './iptables-save.js';
import { planKubeRemoval } from './netfilter-plan.js';

export interface NetfilterRemoval {
  /** Chains that were removed, as `flavour/family/table/CHAIN`. */
  readonly removed: readonly string[];
  /** Chains that had to stay, emptied, because a foreign rule jumps to them; with that rule. */
  readonly kept: readonly { readonly chain: string; readonly rule: string }[];
  /** Tables that weren't there before, hold nothing now and can't be removed, for want of the nft program. */
  readonly emptyTables: readonly string[];
  /** False where no iptables program was found, so that nothing is known. */
  readonly examined: boolean;
}

/** A chain's name with all that makes it unique: `nft/ipv4/nat/KUBE-SERVICES`. What a journal's entry lists. */
export function chainId(table: Pick<NetfilterTable, 'flavour' | 'family' | 'table'>, chain: string): string {
  return `${table.flavour}/${table.family}/${table.table}/${chain}`;
}

/**
 * Every chain on the machine, built-in ones too (by them a later removal knows which tables were there), for the
 * `netfilter` entry of the journal. Undefined where there is no iptables program to ask.
 */
export async function listChains(run: RunCommand): Promise<readonly string[] | undefined> {
  const tables = await readNetfilter(run);
  return tables?.flatMap((table) => table.chains.map(({ name }) => chainId(table, name)));
}

/** The chains of Kubernetes' that are on the machine now; undefined where there is no iptables program to ask. */
export async function listKubeChains(run: RunCommand): Promise<readonly string[] | undefined> {
  const tables = await readNetfilter(run);
  return tables?.flatMap((table) => planKubeRemoval(table, new Set()).chains.map((name) => chainId(table, name)));
}

/**
 * Removes the chains that the kubelet and kube-proxy make, and the jumps to them, except those in `keep`: one
 * `iptables-restore --noflush` a program, so that it is quick, and a table changes whole or not at all. No other
 * rule is touched. A list that grew stale meanwhile (someone else changed the rules) is read again, up to four
 * times; then it throws `HostChangeFailed` with the program's words. `run` may run the programs in a container.
 */
export async function removeKubeChains(options: {
  readonly run: RunCommand;
  readonly keep: readonly string[];
}): Promise<NetfilterRemoval> {
  const { run } = options;
  const keep = new Set(options.keep);
  const removed = new Set<string>();
  let failure: HyperupError | undefined;
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const tables = await readNetfilter(run);
    if (tables === undefined) return { removed: [], kept: [], emptyTables: [], examined: false };
    const plans = tables.map((table) => ({ table, plan: planKubeRemoval(table, keep) }));
    const work = plans.filter(({ plan }) => plan.lines.length > 0);
    if (work.length === 0) {
      const kept = plans.flatMap(({ table, plan }) =>
        plan.held.map(({ chain, rule }) => ({ chain: chainId(table, chain), rule })),
      );
      return { removed: [...removed], kept, emptyTables: await removeEmptyTables(run, tables, keep), examined: true };
    }
    failure = undefined;
    for (const program of new Set(work.map(({ table }) => table.program))) {
      const mine = work.filter(({ table }) => table.program === program);
      const input = mine.map(({ table, plan }) => [`*${table.table}`, ...plan.lines, 'COMMIT', ''].join('\n')).join('');
      // -w: the legacy flavour's lock, that Docker takes too.
      const result = await run(`${program}-restore`, ['-w', '10', '--noflush'], { stdin: input, timeoutMs: 60_000 });
      if (result.exitCode === 0) {
        for (const { table, plan } of mine) for (const name of plan.removed) removed.add(chainId(table, name));
      } else {
        failure = new HyperupError(
          'HostChangeFailed',
          `remove Kubernetes' netfilter chains: ${result.command} exited with ${result.exitCode}`,
          { output: result.stderr, details: { program, tables: mine.map(({ table }) => table.table) } },
        );
      }
    }
  }
  throw (
    failure ??
    new HyperupError('HostChangeFailed', "remove Kubernetes' netfilter chains: something makes them anew", {
      hint: 'A kubelet or kube-proxy still runs on this machine: stop it, then run the command again.',
    })
  );
}

/**
 * iptables' nft flavour leaves a table with its built-in chains when the last of ours goes; only `nft` can remove it.
 * Each chain is deleted by name first, in the same transaction, which the kernel refuses if a rule came in between.
 */
async function removeEmptyTables(
  run: RunCommand,
  tables: readonly NetfilterTable[],
  keep: ReadonlySet<string>,
): Promise<readonly string[]> {
  const left: string[] = [];
  for (const table of tables) {
    if (table.rules.length > 0 || table.chains.some(({ policy }) => policy !== 'ACCEPT')) continue;
    // A journal that listed no chain of this flavour at all was written where there was no program to ask.
    if (keep.size === 0 || table.chains.some(({ name }) => keep.has(chainId(table, name)))) continue;
    const name = `${table.flavour}/${table.family}/${table.table}`;
    if (table.flavour === 'legacy') {
      left.push(name);
      continue;
    }
    const family = table.family === 'ipv4' ? 'ip' : 'ip6';
    const script = [
      ...table.chains.map((chain) => `delete chain ${family} ${table.table} ${chain.name}`),
      `delete table ${family} ${table.table}`,
      '',
    ].join('\n');
    try {
      if ((await run('nft', ['-f', '-'], { stdin: script })).exitCode !== 0) left.push(name);
    } catch (error) {
      if (!isHyperupError(error, 'NotFound')) throw error;
      left.push(name);
    }
  }
  return left;
}
