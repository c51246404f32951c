import type { Test } from 'tap';
import { createRegistryClients, type RegistryClientsTuning } from '../../../src/registry/clients.js';
import type { RegistryClients, RegistryClientsOptions } from '../../../src/registry/types.js';
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from '../../fakes/fake-registry.js';

export const noProxies = { httpProxy: '', httpsProxy: '', noProxy: '' };

export type ClientsOptions = Partial<RegistryClientsOptions & RegistryClientsTuning>;

/** Clients that fail at the first fault, with short limits, closed at the test's end. */
export function makeClients(t: Test, options: ClientsOptions = {}): RegistryClients {
  const clients = createRegistryClients({
    proxies: noProxies,
    extraCas: [],
    isInsecure: () => false,
    credentials: { find: async () => undefined },
    connectTimeoutMs: 5000,
    silenceMs: 5000,
    retries: 0,
    caFiles: [],
    certificateFolder: '/nonexistent',
    ...options,
  });
  t.teardown(() => clients.close());
  return clients;
}

/** A fake registry that is closed at the test's end. */
export async function startRegistryFor(t: Test, options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const registry = await startFakeRegistry(options);
  t.teardown(() => registry.close());
  return registry;
}

/** What a rejection is, for `t.match`. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error;
  }
}
