/** Everything that a verb reports while it runs; `--json` prints one a line. Sizes in bytes, times in milliseconds. */
export type ProgressEvent =
  | {
      readonly type: 'step';
      readonly step: string;
      readonly title: string;
      readonly state: 'started' | 'done' | 'skipped' | 'failed' | 'undone';
      readonly detail?: string;
      readonly elapsedMs?: number;
    }
  | {
      readonly type: 'transfer';
      readonly image: string;
      readonly source: string;
      readonly currentBytes: number;
      readonly totalBytes: number;
      /** Over the last seconds; absent where nobody measures it. */
      readonly bytesPerSecond?: number | undefined;
      readonly leftMs?: number | undefined;
    }
  | { readonly type: 'output'; readonly step: string; readonly line: string }
  | { readonly type: 'wait'; readonly step: string; readonly reason: string }
  | { readonly type: 'note'; readonly level: 'info' | 'warn'; readonly message: string; readonly hint?: string };

export type EmitProgress = (event: ProgressEvent) => void;

/** For callers that don't watch. */
export const ignoreProgress: EmitProgress = () => {};
