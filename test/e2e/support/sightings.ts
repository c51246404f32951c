import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stateDir } from './cluster.js';
import { outputOf } from './program.js';

/** Something that shows on the machine or does not yet. It is asked over and over. */
export type Sighting = () => Promise<boolean>;

/** The installer's journal has that text in it. */
export function journalSays(text: string): Sighting {
  return async () => {
    const journal = await readFile(join(stateDir, 'journal.jsonl'), 'utf8').catch(() => '');
    return journal.includes(text);
  };
}

async function anyContainer(filter: string): Promise<boolean> {
  return (await outputOf('docker', ['ps', '--all', '--quiet', '--filter', filter])) !== '';
}

/** The engine has a container that `docker ps --filter` finds, running or not. */
export function containerIsThere(filter: string): Sighting {
  return () => anyContainer(filter);
}

/** It has none any more. */
export function containerIsGone(filter: string): Sighting {
  return async () => !(await anyContainer(filter));
}
