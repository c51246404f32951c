/**
 * `make bench-images`: `hyperup images copy` against Debian's `skopeo copy`, on real registries on this machine, whole
 * processes from start to exit. Prints, last, a line `bench: …` for each measure; exit code 1 where a goal is missed.
 *
 * BENCH_RUNS: rounds (3), the sides in turn; the median counts. BENCH_MB: the large layer's size (247).
 * BENCH_PROGRAM: another build than dist/cli/main.js. BENCH_ONLY: some of these, with commas between:
 *   bare     one large layer to a registry, an OCI layout and a docker-archive, no limits: at most 1.0 of skopeo's time
 *   sync     the release from one registry into another, against `skopeo sync`: at most 1.0 (its images as for bundle)
 *   held     5 MB/s a connection: at most 0.4
 *   mirrors  two mirrors of 10 MB/s each against one: at least 1.8 times as fast
 *   memory   the most that a copy of 600 MB takes: at most 150 MB
 *   bundle   `images load` of the release into an empty engine against `docker load`: at most 1.1 (as root; it wants
 *            the release's images in the engine, as `make up` has it, or a registry that serves them)
 */
import { join } from 'node:path';
import { createBenchProgram, wantedNames, wantedRuns } from '../bench-program.js';
import { benchTable } from '../bench-table.js';
import { benchLine, type Measure, meetsGoal } from '../measures.js';
import { measureBundleLoad } from './bundle-load.js';
import { startHeldLink } from './held-link.js';
import { type BenchScene, openBenchScene, type TargetTransport } from './scene.js';
import { type CopyRun, copyByHyperup, copyBySkopeo } from './sides.js';
import { measureSync } from './sync-set.js';

const groups = ['bare', 'sync', 'held', 'mirrors', 'memory', 'bundle'] as const;
const transports: readonly TargetTransport[] = ['registry', 'oci', 'docker-archive'];
const megabyte = 1_000_000;
const heldLayerMb = 50;
const memoryLayerMb = 600;
const bench = createBenchProgram();
const { say, throwIfInterrupted, finish } = bench;

interface Round {
  readonly ours: CopyRun[];
  readonly theirs: CopyRun[];
}

/** Each side once a round, the first changing from round to round. */
async function compare(scene: BenchScene, source: string, transport: TargetTransport, runs: number): Promise<Round> {
  const result: Round = { ours: [], theirs: [] };
  for (let round = 0; round < runs; round += 1) {
    const sides = round % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const);
    for (const side of sides) {
      throwIfInterrupted();
      const run = await oneCopy(scene, source, transport, side);
      result[side].push(run);
      say(`  ${side} ${run.seconds.toFixed(2)} s, ${run.peakMb.toFixed(0)} MB`);
    }
  }
  return result;
}

async function oneCopy(
  scene: BenchScene,
  source: string,
  transport: TargetTransport,
  side: 'ours' | 'theirs',
  flags: readonly string[] = [],
): Promise<CopyRun> {
  const target = await scene.target(transport);
  try {
    const words = { source, target: target.word, flags };
    return await (side === 'ours' ? copyByHyperup(words, join(scene.workDir, 'cache')) : copyBySkopeo(words));
  } finally {
    await target.done();
  }
}

const seconds = (runs: readonly CopyRun[]) => runs.map((run) => run.seconds);

async function bare(scene: BenchScene, runs: number): Promise<readonly Measure[]> {
  const layerMb = Number(process.env['BENCH_MB'] ?? 247);
  say(`making an image of ${layerMb} MB`);
  await scene.add('bench/large', layerMb * megabyte, 'gzip');
  const measures: Measure[] = [];
  for (const transport of transports) {
    say(`bare link, to ${transport}`);
    const { ours, theirs } = await compare(scene, `docker://${scene.registry.host}/bench/large:v1`, transport, runs);
    const sides = { ours: seconds(ours), theirs: seconds(theirs) };
    measures.push({ kind: 'ratio', name: `copy-${transport}`, unit: 's', goal: 1, ...sides });
  }
  return measures;
}

