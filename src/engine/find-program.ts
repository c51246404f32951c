import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { type Host, hostPath } from '../host/host.js';

/** Where distributions put programs of the system; a user's PATH may lack the sbin folders. */
const programDirs = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The path of a program of the system's, or undefined. */
export async function findProgram(host: Pick<Host, 'root'>, name: string): Promise<string | undefined> {
  for (const dir of programDirs) {
    const path = `${dir}/${name}`;
    try {
      await access(hostPath(host, path), constants.X_OK);
      return path;
    } catch {
      // Not here, or not a program.
    }
  }
  return undefined;
}
