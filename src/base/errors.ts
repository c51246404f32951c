/** Why something failed, as a closed set: callers branch on the code, never on a message. */
export type ErrorCode =
  | 'Usage'
  | 'InvalidConfig'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'PermissionDenied'
  | 'EngineUnreachable'
  | 'EngineFailed'
  | 'ImageUnavailable'
  | 'DigestMismatch'
  | 'RegistryFailed'
  | 'BuildFailed'
  | 'PreflightFailed'
  | 'ApiFailed'
  | 'Timeout'
  | 'Unhealthy'
  | 'LeftBehind'
  | 'HostChangeFailed'
  | 'Locked'
  | 'Aborted'
  | 'Internal';

export interface ErrorOptions {
  /** What the user can do about it, as one or two sentences. */
  readonly hint?: string;
  /** Facts for `--json` and for logs; never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** Output that was captured from a component or command, printed below the message. */
  readonly output?: string;
}

/**
 * The one error class of hyperup. `message` says action, object, got and wanted; `hint` says what to do.
 * Errors from outside (Docker, the API server, a registry, the file system) are translated to it once, at the edge.
 */
export class HyperupError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly output: string | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HyperupError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
    this.output = options.output;
  }
}

/** True for a HyperupError, of that code where one is given. */
export function isHyperupError(error: unknown, code?: ErrorCode): error is HyperupError {
  return error instanceof HyperupError && (code === undefined || error.code === code);
}

/** The text of anything thrown, for use inside another message. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** The errno name (`ENOENT`) of a system error, if it is one. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Throws `Aborted` if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, action: string): void {
  if (signal?.aborted) throw new HyperupError('Aborted', `${action}: interrupted`, { cause: signal.reason });
}
