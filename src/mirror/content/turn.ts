/** One holder at a time, first come, first served. */
export interface Turn {
  /** The way to give it back, or undefined where it is taken. */
  tryTake(): (() => void) | undefined;
  take(): Promise<() => void>;
}

export function makeTurn(): Turn {
  const waiting: (() => void)[] = [];
  let taken = false;
  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else taken = false;
  };
  const tryTake = () => {
    if (taken) return undefined;
    taken = true;
    return release;
  };
  return {
    tryTake,
    take: async () => {
      const mine = tryTake();
      if (mine) return mine;
      await new Promise<void>((resolve) => waiting.push(resolve));
      return release;
    },
  };
}
