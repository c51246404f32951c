import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HyperupError } from './errors.js';

interface PackageFacts {
  /** Where `images/` and `manifests/` lie. */
  readonly root: string;
  readonly version: string;
}

/**
 * Finds the package that this code runs from, compiled or bundled: the nearest package.json that is hyperup's. `from`: a
 * path, or a URL as modules have it.
 */
export function packageFacts(from: string = import.meta.url): PackageFacts {
  let folder = dirname(from.startsWith('file:') ? fileURLToPath(from) : from);
  for (;;) {
    try {
      const parsed: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (typeof parsed === 'object' && parsed !== null && 'name' in parsed && parsed.name === 'hyperup') {
        const version = 'version' in parsed && typeof parsed.version === 'string' ? parsed.version : '0.0.0';
        return { root: folder, version };
      }
    } catch {
      // not this folder
    }
    const parent = dirname(folder);
    if (parent === folder)
      throw new HyperupError('Internal', 'find the hyperup package: no package.json above the code');
    folder = parent;
  }
}
