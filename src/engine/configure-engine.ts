import { HyperupError, isHyperupError } from '../base/errors.js';
import { waitFor } from '../base/wait.js';
import type { Engine, EngineInfo } from '../docker/types.js';
import { readHostText } from '../host/host.js';
import {
  addToDaemonConfig,
  canonicalEntry,
  checkEntries,
  type DaemonListKey,
  type DaemonLists,
} from './daemon-config.js';
import { replaceFile } from './daemon-file.js';
import { type DockerdProcess, defaultPidFile, findDockerd } from './dockerd-process.js';
import type { EngineRuntime } from './engine-runtime.js';
import { isLocalAbsence } from './local-absence.js';
import { engineLogTail, logSize } from './log-tail.js';
import { findServiceManager, type ServiceManager } from './service-manager.js';

export const defaultDaemonConfig = '/etc/docker/daemon.json';

export interface ConfigureEngineOptions {
  /** `https://host[:port]`; for Docker Hub's images, as the engine has it. */
  readonly registryMirrors?: readonly string[] | undefined;
  /** `host[:port]` or a range of addresses. */
  readonly insecureRegistries?: readonly string[] | undefined;
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where daemon.json is; else as the running dockerd was told, else /etc/docker/daemon.json. */
  readonly configPath?: string | undefined;
  readonly pidFile?: string | undefined;
}

export interface ConfigureEngineResult {
  readonly path: string;
  readonly changed: boolean;
  readonly added: DaemonLists;
  /** The whole file as it is now, or with `dryRun` would be. */
  readonly text: string;
  /** The former file, where one was replaced. */
  readonly backup: string | undefined;
  /** False where no engine runs: it reads the file when it starts. */
  readonly reloaded: boolean;
}

/** How long a reload may take to show, milliseconds. */
const reloadMs = 15_000;
const flagOf: Readonly<Record<DaemonListKey, string>> = {
  'registry-mirrors': 'registry-mirror',
  'insecure-registries': 'insecure-registry',
};

/**
 * Adds registry mirrors and insecure registries to the engine's daemon.json, reloads the engine (no container is
 * touched) and sees that it took them. Idempotent: without news nothing is written, and an
 * engine that shows all of it already isn't reloaded. Where the engine doesn't take the
 * file, the former one is put back. Errors: `InvalidConfig` (an entry, or the file, which stays untouched), `Conflict`
 * (dockerd has the same setting as a flag), `PermissionDenied`, `EngineFailed` (not taken over), `EngineUnreachable`.
 */
export async function configureEngine(
  runtime: EngineRuntime,
  options: ConfigureEngineOptions,
): Promise<ConfigureEngineResult> {
  const { registryMirrors = [], insecureRegistries = [], dryRun, signal } = options;
  const wanted = checkEntries({ 'registry-mirrors': registryMirrors, 'insecure-registries': insecureRegistries });
  const dockerd = await findDockerd(runtime.host, options.pidFile ?? defaultPidFile);
  const path = options.configPath ?? dockerd?.configPath ?? defaultDaemonConfig;
  const before = await readHostText(runtime.host, path);
  const { text, added } = addToDaemonConfig(path, before, wanted);
  checkFlags(path, dockerd, added);
  const news = Object.keys(added).length > 0;
  const outcome = { path, text, added, changed: news, backup: undefined, reloaded: false };
  const engine = await localEngine(runtime, path, options);
  try {
    const missing = engine ? notTaken(wanted, await engine.info()) : [];
    if (dryRun || (!news && missing.length === 0)) return outcome;
    const file = news ? await replaceFile(runtime.host, path, before, text) : undefined;
    if (file) runtime.logger.info('changed the configuration of the engine', { path, backup: file.backup, added });
    if (!engine) return { ...outcome, backup: file?.backup };
    const manager = await findServiceManager(runtime.host);
    try {
      await reload(runtime, manager, dockerd, engine, wanted, signal);
    } catch (error) {
      await file?.undo();
      await sendReload(runtime, manager, dockerd).catch(() => {});
      throw error;
    }
    return { ...outcome, backup: file?.backup, reloaded: true };
  } finally {
    engine?.close();
  }
}

