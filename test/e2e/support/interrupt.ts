import { startCli } from './cli.js';
import { offline } from './cluster.js';
import type { ProgramOptions, ProgramResult } from './program.js';

/** A moment of a run: a step of it begins or is done, and then that many milliseconds pass. */
export interface Moment {
  readonly step: string;
  readonly state: 'started' | 'done';
  readonly afterMs?: number;
}

/** True for the line of `--json` that tells of the moment. */
function tellsOf(moment: Moment, line: string): boolean {
  const event = JSON.parse(line) as Record<string, unknown>;
  return event['type'] === 'step' && event['step'] === moment.step && event['state'] === moment.state;
}

/** Runs a verb with `--json` and sends it a signal at a moment. Throws where it ended before. */
export async function interruptedAt(
  moment: Moment,
  signal: NodeJS.Signals,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  let isSent = false;
  const running = startCli([...args, '--json'], {
    timeoutMs: 240_000,
    ...options,
    onLine: (line, stream) => {
      if (isSent || stream !== 'stdout' || !tellsOf(moment, line)) return;
      isSent = true;
      if (moment.afterMs === undefined) running.kill(signal);
      else setTimeout(() => running.kill(signal), moment.afterMs);
    },
  });
  const result = await running.result;
  if (!isSent) throw new Error(`ended before ${moment.step} ${moment.state}: ${result.stdout}${result.stderr}`);
  return result;
}

/** The same for an install from what the engine has. */
export async function interruptedInstall(
  moment: Moment,
  signal: NodeJS.Signals,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  return await interruptedAt(moment, signal, ['install', ...offline, ...args], options);
}
