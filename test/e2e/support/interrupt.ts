import { setTimeout as sleep } from 'node:timers/promises';
import { startCli } from './cli.js';
import { offline } from './cluster.js';
import { describeFailure, type ProgramOptions, type ProgramResult } from './program.js';
import type { Sighting } from './sightings.js';

/**
 * A moment of a run: a step of it begins or is done, and then something shows on the machine. Never so many
 * milliseconds later: what is seconds here is over in one elsewhere.
 */
export interface Moment {
  readonly step: string;
  readonly state: 'started' | 'done';
  readonly until?: Sighting;
}

/** How a run ends that its signal reached in time. */
const endings: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 130, SIGTERM: 130, SIGKILL: 137 };

/** Between two looks at the machine. */
const lookMs = 5;

/** True for the line of `--json` that tells of the moment. */
function tellsOf(moment: Moment, line: string): boolean {
  const event = JSON.parse(line) as Record<string, unknown>;
  return event['type'] === 'step' && event['step'] === moment.step && event['state'] === moment.state;
}

/** Runs a verb with `--json` and sends it a signal at a moment. Throws where it ended before, or otherwise than by it. */
export async function interruptedAt(
  moment: Moment,
  signal: NodeJS.Signals,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  let [isSent, isOver] = [false, false];
  let striking: Promise<void> | undefined;
  const strike = async () => {
    while (moment.until !== undefined && !(await moment.until())) {
      if (isOver) return;
      await sleep(lookMs);
    }
    if (isOver) return;
    isSent = true;
    running.kill(signal);
  };
  const running = startCli([...args, '--json'], {
    timeoutMs: 240_000,
    ...options,
    onLine: (line, stream) => {
      if (striking !== undefined || stream !== 'stdout' || !tellsOf(moment, line)) return;
      striking = strike();
      // It is awaited once the program is over.
      striking.catch(() => {});
    },
  });
  const result = await running.result;
  isOver = true;
  await striking;
  if (!isSent) throw new Error(`ended before ${moment.step} ${moment.state}: ${describeFailure(result)}`);
  if (result.exitCode !== endings[signal]) throw new Error(`${signal} came too late: ${describeFailure(result)}`);
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