/** The engine that the file is for; undefined where none runs. An engine elsewhere has its file elsewhere. */
async function localEngine(
  runtime: EngineRuntime,
  path: string,
  options: ConfigureEngineOptions,
): Promise<Engine | undefined> {
  let engine: Engine;
  try {
    engine = await runtime.connect(options.signal);
  } catch (error) {
    if (isLocalAbsence(error)) return undefined;
    throw error;
  }
  const info = await engine.info().catch((error: unknown) => {
    engine.close();
    throw error;
  });
  const elsewhere = !info.endpoint.startsWith('unix://') || (info.rootless && options.configPath === undefined);
  if (!elsewhere) return engine;
  engine.close();
  throw new HyperupError(
    'Conflict',
    `configure the engine: ${path} is not what the engine at ${info.endpoint} reads${info.rootless ? ' (it is rootless)' : ''}`,
    { hint: 'Run the command on the machine of that engine, or unset DOCKER_HOST and the Docker context.' },
  );
}

function checkFlags(path: string, dockerd: DockerdProcess | undefined, added: DaemonLists): void {
  const keys = (Object.keys(added) as DaemonListKey[]).filter((key) => dockerd?.flags.has(flagOf[key]));
  if (keys.length === 0) return;
  const flags = keys.map((key) => `--${flagOf[key]}`).join(' and ');
  throw new HyperupError(
    'Conflict',
    `configure the engine: dockerd was started with ${flags}, which ${path} can't have too`,
    {
      hint: `Move what ${flags} says into ${path} and restart the engine: it doesn't start with a setting in both places.`,
    },
  );
}

async function reload(
  runtime: EngineRuntime,
  manager: ServiceManager,
  dockerd: DockerdProcess | undefined,
  engine: Engine,
  wanted: DaemonLists,
  signal: AbortSignal | undefined,
): Promise<void> {
  const logBegin = await logSize(runtime.host);
  await sendReload(runtime, manager, dockerd);
  try {
    await waitFor<void>(
      'the engine to take over its configuration',
      async () => {
        const missing = notTaken(wanted, await engine.info());
        if (missing.length === 0) return { done: true, value: undefined };
        return { done: false, reason: `it doesn't show ${missing.join(', ')}` };
      },
      { clock: runtime.clock, timeoutMs: reloadMs, intervalMs: 100, signal },
    );
  } catch (error) {
    if (!isHyperupError(error, 'Timeout')) throw error;
    const output = await engineLogTail(runtime.host, manager, logBegin);
    throw new HyperupError('EngineFailed', `configure the engine: ${error.message}`, {
      hint: "The engine's log says why. daemon.json is as it was before.",
      cause: error,
      ...(output === '' ? {} : { output }),
    });
  }
}

function notTaken(lists: DaemonLists, info: EngineInfo): readonly string[] {
  const shown = new Set([...info.registryMirrors, ...info.insecureRegistries].map(canonicalEntry));
  const wanted = [...(lists['registry-mirrors'] ?? []), ...(lists['insecure-registries'] ?? [])];
  return wanted.filter((entry) => !shown.has(canonicalEntry(entry)));
}

/** SIGHUP to the process that wrote the pid file; else by the service manager, which knows the process itself. */
async function sendReload(
  runtime: EngineRuntime,
  manager: ServiceManager,
  dockerd: DockerdProcess | undefined,
): Promise<void> {
  if (dockerd) return runtime.sendSignal(dockerd.pid, 'SIGHUP');
  const commands: Readonly<Record<ServiceManager, readonly [string, ...string[]] | undefined>> = {
    systemd: ['systemctl', 'reload', 'docker'],
    openrc: ['rc-service', 'docker', 'reload'],
    none: undefined,
  };
  const [file, ...args] = commands[manager] ?? [];
  const result = file === undefined ? undefined : await runtime.host.run(file, args, { timeoutMs: 60_000 });
  if (result?.exitCode === 0) return;
  throw new HyperupError(
    'EngineFailed',
    `reload the engine: ${result ? `${result.command} failed` : 'its process is unknown'}`,
    {
      hint: 'Restart the engine by hand after adding the entries to its daemon.json.',
      ...(result ? { output: result.stderr } : {}),
    },
  );
}
