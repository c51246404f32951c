import { isHyperupError } from '../base/errors.js';
import type { InstallOptions } from '../config/types.js';
import { connectEngine } from '../docker/connect.js';
import type { Engine } from '../docker/types.js';
import { createBlobFetcher } from '../mirror/fetch/blob-fetcher.js';
import type { RegistryClients } from '../registry/types.js';
import type { CollectTools } from './bundle-collect.js';
import { openRegistries } from './open-registries.js';
import type { Runtime } from './runtime.js';

/**
 * Calls `work` with the engine, where one answers, and with registries; both are closed afterwards. Without an engine
 * everything has to come from mirrors, which is said. `reach` is called while the engine is asked.
 */
export async function withCollectTools<T>(
  options: Pick<InstallOptions, 'engineHost' | 'images'>,
  insecureRegistries: readonly string[],
  choice: Pick<CollectTools, 'platform' | 'lock'>,
  runtime: Runtime,
  work: (tools: CollectTools) => Promise<T>,
  reach: (clients: RegistryClients) => void = () => {},
): Promise<T> {
  const connecting = connectIfThere(options.engineHost, runtime);
  const { stallMs } = options.images;
  // It takes an engine 30 ms to say so, and a registry on this machine is trusted in any case.
  const moreInsecure = async () => (await (await connecting)?.info())?.insecureRegistries ?? [];
  const clients = openRegistries({ stallMs, insecureRegistries, moreInsecure }, runtime);
  let engine: Engine | undefined;
  try {
    reach(clients);
    engine = await connecting;
    // What is staged goes on into a bundle or a registry, which flush what is theirs.
    const fetcher = createBlobFetcher({ clock: runtime.clock, logger: runtime.logger, sync: false });
    return await work({ ...choice, engine, clients, fetcher });
  } finally {
    await clients.close();
    engine?.close();
  }
}

async function connectIfThere(host: string | undefined, { env, signal, emit }: Runtime): Promise<Engine | undefined> {
  try {
    return await connectEngine({ host, env, signal });
  } catch (error) {
    if (!isHyperupError(error, 'EngineUnreachable')) throw error;
    emit({
      type: 'note',
      level: 'warn',
      message: `no engine answers, so all images come from mirrors: ${error.message}`,
    });
    return undefined;
  }
}
