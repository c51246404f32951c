import type { OriginMeter } from './origin-meter.js';

/** Why a connection is wanted: a blob's only one, one more to be faster, or one in place of a silent one. */
export type ConnectionNeed = 'first' | 'more' | 'rescue';

/**
 * How many connections there are, over all blobs. A blob may always have one; more are let in by a level (connections a
 * host) that is raised while blobs want more and the last rise made the whole faster. So a link that is limited in all
 * is tried once in a while and not flooded.
 */
export interface ConnectionBudget {
  allows(meter: OriginMeter, need: ConnectionNeed): boolean;
  /** How many more would be let in at these hosts. */
  room(meters: readonly OriginMeter[]): number;
  open(meter: OriginMeter): void;
  close(meter: OriginMeter): void;
  noteBytes(bytes: number): void;
  /** To be called now and then; `wantsMore`: there is work for more connections to these hosts. */
  consider(nowMs: number, wantsMore: boolean, meters: readonly OriginMeter[]): void;
  /** Is told when there is room again, those without any connection first. Gives the way to leave. */
  onRoom(waiter: RoomWaiter): () => void;
}

export interface RoomWaiter {
  fill(): void;
  starved(): boolean;
}

export interface ConnectionLimits {
  readonly perHost: number;
  readonly total: number;
}

/** How long rates are measured before and after a rise. */
const windowMs = 400;
const settleMs = 150;
/** Of the rise in connections, this share must come back as a rise of the rate. */
const wantedGain = 0.4;
const firstHoldMs = 15_000;
const longestHoldMs = 60_000;
/** A connection that is this fast, bytes a second, is held by the machine rather than by the way. */
const fastConnection = 100e6;

export function makeConnectionBudget(limits: ConnectionLimits): ConnectionBudget {
  const waiters = new Set<RoomWaiter>();
  let total = 0;
  let level = 0;
  let windowStartMs: number | undefined;
  let windowBytes = 0;
  let nowMs = 0;
  let rate: number | undefined;
  let before: { readonly level: number; readonly rate: number; readonly total: number } | undefined;
  let holdUntilMs = 0;
  let holdMs = firstHoldMs;

  const capOf = (meter: OriginMeter) => Math.min(meter.cap, limits.perHost);
  const room = (meters: readonly OriginMeter[], atLevel: number) => {
    const free = [...new Set(meters)].map((meter) => Math.max(0, Math.min(atLevel, capOf(meter)) - meter.active));
    return Math.min(
      limits.total - total,
      free.reduce((sum, each) => sum + each, 0),
    );
  };

  function restartWindow(meters: readonly OriginMeter[]): void {
    const latencyMs = Math.max(0, ...meters.map((meter) => meter.latencyMs ?? 0));
    windowStartMs = nowMs + settleMs + 2 * Math.min(latencyMs, 2_000);
    windowBytes = 0;
    rate = undefined;
  }

  /** Whether the last rise was worth it. */
  function judge(current: number): void {
    if (before === undefined) return;
    const gain = current / Math.max(before.rate, 1);
    const grown = (total - before.total) / Math.max(before.total, 1);
    if (grown > 0 && gain < 1 + wantedGain * grown) {
      level = before.level;
      holdUntilMs = nowMs + holdMs;
      holdMs = Math.min(holdMs * 2, longestHoldMs);
    } else if (grown > 0) holdMs = firstHoldMs;
    before = undefined;
  }

  return {
    allows(meter, need) {
      if (total >= limits.total || meter.active >= capOf(meter)) return false;
      // A host that does nothing yet is worth one at once: what is measured first is then the whole of the hosts.
      return need !== 'more' || meter.active < Math.max(level, 1);
    },
    room: (meters) => room(meters, level),
    open(meter) {
      total += 1;
      meter.active += 1;
    },
    close(meter) {
      total -= 1;
      meter.active -= 1;
      const all = [...waiters];
      const starved = all.filter((waiter) => waiter.starved());
      for (const waiter of [...starved, ...all.filter((each) => !starved.includes(each))]) waiter.fill();
    },
    noteBytes(bytes) {
      windowBytes += bytes;
    },
    consider(now, wantsMore, meters) {
      nowMs = now;
      if (windowStartMs === undefined || total === 0) restartWindow(meters);
      const start = windowStartMs ?? now;
      if (now < start) {
        windowBytes = 0;
        return;
      }
      if (now - start >= windowMs) {
        rate = (windowBytes * 1000) / (now - start);
        judge(rate);
        windowStartMs = now;
        windowBytes = 0;
      }
      if (!wantsMore || rate === undefined || before !== undefined || now < holdUntilMs) return;
      if (rate / Math.max(total, 1) >= fastConnection || total >= limits.total) return;
      let next = level;
      while (next < limits.perHost && room(meters, next) <= 0) next = next === 0 ? 1 : next * 2;
      if (next === level || room(meters, next) <= 0) return;
      before = { level, rate, total };
      level = Math.min(next, limits.perHost);
      restartWindow(meters);
    },
    onRoom(waiter) {
      waiters.add(waiter);
      return () => void waiters.delete(waiter);
    },
  };
}
