import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Engine } from '../docker/types.js';
import type { Host } from '../host/host.js';
import type { SpawnDaemon } from './spawn-daemon.js';

/** All that installing, configuring and looking at this machine's engine reaches outside with. */
export interface EngineRuntime {
  readonly host: Host;
  readonly clock: Clock;
  readonly logger: Logger;
  /** True where packages may be installed and daemons started. */
  readonly isRoot: boolean;
  /** Connects as the user's options and environment say; the caller closes the engine. */
  connect(signal: AbortSignal | undefined): Promise<Engine>;
  readonly spawnDaemon: SpawnDaemon;
  sendSignal(pid: number, signal: NodeJS.Signals): void;
}
