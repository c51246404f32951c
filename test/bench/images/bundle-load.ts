/**
 * Loading a bundle of the whole release into an empty engine against `docker load` of the same images: whole processes
 * from start to exit, each into an engine of its own. Run it alone with `node …/bundle-load.js`; BENCH_RUNS as elsewhere.
 * The images are those of the engine that answers; `make up` has it have them.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBenchProgram, wantedRuns } from '../bench-program.js';
import { benchTable } from '../bench-table.js';
import { benchLine, type Measure, meetsGoal } from '../measures.js';
import { startEmptyEngine } from './bundle-engine.js';
import { plainEnvironment } from './sides.js';

/** How much longer than `docker load` it may take. */
const goal = 1.1;

const program = () => process.env['BENCH_PROGRAM'] ?? join(process.cwd(), 'dist/cli/main.js');

/** Seconds of one load into an engine that has nothing. */
async function timedLoad(file: string, args: readonly string[]): Promise<number> {
  const engine = await startEmptyEngine();
  try {
    const startedMs = performance.now();
    execFileSync(file, args, {
      env: { ...plainEnvironment(), DOCKER_HOST: engine.host },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return (performance.now() - startedMs) / 1000;
  } finally {
    await engine.close();
  }
}

/** The same images as `docker save` writes them, by way of an engine that has just these. */
async function saveAsDocker(bundle: string, target: string): Promise<void> {
  const engine = await startEmptyEngine();
  const env = { ...process.env, DOCKER_HOST: engine.host };
  try {
    execFileSync(process.execPath, [program(), '--quiet', 'images', 'load', bundle], { env, stdio: 'pipe' });
    const names = execFileSync('docker', ['images', '--format', '{{.Repository}}:{{.Tag}}'], { env, encoding: 'utf8' });
    execFileSync('docker', ['save', '-o', target, ...names.trim().split('\n')], { env, stdio: 'pipe' });
  } finally {
    await engine.close();
  }
}

/** Makes the bundle and loads it `runs` times, the sides in turn. */
export async function measureBundleLoad(
  runs: number,
  { say, throwIfInterrupted }: { readonly say: (line: string) => void; readonly throwIfInterrupted: () => void },
): Promise<readonly Measure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'hyperup-bench-bundle-'));
  const [bundle, archive] = [join(dir, 'hyperup.tar'), join(dir, 'docker.tar')];
  const ours: number[] = [];
  const theirs: number[] = [];
  try {
    say('writing a bundle of the release');
    const save = ['--quiet', 'images', 'save', '-o', bundle, '--mirror', 'none'];
    execFileSync(process.execPath, [program(), ...save], { stdio: ['ignore', 'ignore', 'inherit'] });
    await saveAsDocker(bundle, archive);
    for (let round = 0; round < runs; round += 1) {
      const sides = round % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const);
      for (const side of sides) {
        throwIfInterrupted();
        const seconds =
          side === 'ours'
            ? await timedLoad(process.execPath, [program(), '--quiet', 'images', 'load', bundle])
            : await timedLoad('docker', ['load', '--quiet', '-i', archive]);
        (side === 'ours' ? ours : theirs).push(seconds);
        say(`  ${side} ${seconds.toFixed(2)} s`);
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return [{ kind: 'ratio', name: 'bundle-load', unit: 's', goal, ours, theirs }];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bench = createBenchProgram();
  await bench.finish(async () => {
    const measures = await measureBundleLoad(wantedRuns(process.env['BENCH_RUNS']), bench);
    bench.say(benchTable({ measures, facts: [], notes: [] }));
    for (const measure of measures) process.stdout.write(`${benchLine(measure)}\n`);
    return measures.every(meetsGoal) ? 0 : 1;
  });
}
