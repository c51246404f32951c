import { HyperupError, isHyperupError, messageOf } from '../base/errors.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { InstallOptions } from '../config/types.js';
import { journalPath } from '../host/journal.js';
import { loadX509 } from '../pki/issue-certificate.js';
import { componentImage } from '../release/image-of.js';
import { releaseFor } from '../release/release-for.js';
import { type ClusterRecord, readRecord } from './cluster-record.js';
import { differingOptions } from './differing-options.js';
import { type InstallContext, slot } from './install-context.js';
import { planDns } from './plan-dns.js';
import { planKubelet } from './plan-kubelet.js';
import { makeRuntime, type RunContext, type Runtime } from './runtime.js';
import { readStatus } from './status.js';
import { runSteps, type Step } from './step.js';
import { checkKubeconfigStep } from './steps/check-kubeconfig.js';
import { connectEngineStep } from './steps/connect-engine.js';
import { handOverStep } from './steps/hand-over.js';
import { loadBundleStep, withoutNetwork } from './steps/load-bundle.js';
import { obtainImagesStep } from './steps/obtain-images.js';
import { openJournalStep } from './steps/open-journal.js';
import { preflightStep } from './steps/preflight.js';
import { prepareHostStep } from './steps/prepare-host.js';
import { smokeTestStep } from './steps/smoke-test.js';
import { joinKubeletStep, startKubeletStep } from './steps/start-kubelet.js';
import { waitApiServerStep, waitControllersStep } from './steps/wait-control-plane.js';
import { waitNodeStep } from './steps/wait-node.js';
import { writeConfigurationStep } from './steps/write-configuration.js';
import type { ClusterStatus, InstallResult } from './types.js';
import { keptPaths, undoChanges } from './undo-changes.js';
import { withEngine } from './with-engine.js';

/** The install as a story. */
const steps: readonly Step<InstallContext>[] = [
  connectEngineStep,
  preflightStep,
  checkKubeconfigStep,
  openJournalStep,
  loadBundleStep,
  obtainImagesStep,
  prepareHostStep,
  startKubeletStep,
  writeConfigurationStep,
  waitApiServerStep,
  joinKubeletStep,
  waitControllersStep,
  waitNodeStep,
  smokeTestStep,
  handOverStep,
];

/**
 * Makes a verified single-node cluster, or finds that it is there. Rolls back on failure and on abort, unless
 * `keepOnFailure`. Throws (through `result`) what the failing step threw.
 */
export function install(given: InstallOptions, run: RunContext = {}): Operation<InstallResult> {
  const options = withoutNetwork(given);
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const startedMs = runtime.clock.monotonicMs();
    const record = await readRecord(options.cluster.paths.stateDir);
    const unchanged = await findHealthy(options, record, runtime);
    const elapsed = () => Math.round(runtime.clock.monotonicMs() - startedMs);
    if (unchanged) {
      return {
        status: unchanged.status,
        changed: false,
        kubeconfigPath: unchanged.kubeconfigPath,
        context: options.cluster.name,
        kubectl: unchanged.kubectl,
        elapsedMs: elapsed(),
      };
    }
    const { kubelet, kubernetesVersion } = options.cluster;
    const plan = planKubelet(kubelet, releaseFor(kubernetesVersion), record);
    // While the engine and the machine are looked at; a failure shows again where it matters.
    loadX509().catch(() => {});
    const dnsPlan = planDns(options.cluster, record);
    const context: InstallContext = {
      options,
      runtime,
      plan,
      dnsPlan,
      record,
      release: releaseFor(kubernetesVersion, plan.layouts[0]),
      kubelet: plan.kubelet,
      dns: dnsPlan[0],
      repairing: record?.state === 'installed',
      slots: {},
    };
    try {
      await runSteps(steps, context, runtime);
      return {
        status: asInstalled(slot(context, 'status')),
        changed: true,
        kubeconfigPath: options.kubeconfigPath,
        context: slot(context, 'context'),
        kubectl: context.slots.kubectl,
        elapsedMs: elapsed(),
      };
    } catch (error) {
      await context.slots.smoke?.stop();
      // An image that is still being made would escape the rollback.
      await context.slots.kubeletImage?.catch(() => {});
      await rollBack(context, error);
      throw error;
    } finally {
      await context.slots.kube?.close();
      await context.slots.journal?.close();
      context.slots.engine?.close();
    }
  }, run.signal);
}

/** The status was read while the record still said `installing`. */
function asInstalled(status: ClusterStatus): ClusterStatus {
  return { ...status, installed: true, healthy: status.components.every(({ state }) => state === 'up') };
}

/** The cluster that is there already, if it is healthy and of these very options. */
async function findHealthy(
  options: InstallOptions,
  record: ClusterRecord | undefined,
  runtime: Runtime,
): Promise<{ status: ClusterStatus; kubeconfigPath: string; kubectl: string | undefined } | undefined> {
  const { stateDir } = options.cluster.paths;
  if (record?.state !== 'installed') return undefined;
  const differing = differingOptions(record.cluster, options.cluster);
  if (differing !== '') {
    throw new HyperupError('Conflict', `install: a cluster with other options is installed: ${differing}`, {
      hint: 'hyperup uninstall takes it away (--keep-data keeps what is in it); then install again.',
    });
  }
  return withEngine(options.engineHost, runtime, async (engine) => {
    const status = await readStatus(stateDir, engine, runtime, 1500);
    return status.healthy ? { status, kubeconfigPath: record.kubeconfigPath, kubectl: record.kubectl } : undefined;
  });
}

/** Puts the machine back as it was, before the failure is reported. What can't be undone is told, and stays in the journal. */
async function rollBack(context: InstallContext, cause: unknown): Promise<void> {
  const { options, runtime, slots } = context;
  const { journal } = slots;
  if (!journal || options.keepOnFailure) return;
  if (context.repairing) {
    const message = 'The cluster was not repaired. It and its data are still there.';
    runtime.emit({ type: 'note', level: 'warn', message, hint: 'hyperup status shows its parts.' });
    return;
  }
  const head = { type: 'step', step: 'rollback', title: 'Roll back' } as const;
  runtime.emit({
    ...head,
    state: 'started',
    detail: isHyperupError(cause, 'Aborted') ? 'interrupted' : messageOf(cause),
  });
  const result = await undoChanges({
    journal,
    engine: slots.engine,
    host: runtime.host,
    emit: runtime.emit,
    keepPaths: new Set(keptPaths(journal.entries().map(({ change }) => change))),
    // What was fetched over a bad network is worth more than the room that it takes.
    purgeImages: false,
    toolsImage: componentImage(context.release, 'kube-proxy'),
  });
  runtime.emit({
    ...head,
    state: result.failures.length === 0 ? 'done' : 'failed',
    detail: `${result.undone} changes undone`,
  });
  if (result.failures.length === 0) return;
  runtime.emit({
    type: 'note',
    level: 'warn',
    message: `${result.failures.length} changes could not be taken back; they stand in ${journalPath(journal.dir)}`,
    hint: 'When the cause is gone, hyperup uninstall takes them back.',
  });
}
