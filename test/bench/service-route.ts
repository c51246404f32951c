import { outputOf } from '../e2e/support/program.js';

/** A Service address that nothing serves must end on this machine; the route is taken back if it was made here. */
export async function withServiceRoute<T>(serviceCidr: string, work: () => Promise<T>): Promise<T> {
  const route = ['local', serviceCidr, 'dev', 'lo'];
  const found = await outputOf('ip', ['route', 'show', 'table', 'local', 'exact', serviceCidr]);
  if (found.trim() !== '') return work();
  await outputOf('ip', ['route', 'add', ...route]);
  try {
    return await work();
  } finally {
    await outputOf('ip', ['route', 'delete', ...route]);
  }
}
