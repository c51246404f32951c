import { HyperupError } from '../base/errors.js';
import { type EmitProgress, ignoreProgress } from '../base/progress.js';
import type { EngineInfo } from '../docker/types.js';
import type { EngineRuntime } from './engine-runtime.js';
import { findProgram } from './find-program.js';
import { isLocalAbsence } from './local-absence.js';
import { readOsRelease } from './os-release.js';
import { type PackagePlan, packageManagers, planPackages } from './package-plan.js';
import { findServiceManager, type ServiceManager, startCommands } from './service-manager.js';
import { installStep, startEngine } from './start-engine.js';

export interface InstallEngineOptions {
  readonly dryRun?: boolean | undefined;
  readonly emit?: EmitProgress | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the engine may take to answer once started; 90 s. */
  readonly timeoutMs?: number | undefined;
}

export interface InstallEngineResult {
  /** False where an engine answered from the beginning. */
  readonly changed: boolean;
  /** What was done, or with `dryRun` would be, one line each. */
  readonly steps: readonly string[];
  /** Undefined only where `dryRun` kept the engine from being started. */
  readonly info: EngineInfo | undefined;
}

const refreshMs = 5 * 60_000;
const packagesMs = 20 * 60_000;
const answerMs = 90_000;
const keptLines = 30;

/**
 * Makes sure that an engine answers: nothing where one does; else the distribution's Docker package where dockerd is
 * absent, then its start by systemd, OpenRC or by hand, then the wait for it. Idempotent.
 * Errors: `EngineUnreachable` where the user named an engine that doesn't answer (another one would be no help);
 * `PermissionDenied` without root; `HostChangeFailed` where packages can't be installed; `EngineFailed` and `Timeout`
 * with the engine's log where it doesn't start; `Aborted`.
 */
export async function installEngine(
  runtime: EngineRuntime,
  options: InstallEngineOptions = {},
): Promise<InstallEngineResult> {
  const info = await answeringEngine(runtime, options.signal);
  if (info) return { changed: false, steps: [], info };
  const { host } = runtime;
  const manager = await findServiceManager(host);
  const present = await findProgram(host, 'dockerd');
  const plan = present === undefined ? await planInstall(runtime) : undefined;
  const steps = describeSteps(plan, manager);
  if (options.dryRun) return { changed: true, steps, info: undefined };
  if (!runtime.isRoot) {
    throw new HyperupError('PermissionDenied', 'install the engine: got an ordinary user, want root', {
      hint: 'Run the command again with sudo.',
    });
  }
  if (plan) await installPackages(runtime, plan, options);
  const dockerd = present ?? (await findProgram(host, 'dockerd'));
  if (dockerd === undefined) {
    throw new HyperupError('HostChangeFailed', 'install the engine: the package brought no dockerd', {
      hint: 'Install Docker Engine as https://docs.docker.com/engine/install/ says, then run the command again.',
    });
  }
  const { emit, signal, timeoutMs = answerMs } = options;
  return { changed: true, steps, info: await startEngine(runtime, { manager, dockerd, timeoutMs, emit, signal }) };
}

async function answeringEngine(
  runtime: EngineRuntime,
  signal: AbortSignal | undefined,
): Promise<EngineInfo | undefined> {
  try {
    const engine = await runtime.connect(signal);
    try {
      return await engine.info();
    } finally {
      engine.close();
    }
  } catch (error) {
    // Another engine than the one that was named, or that refuses us, would be no help.
    if (!isLocalAbsence(error)) throw error;
    return undefined;
  }
}

async function planInstall({ host }: EngineRuntime): Promise<PackagePlan> {
  const os = await readOsRelease(host);
  const found = await Promise.all(packageManagers.map(async (name) => [name, await findProgram(host, name)] as const));
  const present = found.filter(([, path]) => path !== undefined).map(([name]) => name);
  const plan = planPackages(os, present);
  if (plan) return plan;
  throw new HyperupError(
    'HostChangeFailed',
    `install the engine: ${os.prettyName} has no Docker package that hyperup knows of (package managers: ${present.join(', ') || 'none'})`,
    {
      hint: 'Install Docker Engine as https://docs.docker.com/engine/install/ says, then run the command again.',
      details: { os: os.id, present },
    },
  );
}

function describeSteps(plan: PackagePlan | undefined, manager: ServiceManager): readonly string[] {
  const starts = startCommands[manager].map((command) => command.join(' '));
  const installs = plan?.installs.map((command) => command.join(' ')).join(', or else ');
  return [
    ...(plan?.refresh ? [plan.refresh.join(' ')] : []),
    ...(installs === undefined ? [] : [installs]),
    ...(starts.length > 0 ? starts : ['start dockerd in the background']),
    'wait until the engine answers',
  ];
}

async function installPackages(
  runtime: EngineRuntime,
  plan: PackagePlan,
  options: InstallEngineOptions,
): Promise<void> {
  const { emit = ignoreProgress, signal } = options;
  const tail: string[] = [];
  const run = async ([file = '', ...args]: readonly string[], timeoutMs: number) => {
    const result = await runtime.host.run(file, args, {
      timeoutMs,
      env: plan.env,
      onLine: (line) => {
        tail.push(line);
        if (tail.length > keptLines) tail.shift();
        emit({ type: 'output', step: installStep, line });
      },
      ...(signal ? { signal } : {}),
    });
    return result.exitCode;
  };
  if (plan.refresh) {
    const exitCode = await run(plan.refresh, refreshMs);
    // One source that is down doesn't matter where another, or an earlier list, has the package.
    if (exitCode !== 0) runtime.logger.warn('the package lists could not all be refreshed', { exitCode });
  }
  const failed: string[] = [];
  for (const command of plan.installs) {
    const exitCode = await run(command, packagesMs);
    if (exitCode === 0) return;
    failed.push(`${command.join(' ')} ended with code ${exitCode}`);
    // The package is in, but its own script could not start the service: that is done next.
    if (await findProgram(runtime.host, 'dockerd')) {
      emit({
        type: 'note',
        level: 'warn',
        message: `${plan.manager} reports a failure, but Docker is installed: going on`,
        hint: 'Usually the package could not start its service itself.',
      });
      runtime.logger.warn('the package manager failed after installing dockerd', { exitCode });
      return;
    }
  }
  throw new HyperupError('HostChangeFailed', `install the engine: ${failed.join('; ')}`, {
    output: tail.join('\n'),
    hint:
      plan.manager === 'apk'
        ? 'Docker is in the community repository: see that /etc/apk/repositories has it.'
        : "See that the machine reaches the distribution's packages (mirror, proxy), then run the command again.",
    details: { manager: plan.manager },
  });
}
