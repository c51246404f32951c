import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { EngineEnvironment } from '../docker/endpoint.js';

/** The world outside, as a kubelet sees it. */
export interface KubeletDependencies {
  readonly env: EngineEnvironment;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the kubelet; its pods run on. */
  readonly signal: AbortSignal;
}
