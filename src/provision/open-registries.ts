import { homedir } from 'node:os';
import { join } from 'node:path';
import { environmentValue } from '../config/environment.js';
import { readProxySettings } from '../config/proxy-settings.js';
import { isInsecure } from '../mirror/engine-view.js';
import { createRegistryClients } from '../registry/clients.js';
import type { CredentialStore, RegistryClients } from '../registry/types.js';
import type { Runtime } from './runtime.js';

export interface RegistrySettings {
  /** How long a registry may be silent, milliseconds. */
  readonly stallMs: number;
  /** Hosts (with their ports or for all of them) and ranges that may speak plain HTTP or show any certificate. */
  readonly insecureRegistries: readonly string[];
  /** More of them, asked for with the first host that isn't this machine. */
  readonly moreInsecure?: (() => Promise<readonly string[]>) | undefined;
  /** Tries after the first, and the longest `Retry-After` that is waited out, milliseconds; the clients' own where absent. */
  readonly retries?: number | undefined;
  readonly maxWaitMs?: number | undefined;
}

const connectTimeoutMs = 10_000;

/** Clients as this machine's environment has it: proxies, Docker's credentials. The caller closes them. */
export function openRegistries(
  { stallMs, insecureRegistries, moreInsecure, retries, maxWaitMs }: RegistrySettings,
  { env, clock }: Pick<Runtime, 'env' | 'clock'>,
): RegistryClients {
  let more: Promise<readonly string[]> | undefined;
  return createRegistryClients({
    proxies: readProxySettings(env),
    extraCas: [],
    isInsecure: async (host) => {
      if (isInsecure({ insecureRegistries }, host)) return true;
      more ??= moreInsecure?.();
      return isInsecure({ insecureRegistries: (await more) ?? [] }, host);
    },
    credentials: dockerCredentials(env),
    connectTimeoutMs,
    silenceMs: stallMs,
    clock,
    retries,
    maxWaitMs,
  });
}

/** Docker's own; what reads them is loaded when a registry first asks who this is. */
function dockerCredentials(env: Runtime['env']): CredentialStore {
  const dir = environmentValue(env, 'DOCKER_CONFIG') ?? join(homedir(), '.docker');
  let store: Promise<CredentialStore> | undefined;
  const load = async () => {
    const [{ createDockerCredentials }, { runCommand }] = await Promise.all([
      import('../registry/docker-credentials.js'),
      import('../host/run-command.js'),
    ]);
    return createDockerCredentials({ dir, run: runCommand });
  };
  return {
    async find(host) {
      store ??= load();
      return await (await store).find(host);
    },
  };
}
