import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';

/** The first executable of that name on a PATH; undefined where there is none. */
export async function findProgram(name: string, path: string | undefined): Promise<string | undefined> {
  for (const folder of (path ?? '').split(':').filter((entry) => entry.startsWith('/'))) {
    const candidate = join(folder, name);
    const found = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  return undefined;
}
