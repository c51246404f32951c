/** What is done to one request. Fractions are of the bytes that the answer should have. */
export type Fault =
  | { readonly kind: 'none' }
  /** The connection is reset before an answer. */
  | { readonly kind: 'refuse' }
  /** Never an answer. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'tooMany'; readonly retryAfterSeconds: number }
  | { readonly kind: 'serverError' }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'flip'; readonly at: number }
  | { readonly kind: 'loginPage' }
  /** Redirects to a host that refuses. */
  | { readonly kind: 'deadRedirect' }
  /** 401 from then on, until a new token is asked for. */
  | { readonly kind: 'expire' }
  /** One byte a second from there on. */
  | { readonly kind: 'trickle'; readonly at: number }
  /** Nothing from there on, the connection open. */
  | { readonly kind: 'stall'; readonly at: number };

export type FaultKind = Fault['kind'];

export const faultKinds: readonly FaultKind[] = [
  'refuse',
  'hang',
  'tooMany',
  'serverError',
  'cut',
  'flip',
  'loginPage',
  'deadRedirect',
  'expire',
  'trickle',
  'stall',
];

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function makeFault(kind: FaultKind, random: () => number): Fault {
  switch (kind) {
    case 'cut':
    case 'flip':
    case 'trickle':
    case 'stall':
      return { kind, at: random() };
    case 'tooMany':
      return { kind, retryAfterSeconds: Math.floor(random() * 2) };
    default:
      return { kind };
  }
}

/**
 * A fault, or none, for each request in turn. `share` of them are faults; some schedules are bad throughout, for a mirror
 * that is dead or lies to all is what people have. After the list's end there are no more faults, but in those.
 */
export function randomSchedule(random: () => number, length: number): (request: number) => Fault {
  const share = random() ** 2;
  const only = random() < 0.25 ? pick(faultKinds, random) : undefined;
  const always = only !== undefined && random() < 0.6;
  const faults = Array.from({ length }, (): Fault => {
    if (!always && random() >= share) return { kind: 'none' };
    return makeFault(only ?? pick(faultKinds, random), random);
  });
  return (request) => (always ? faults[request % length] : faults[request]) ?? { kind: 'none' };
}

function pick<T>(list: readonly T[], random: () => number): T {
  const picked = list[Math.floor(random() * list.length)];
  if (picked === undefined) throw new Error('an empty list');
  return picked;
}