async function held(scene: BenchScene, runs: number): Promise<readonly Measure[]> {
  say(`making an image of ${heldLayerMb} MB`);
  await scene.add('bench/held', heldLayerMb * megabyte, 'gzip');
  const link = await startHeldLink({ target: scene.registry.host, bytesPerSecond: 5 * megabyte, shared: false });
  const measures: Measure[] = [];
  try {
    for (const transport of transports) {
      say(`5 MB/s a connection, to ${transport}`);
      const { ours, theirs } = await compare(scene, `docker://${link.host}/bench/held:v1`, transport, runs);
      const sides = { ours: seconds(ours), theirs: seconds(theirs) };
      measures.push({ kind: 'ratio', name: `copy-held-${transport}`, unit: 's', goal: 0.4, ...sides });
    }
  } finally {
    await link.close();
  }
  return measures;
}

/** Two mirrors at 10 MB/s each, against one. */
async function mirrors(scene: BenchScene, runs: number): Promise<readonly Measure[]> {
  const layerMb = 2 * heldLayerMb;
  say(`making an image of ${layerMb} MB`);
  await scene.add('bench/mirrored', layerMb * megabyte, 'gzip');
  const held = { target: scene.registry.host, bytesPerSecond: 10 * megabyte, shared: true };
  const [first, second] = [await startHeldLink(held), await startHeldLink(held)];
  const values: number[] = [];
  try {
    for (let round = 0; round < runs; round += 1) {
      throwIfInterrupted();
      const flags = (...hosts: readonly string[]) => [
        ...hosts.flatMap((host) => ['--mirror', host]),
        '--mirror',
        'none',
      ];
      const source = 'docker://registry.invalid/bench/mirrored:v1';
      const one = await oneCopy(scene, source, 'oci', 'ours', flags(first.host));
      const both = await oneCopy(scene, source, 'oci', 'ours', flags(first.host, second.host));
      say(`one mirror ${one.seconds.toFixed(2)} s, two ${both.seconds.toFixed(2)} s`);
      values.push(one.seconds / both.seconds);
    }
  } finally {
    await Promise.all([first.close(), second.close()]);
  }
  return [{ kind: 'value', name: 'copy-two-mirrors', unit: '', goal: 1.8, atLeast: true, values }];
}

async function memory(scene: BenchScene, runs: number): Promise<readonly Measure[]> {
  say(`making an image of ${memoryLayerMb} MB`);
  await scene.add('bench/huge', memoryLayerMb * megabyte, 'plain');
  const measures: Measure[] = [];
  for (const transport of transports) {
    say(`memory, to ${transport}`);
    const { ours, theirs } = await compare(
      scene,
      `docker://${scene.registry.host}/bench/huge:v1`,
      transport,
      Math.min(runs, 2),
    );
    const peak = (side: readonly CopyRun[]) => side.map((run) => run.peakMb);
    measures.push({
      kind: 'value',
      name: `copy-memory-${transport}`,
      unit: 'MB',
      goal: 150,
      values: peak(ours),
      theirs: peak(theirs),
    });
  }
  return measures;
}

await finish(async () => {
  const runs = wantedRuns(process.env['BENCH_RUNS']);
  const wanted = wantedNames(process.env['BENCH_ONLY'], groups);
  const bundle = (_scene: BenchScene, rounds: number) => measureBundleLoad(rounds, bench);
  const sync = (scene: BenchScene, rounds: number) => measureSync(scene, rounds, bench);
  const parts = { bare, sync, held, mirrors, memory, bundle };
  const measures: Measure[] = [];
  const scene = await openBenchScene();
  try {
    for (const group of groups) if (wanted.has(group)) measures.push(...(await parts[group](scene, runs)));
  } finally {
    await scene.close();
  }
  say(benchTable({ measures, facts: [], notes: ['skopeo runs with --quiet, hyperup too'] }));
  for (const measure of measures) process.stdout.write(`${benchLine(measure)}\n`);
  return measures.every(meetsGoal) ? 0 : 1;
});
