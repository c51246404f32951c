import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { fileError } from '../base/files.js';

export interface Daemon {
  readonly pid: number | undefined;
  /** Resolves with what ended it: `exit code 1`, `signal SIGKILL`, or why it never began. Stays pending while it runs. */
  readonly ended: Promise<string>;
}

/** Starts a program that outlives this process. */
export type SpawnDaemon = (file: string, args: readonly string[], logPath: string) => Promise<Daemon>;

/** What a daemon gets for an environment: hyperup's own may hold secrets and says nothing about the machine. */
const daemonEnv = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' };

/**
 * Detached as setsid does it, with no terminal, its output appended to the log. It doesn't keep this
 * process from ending. execa can't be used: it ends its children with their parent, or ties their output to it.
 */
export const spawnDaemon: SpawnDaemon = async (file, args, logPath) => {
  const log = await open(logPath, 'a', 0o640).catch((error: unknown) => {
    throw fileError('open', logPath, error);
  });
  try {
    const child = spawn(file, args, { detached: true, stdio: ['ignore', log.fd, log.fd], env: daemonEnv, cwd: '/' });
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code ?? 'unknown'}`));
    });
    child.unref();
    return { pid: child.pid, ended };
  } finally {
    await log.close();
  }
};
