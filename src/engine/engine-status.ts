import { isHyperupError, messageOf } from '../base/errors.js';
import type { EngineInfo } from '../docker/types.js';
import { readHostText } from '../host/host.js';
import { defaultDaemonConfig } from './configure-engine.js';
import { type DaemonLists, readDaemonLists } from './daemon-config.js';
import { findDockerd } from './dockerd-process.js';
import type { EngineRuntime } from './engine-runtime.js';
import { findProgram } from './find-program.js';
import { findServiceManager, type ServiceManager } from './service-manager.js';

/** The engine as `engine status` shows it; nothing is changed to find out. */
export interface EngineStatus {
  readonly answers: boolean;
  readonly info: EngineInfo | undefined;
  /** Why it doesn't answer. */
  readonly problem: { readonly code: string; readonly message: string; readonly hint: string | undefined } | undefined;
  /** The path of this machine's dockerd, where it is installed. */
  readonly dockerd: string | undefined;
  /** Of the dockerd that wrote the usual pid file. */
  readonly pid: number | undefined;
  readonly serviceManager: ServiceManager;
  readonly config: {
    readonly path: string;
    readonly present: boolean;
    readonly lists: DaemonLists;
    /** Why the file can't be read, or is no configuration. */
    readonly fault: string | undefined;
  };
}

/** Looks at the engine and at this machine's part in it. Throws only `Aborted`: everything else is in the answer. */
export async function engineStatus(runtime: EngineRuntime, signal?: AbortSignal): Promise<EngineStatus> {
  const { host } = runtime;
  const dockerd = await findDockerd(host);
  const engine = await tryEngine(runtime, signal);
  return {
    answers: engine.info !== undefined,
    ...engine,
    dockerd: await findProgram(host, 'dockerd'),
    pid: dockerd?.pid,
    serviceManager: await findServiceManager(host),
    config: await readConfig(runtime, dockerd?.configPath ?? defaultDaemonConfig),
  };
}

async function tryEngine(
  runtime: EngineRuntime,
  signal: AbortSignal | undefined,
): Promise<Pick<EngineStatus, 'info' | 'problem'>> {
  try {
    const engine = await runtime.connect(signal);
    try {
      return { info: await engine.info(), problem: undefined };
    } finally {
      engine.close();
    }
  } catch (error) {
    if (!isHyperupError(error) || error.code === 'Aborted') throw error;
    return { info: undefined, problem: { code: error.code, message: error.message, hint: error.hint } };
  }
}

async function readConfig(runtime: EngineRuntime, path: string): Promise<EngineStatus['config']> {
  try {
    const text = await readHostText(runtime.host, path);
    return { path, present: text !== undefined, lists: readDaemonLists(path, text), fault: undefined };
  } catch (error) {
    return { path, present: true, lists: {}, fault: messageOf(error) };
  }
}
