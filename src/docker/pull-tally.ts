import type { ProgressMessage } from './json-stream.js';
import type { PullProgress } from './types.js';

interface Layer {
  current: number;
  total: number;
}

/** Adds up what the engine says of each layer. */
export interface PullTally {
  /** The sum after this message, or undefined where the message changes nothing that is worth showing. */
  add(message: ProgressMessage): PullProgress | undefined;
  /** True once the engine said its closing word (`Status: …`); a pull that ends without it was cut off. */
  readonly complete: boolean;
}

/**
 * Bytes as downloaded (compressed). The total grows while the engine learns of layers; layers that were there already
 * count for nothing; neither sum ever goes down, though Docker starts a layer again after a failed attempt.
 */
export function makePullTally(): PullTally {
  const layers = new Map<string, Layer>();
  let complete = false;
  let highest = 0;
  return {
    get complete() {
      return complete;
    },
    add(message) {
      const { id, status = '', progressDetail } = message;
      if (id === undefined) {
        if (!status.startsWith('Status: ')) return undefined;
        complete = true;
        return sum(status.slice('Status: '.length));
      }
      const layer = layers.get(id);
      if (status === 'Downloading' && progressDetail?.current !== undefined) {
        const total = Math.max(progressDetail.total ?? 0, layer?.total ?? 0, progressDetail.current);
        layers.set(id, { current: Math.max(progressDetail.current, layer?.current ?? 0), total });
        return sum('Downloading');
      }
      if (layer && ['Verifying Checksum', 'Download complete', 'Pull complete', 'Extracting'].includes(status)) {
        layer.current = layer.total;
        return sum(status === 'Extracting' ? 'Extracting' : 'Downloading');
      }
      return status.startsWith('Retrying') ? sum(status) : undefined;
    },
  };

  function sum(status: string): PullProgress {
    let currentBytes = 0;
    let totalBytes = 0;
    for (const layer of layers.values()) {
      currentBytes += layer.current;
      totalBytes += layer.total;
    }
    highest = Math.max(highest, currentBytes);
    return { currentBytes: highest, totalBytes: Math.max(totalBytes, highest), status };
  }
}
