/** What is known of one host, over all blobs. Times in milliseconds, rates in bytes a second. */
export interface OriginMeter {
  readonly host: string;
  /** Connections that are open to it now. */
  active: number;
  /** No more than so many at once; falls where the host says that it is asked too much. */
  cap: number;
  /** Of one connection; undefined until it has served enough to tell. */
  readonly rate: number | undefined;
  /** From the request to the first byte. */
  readonly latencyMs: number | undefined;
  /** It took part in a blob that came out wrong: asked when nothing else is left. */
  suspect: boolean;
  /** Failures since it last sent a byte. */
  readonly fruitless: number;
  noteLatency(ms: number): void;
  /** `bytes` over `ms` by `connections` that were all being read. */
  noteBytes(bytes: number, ms: number, connections: number): void;
  noteSuccess(): void;
  /** `retryAfterMs`: how long it asked to be left alone. */
  noteFailure(nowMs: number, retryAfterMs?: number | undefined): void;
  /** When it should be asked again after its last failure; `alone`: nothing else can serve. */
  retryAtMs(alone: boolean): number;
  /** How long one more connection would take for so many bytes; 0 where nothing is known. */
  expectedMs(bytes: number): number;
}

const firstBackoffMs = 500;
const longestBackoffMs = 60_000;
const longestBackoffAloneMs = 4_000;
/** How fast the rate follows what is measured. */
const rateMemoryMs = 2_000;

export function makeOriginMeter(host: string, cap: number, random: () => number): OriginMeter {
  let rate: number | undefined;
  let latencyMs: number | undefined;
  let failures = 0;
  let fruitless = 0;
  let failedAtMs = 0;
  let askedMs = 0;
  let jitter = 1;
  const meter: OriginMeter = {
    host,
    active: 0,
    cap,
    suspect: false,
    get fruitless() {
      return fruitless;
    },
    get rate() {
      return rate;
    },
    get latencyMs() {
      return latencyMs;
    },
    noteLatency(ms) {
      fruitless = 0;
      latencyMs = latencyMs === undefined ? ms : latencyMs * 0.7 + ms * 0.3;
    },
    noteBytes(bytes, ms, connections) {
      if (ms <= 0 || connections <= 0) return;
      const measured = (bytes * 1000) / ms / connections;
      const weight = rate === undefined ? 1 : 1 - Math.exp((-ms * connections) / rateMemoryMs);
      rate = (rate ?? 0) * (1 - weight) + measured * weight;
    },
    noteSuccess() {
      failures = 0;
    },
    noteFailure(nowMs, retryAfterMs = 0) {
      failures += 1;
      fruitless += 1;
      failedAtMs = nowMs;
      askedMs = Math.min(retryAfterMs, longestBackoffMs);
      jitter = 0.75 + random() / 2;
    },
    retryAtMs(alone) {
      if (failures === 0) return 0;
      const longest = alone ? longestBackoffAloneMs : longestBackoffMs;
      return failedAtMs + Math.max(askedMs, Math.min(firstBackoffMs * 2 ** (failures - 1), longest) * jitter);
    },
    expectedMs(bytes) {
      if (rate === undefined) return latencyMs ?? 0;
      // Were the host limited in all, one more would get only its share; were it not, this favours the less used.
      const share = rate * (meter.active === 0 ? 1 : meter.active / (meter.active + 1));
      return (latencyMs ?? 0) + (bytes * 1000) / Math.max(share, 1);
    },
  };
  return meter;
}
