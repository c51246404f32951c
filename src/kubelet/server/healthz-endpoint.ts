import { messageOf } from '../../base/errors.js';
import { HttpFault } from './http-fault.js';
import { type Endpoint, sendText } from './request-context.js';
import type { HealthChecks } from './server-types.js';

/** A check that takes longer has failed. */
const checkMs = 10_000;

/** /healthz runs all checks, /healthz/<name> one. Source: apiserver's server/healthz, v1.20. */
export function makeHealthzEndpoint(checks: HealthChecks): Endpoint {
  const all: HealthChecks = { ping: () => undefined, log: () => undefined, ...checks };
  return async ({ segments, query, response }) => {
    const name = segments[1];
    if (name !== undefined && !Object.hasOwn(all, name)) throw new HttpFault(404, '404 page not found');
    const chosen = Object.entries(all).filter(([key]) => name === undefined || key === name);
    const results = await Promise.all(chosen.map(async ([key, check]) => ({ key, problem: await run(check) })));
    const failed = results.some(({ problem }) => problem !== undefined);
    const lines = results.map(({ key, problem }) =>
      problem === undefined ? `[+]${key} ok` : `[-]${key} failed: ${problem}`,
    );
    if (failed) throw new HttpFault(500, `${lines.join('\n')}\nhealthz check failed\n`);
    sendText(response, 200, query.has('verbose') ? `${lines.join('\n')}\nhealthz check passed\n` : 'ok');
  };
}

async function run(check: HealthChecks[string]): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('it took too long'), checkMs);
  });
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}
