import type { Caller } from './caller.js';
import { readDocument } from './manifests.js';
import { failureKindOf, registryError } from './registry-error.js';
import type { RequestOptions } from './types.js';

/** See `RegistryClient.ping`. A registry that wants a login for anything at all is one. */
export async function ping(caller: Caller, { signal }: RequestOptions = {}): Promise<void> {
  const action = `ping ${caller.host}`;
  const answer = await caller
    .call({ method: 'GET', target: '/v2/', action, scopes: [], accept: [200, 401], withoutLogin: true, signal })
    .catch((error: unknown) => {
      if (failureKindOf(error) !== 'notFound') throw error;
      throw registryError('notRegistry', `${action}: it has no registry API: HTTP 404`, {
        host: caller.host,
        status: 404,
        cause: error,
      });
    });
  await readDocument(caller, answer, action);
}
