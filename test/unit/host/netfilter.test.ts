import t from 'tap';
import type { CommandResult, RunCommand } from '../../../src/base/run-command.js';
import { listChains, listKubeChains, removeKubeChains } from '../../../src/host/netfilter.js';
import { programMissing, succeed } from './support.js';

const foreign = '*nat\n:OUTPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n-A OUTPUT -j DOCKER\nCOMMIT\n';
const withKube = foreign
  .replace(':DOCKER', ':KUBE-SERVICES - [0:0]\n:DOCKER')
  .replace('COMMIT', '-A OUTPUT -j KUBE-SERVICES\nCOMMIT');

interface Scripted {
  readonly run: RunCommand;
  /** stdin of each restore and nft, by program. */
  readonly inputs: { readonly program: string; readonly stdin: string }[];
}

/** iptables-nft for IPv4 alone: each listing gives the next text, each restore the next outcome. */
function scripted(
  listings: readonly string[],
  restores: readonly Partial<CommandResult>[] = [],
  nft?: number,
): Scripted {
  const inputs: { program: string; stdin: string }[] = [];
  let listed = 0;
  let restored = 0;
  return {
    inputs,
    run: async (program, args, options = {}) => {
      if (program === 'iptables-nft-save') {
        listed += 1;
        return succeed(listings[Math.min(listed, listings.length) - 1]);
      }
      if (program === 'iptables-nft-restore') {
        if (args.join(' ') !== '-w 10 --noflush') throw new Error(`restore with ${args.join(' ')}`);
        inputs.push({ program, stdin: options.stdin ?? '' });
        restored += 1;
        return { ...succeed(), ...restores[restored - 1] };
      }
      if (program === 'nft' && nft !== undefined) {
        inputs.push({ program, stdin: options.stdin ?? '' });
        return { ...succeed(), exitCode: nft };
      }
      throw programMissing(program);
    },
  };
}

t.test('chains by their full names', async (t) => {
  const { run } = scripted([withKube]);
  t.same(await listChains(run), ['nft/ipv4/nat/OUTPUT', 'nft/ipv4/nat/KUBE-SERVICES', 'nft/ipv4/nat/DOCKER']);
  t.same(await listKubeChains(run), ['nft/ipv4/nat/KUBE-SERVICES']);
});

t.test('one restore, nothing but our lines in it', async (t) => {
  const { run, inputs } = scripted([withKube, foreign]);
  t.same(await removeKubeChains({ run, keep: ['nft/ipv4/nat/OUTPUT'] }), {
    removed: ['nft/ipv4/nat/KUBE-SERVICES'],
    kept: [],
    emptyTables: [],
    examined: true,
  });
  t.same(inputs, [
    {
      program: 'iptables-nft-restore',
      stdin: '*nat\n:KUBE-SERVICES - [0:0]\n-D OUTPUT -j KUBE-SERVICES\n-X KUBE-SERVICES\nCOMMIT\n',
    },
  ]);
});

t.test('nothing of ours: nothing is written', async (t) => {
  const { run, inputs } = scripted([foreign]);
  t.match(await removeKubeChains({ run, keep: [] }), { removed: [], examined: true });
  t.same(inputs, []);
});

t.test('no program: nothing is known, and it says so', async (t) => {
  const run: RunCommand = async (program) => {
    throw programMissing(program);
  };
  t.same(await removeKubeChains({ run, keep: [] }), { removed: [], kept: [], emptyTables: [], examined: false });
  t.equal(await listChains(run), undefined);
});

t.test('rules that changed meanwhile are read again', async (t) => {
  const { run, inputs } = scripted([withKube, withKube, foreign], [{ exitCode: 1, stderr: 'line 3 failed' }]);
  t.match(await removeKubeChains({ run, keep: [] }), { removed: ['nft/ipv4/nat/KUBE-SERVICES'] });
  t.equal(inputs.length, 2);
});

t.test('a program that always refuses is an error with its words', async (t) => {
  const { run } = scripted([withKube], Array(9).fill({ exitCode: 4, stderr: 'resource busy' }));
  await t.rejects(removeKubeChains({ run, keep: [] }), { code: 'HostChangeFailed', output: 'resource busy' });
});

t.test('chains that keep coming back are an error that says why', async (t) => {
  const { run } = scripted([withKube]);
  await t.rejects(removeKubeChains({ run, keep: [] }), {
    code: 'HostChangeFailed',
    hint: /kubelet or kube-proxy still runs/,
  });
});

t.test('a chain that a foreign rule jumps to is reported', async (t) => {
  const text =
    '*nat\n:OUTPUT ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A OUTPUT -s 10.0.0.1/32 -j KUBE-SERVICES\nCOMMIT\n';
  const { run } = scripted([text]);
  t.match(await removeKubeChains({ run, keep: [] }), {
    removed: [],
    kept: [{ chain: 'nft/ipv4/nat/KUBE-SERVICES', rule: '-A OUTPUT -s 10.0.0.1/32 -j KUBE-SERVICES' }],
  });
});

t.test('tables that only we made go too', async (t) => {
  const empty = '*mangle\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n';
  const kept = ['nft/ipv4/nat/OUTPUT'];
  const cases = [
    { name: 'by nft, each chain first', text: foreign + empty, keep: kept, nft: 0, left: [], runs: 1 },
    {
      name: 'without nft they are reported',
      text: foreign + empty,
      keep: kept,
      nft: undefined,
      left: ['nft/ipv4/mangle'],
      runs: 0,
    },
    {
      name: 'so they are where nft refuses',
      text: foreign + empty,
      keep: kept,
      nft: 1,
      left: ['nft/ipv4/mangle'],
      runs: 1,
    },
    {
      name: 'one that was there before stays',
      text: empty,
      keep: ['nft/ipv4/mangle/OUTPUT'],
      nft: 0,
      left: [],
      runs: 0,
    },
    {
      name: 'one with a policy stays',
      text: empty.replace('OUTPUT ACCEPT', 'OUTPUT DROP'),
      keep: kept,
      nft: 0,
      left: [],
      runs: 0,
    },
    {
      name: 'one with a user’s chain stays',
      text: empty.replace('COMMIT', ':MINE - [0:0]\nCOMMIT'),
      keep: kept,
      nft: 0,
      left: [],
      runs: 0,
    },
    { name: 'without a record of what was there all stay', text: empty, keep: [], nft: 0, left: [], runs: 0 },
  ];
  for (const { name, text, keep, nft, left, runs } of cases) {
    const { run, inputs } = scripted([text], [], nft);
    t.same((await removeKubeChains({ run, keep })).emptyTables, left, name);
    t.equal(inputs.length, runs, `${name}: nft runs`);
    if (inputs[0]) {
      t.equal(
        inputs[0].stdin,
        'delete chain ip mangle PREROUTING\ndelete chain ip mangle OUTPUT\ndelete table ip mangle\n',
        name,
      );
    }
  }
});
