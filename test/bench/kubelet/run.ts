/**
 * `make bench-kubelet`: the built-in kubelet against the Go one, each in a cluster that hyperup installs from the images
 * of this engine, in one run. Prints a table and, last, a line `bench: …` for each measure; exit code 1 where a goal is
 * missed. It needs root and a machine without a cluster, and takes some eleven minutes a round.
 *
 * BENCH_RUNS: rounds of both, in turns (3). BENCH_ONLY: some of the measures, by their names.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../../../src/base/clock.js';
import { makeDefaults } from '../../../src/config/defaults.js';
import { readHostFacts } from '../../../src/config/host-facts.js';
import { connectEngine } from '../../../src/docker/connect.js';
import { localHost } from '../../../src/host/host.js';
import { runCommand } from '../../../src/host/run-command.js';
import { imageReference } from '../../../src/release/image-of.js';
import { releaseFor } from '../../../src/release/release-for.js';
import { ensureTestImages } from '../../e2e/support/test-images.js';
import { createBenchProgram, wantedNames, wantedRuns } from '../bench-program.js';
import { benchTable } from '../bench-table.js';
import { kubeadmPath } from '../build-kubeadm.js';
import { checkMachineIsFree } from '../check-machine-is-free.js';
import { ensureCurrentImages } from '../image-measures.js';
import { removeFormerRun } from '../kubeadm-side.js';
import { benchLine, meetsGoal } from '../measures.js';
import { withServiceRoute } from '../service-route.js';
import { manyPods } from './bench-pods.js';
import { timeDocker } from './docker-side.js';
import { factsOf, measureNames, measuresOf, type Round, wantedReadings } from './kubelet-measures.js';
import { type KubeletSideOptions, runKubelet } from './kubelet-side.js';

const { say, throwIfInterrupted, finish } = createBenchProgram();

const notes = [
  'theirs: the Go kubelet of the same release in its container, installed by hyperup, but with its own defaults for its request rates (kubeAPIQPS 5, kubeAPIBurst 10, eventRecordQPS 5, eventBurst 10 in 1.20), as kubeadm, kind and minikube run it; both have every image in the engine',
  '…-vs-tuned, theirs: the same with the rates that hyperup gives it (50, 100, 50, 100), which are upstream defaults from 1.27 on; the goal there is not to be slower',
  'node-ready, theirs: as hyperup installs it',
  '50 pods: 25 of the pause image and 25 web servers with an HTTP readiness probe each second, service account tokens mounted',
  'pods-ready-vs-docker, theirs: the engine alone, no cluster beside it: create and start of the same sandboxes and containers, 8 pods at once',
  'idle-cpu: of one core, in the kubelet process and what it ran, over 60 s after 30 s of rest; kubectl itself is in exec and cp',
];

async function bench(): Promise<number> {
  const wanted = wantedNames(process.env['BENCH_ONLY'], measureNames);
  const runs = wantedRuns(process.env['BENCH_RUNS']);
  const defaults = makeDefaults(readHostFacts(process.env), process.env);
  const { cluster } = defaults;
  const release = releaseFor(cluster.kubernetesVersion);
  const host = localHost(runCommand);
  const clock = systemClock;
  const engine = await connectEngine({ env: process.env });
  const cacheDir = dirname(kubeadmPath(release.version));
  await mkdir(cacheDir, { recursive: true });
  const workDir = await mkdtemp(join(cacheDir, 'run-'));
  try {
    await removeFormerRun({ engine, host, cluster });
    const checkFree = () => checkMachineIsFree(host, cluster.paths);
    await checkFree();
    const hyperupCache = process.env['HYPERUP_CACHE_DIR'] || defaults.images.cacheDir;
    await ensureCurrentImages({ engine, release, cacheDir: hyperupCache, workDir, cold: false, say });
    await ensureTestImages(['busybox'], say);
    const pauseImage = imageReference(release, 'pause');
    const common = { engine, cluster, pauseImage, clock, workDir, say, throwIfInterrupted, checkFree };
    const side = (name: 'ours' | 'theirs'): KubeletSideOptions => ({ ...common, wanted: wantedReadings(wanted, name) });
    const rounds: Round[] = [];
    await withServiceRoute(cluster.serviceCidr, async () => {
      for (let run = 1; run <= runs; run += 1) {
        say(`run ${run} of ${runs}`);
        throwIfInterrupted();
        const docker = wanted.has('pods-ready-vs-docker');
        if (docker) say('  the engine alone');
        const dockerMs = docker ? await timeDocker(manyPods(pauseImage), pauseImage, clock) : undefined;
        const theirs = await runKubelet('hyperkube', side('theirs'));
        const ours = await runKubelet('builtin', side('ours'));
        rounds.push({ ours, theirs, dockerSeconds: dockerMs === undefined ? undefined : dockerMs / 1000 });
      }
    });
    const measures = measuresOf(rounds, wanted);
    const table = benchTable({ measures, facts: factsOf(rounds), notes });
    process.stdout.write(`${table}\n\n${measures.map(benchLine).join('\n')}\n`);
    return measures.every(meetsGoal) ? 0 : 1;
  } finally {
    await rm(workDir, { recursive: true, force: true });
    engine.close();
  }
}

await finish(bench);
