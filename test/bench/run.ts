/**
 * `make bench`: hyperup against kubeadm of the same source, on this machine, in one run. Prints a table and, last, a
 * line `bench: …` for each measure; exit code 1 where a goal is missed. It needs root and a machine without a cluster.
 *
 * BENCH_RUNS: rounds of both sides, in turns (3). BENCH_COLD=1: build the images from nothing too.
 * BENCH_ONLY: some of `version,images,cluster`.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDefaults } from '../../src/config/defaults.js';
import { readHostFacts } from '../../src/config/host-facts.js';
import { connectEngine } from '../../src/docker/connect.js';
import type { Engine } from '../../src/docker/types.js';
import { localHost } from '../../src/host/host.js';
import { runCommand } from '../../src/host/run-command.js';
import { releaseFor } from '../../src/release/release-for.js';
import { createBenchProgram, wantedNames, wantedRuns } from './bench-program.js';
import { type BenchReport, benchTable, type FactRow } from './bench-table.js';
import { ensureKubeadm, kubeadmPath } from './build-kubeadm.js';
import { checkMachineIsFree } from './check-machine-is-free.js';
import { type HyperupRun, runHyperup, runVersion } from './hyperup-side.js';
import { ensureCurrentImages, measureImages } from './image-measures.js';
import { type KubeadmRun, removeFormerRun, runKubeadm } from './kubeadm-side.js';
import { benchLine, type Measure, meetsGoal } from './measures.js';
import { withServiceRoute } from './service-route.js';

const parts = ['version', 'images', 'cluster'] as const;

const options = makeDefaults(readHostFacts(process.env), process.env);
const { cluster } = options;
const release = releaseFor(cluster.kubernetesVersion);
const host = localHost(runCommand);

const { say, throwIfInterrupted, finish } = createBenchProgram();

async function measureVersion(): Promise<readonly Measure[]> {
  say('hyperup --version');
  // The first start reads the program from the disk.
  const [, ...values] = await runVersion(12);
  return [{ kind: 'value', name: 'version', unit: 'ms', goal: 150, values }];
}

async function measureClusters(engine: Engine, workDir: string): Promise<BenchReport> {
  const version = cluster.kubernetesVersion;
  say(`kubeadm ${version} (${kubeadmPath(version)})`);
  const program = await ensureKubeadm({ engine, run: runCommand, version, onLine: (line) => say(`  ${line}`) });
  const [ours, theirs]: [HyperupRun[], KubeadmRun[]] = [[], []];
  const runs = wantedRuns(process.env['BENCH_RUNS']);
  for (let run = 1; run <= runs; run += 1) {
    throwIfInterrupted();
    say(`run ${run} of ${runs}: hyperup install, install, uninstall`);
    ours.push(await runHyperup(workDir));
    throwIfInterrupted();
    say(`run ${run} of ${runs}: kubeadm init`);
    theirs.push(await runKubeadm({ engine, host, program, cluster, workDir }));
  }
  return clusterReport(ours, theirs);
}

function clusterReport(ours: readonly HyperupRun[], theirs: readonly KubeadmRun[]): BenchReport {
  const seconds = (values: readonly number[]) => values.map((value) => value / 1000);
  const value = (name: string, goal: number, values: readonly number[], unit: 's' | '' = 's'): Measure => ({
    kind: 'value',
    name,
    unit,
    goal,
    values,
  });
  const timesOf = (title: string) => seconds(ours.flatMap(({ stepMs }) => stepMs.get(title) ?? []));
  // Steps that would read as 0.0s are left out.
  const titles = [...new Set(ours.flatMap(({ stepMs }) => [...stepMs.keys()]))].filter(
    (title) => Math.max(...timesOf(title)) >= 0.05,
  );
  return {
    measures: [
      {
        kind: 'ratio',
        name: 'install',
        unit: 's',
        goal: 0.6,
        ours: seconds(ours.map(({ installMs }) => installMs)),
        theirs: seconds(theirs.map(({ readyMs }) => readyMs)),
      },
      value('uninstall', 5, seconds(ours.map(({ uninstallMs }) => uninstallMs))),
      value('second-install', 2, seconds(ours.map(({ secondMs }) => secondMs))),
      value(
        'second-install-changes',
        0,
        ours.map(({ secondChanged }) => Number(secondChanged)),
        '',
      ),
    ],
    facts: [
      { name: 'kubeadm init returns', unit: 's', values: seconds(theirs.map(({ initMs }) => initMs)) },
      ...titles.map((title): FactRow => ({ name: `install: ${title}`, unit: 's', values: timesOf(title) })),
    ],
    notes: [
      'install, ours: from the start of the process to its end, with every component healthy and a pod run, reached through a Service and gone again',
      'install, theirs: from the start of kubeadm init until it has returned and the node is Ready; no pod is run',
      'theirs has its images in the engine, its kubelet waiting in a container like that of ours, no preflight error that counts, no CoreDNS to deploy, and needs no CNI add-on',
    ],
  };
}

async function bench(): Promise<number> {
  const wanted = wantedNames(process.env['BENCH_ONLY'], parts);
  wantedRuns(process.env['BENCH_RUNS']);
  const engine = await connectEngine({ env: process.env });
  await mkdir(dirname(kubeadmPath(release.version)), { recursive: true });
  const workDir = await mkdtemp(join(dirname(kubeadmPath(release.version)), 'run-'));
  try {
    await removeFormerRun({ engine, host, cluster });
    await checkMachineIsFree(host, cluster.paths);
    const images = {
      engine,
      release,
      cacheDir: process.env['HYPERUP_CACHE_DIR'] || options.images.cacheDir,
      workDir,
      cold: process.env['BENCH_COLD'] === '1',
      say,
    };
    const version = wanted.has('version') ? await measureVersion() : [];
    throwIfInterrupted();
    if (wanted.has('images')) await ensureCurrentImages(images);
    const built = wanted.has('images') ? await measureImages(images) : { measures: [], notes: [] };
    throwIfInterrupted();
    const clusters = wanted.has('cluster')
      ? await withServiceRoute(cluster.serviceCidr, () => measureClusters(engine, workDir))
      : { measures: [], facts: [], notes: [] };
    const measures = [...clusters.measures, ...version, ...built.measures];
    const report = { measures, facts: clusters.facts, notes: [...clusters.notes, ...built.notes] };
    process.stdout.write(`${benchTable(report)}\n\n${measures.map(benchLine).join('\n')}\n`);
    return measures.every(meetsGoal) ? 0 : 1;
  } finally {
    await rm(workDir, { recursive: true, force: true });
    engine.close();
  }
}

await finish(bench);
