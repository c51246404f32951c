import type { Clock } from '../../../src/base/clock.js';
import { findEngineProcess, readCpuSeconds, readResidentMegabytes } from './process-usage.js';

/** The process that a kubelet is. */
export interface Watched {
  cpuSeconds(): Promise<number>;
  residentMegabytes(): Promise<number>;
  /** Throws where it is another process by now: its figures would be of a part of the run only. */
  check(): Promise<void>;
}

/** Takes the process as it is now; `pidOf` gives it anew for each check. */
export async function watchProcess(pidOf: () => Promise<number>): Promise<Watched> {
  const pid = await pidOf();
  return {
    cpuSeconds: () => readCpuSeconds(pid),
    residentMegabytes: () => readResidentMegabytes(pid),
    async check() {
      const now = await pidOf();
      if (now !== pid) throw new Error(`the kubelet was started again meanwhile: process ${now}, was ${pid}`);
    },
  };
}

/** Before anything is taken for idle. */
export const restMs = 30_000;
const windowMs = 60_000;

export interface IdleUsage {
  /** Of one core. */
  readonly kubeletPercent: number;
  /** The engine daemon's, of one core: a kubelet may have others work for it. Undefined where it can't be seen. */
  readonly enginePercent: number | undefined;
  readonly kubeletMegabytes: number;
}

/** What a kubelet uses while nothing changes: over a minute, after half a minute of rest. */
export async function measureIdle(kubelet: Watched, clock: Clock): Promise<IdleUsage> {
  await clock.sleep(restMs);
  const engine = await findEngineProcess();
  const read = async () => ({
    atMs: clock.monotonicMs(),
    kubelet: await kubelet.cpuSeconds(),
    engine: engine === undefined ? undefined : await readCpuSeconds(engine),
  });
  const before = await read();
  await clock.sleep(windowMs);
  const after = await read();
  const percent = (from: number, to: number) => ((to - from) * 100_000) / (after.atMs - before.atMs);
  await kubelet.check();
  return {
    kubeletPercent: percent(before.kubelet, after.kubelet),
    enginePercent:
      before.engine === undefined || after.engine === undefined ? undefined : percent(before.engine, after.engine),
    kubeletMegabytes: await kubelet.residentMegabytes(),
  };
}
