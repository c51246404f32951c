import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { EmitProgress } from '../base/progress.js';
import type { ImageEngine } from '../docker/types.js';
import type { RegistryClients } from '../registry/types.js';
import type { EngineNetwork } from './engine-view.js';
import type { ImageBuilder } from './image-builder.js';
import type { ImageTransport } from './image-transport.js';
import type { RegistryProbe } from './registry-probe.js';

/** A tag that is about to be put on an image; what a journal needs to take it back. */
export interface TagChange {
  readonly reference: string;
  /** The image that had the tag before. */
  readonly previousId: string | undefined;
  /** The mirror's name for it, where this run pulled it and will remove that name again. */
  readonly pulledAs: string | undefined;
}

/** What all images of one run share. */
export interface ObtainRun {
  readonly engine: ImageEngine;
  readonly network: EngineNetwork | undefined;
  /** In an image's terms; undefined: not checked. */
  readonly architecture: string | undefined;
  readonly clients: Pick<RegistryClients, 'clientFor'>;
  readonly probe: RegistryProbe;
  readonly transport: ImageTransport;
  readonly builder: ImageBuilder | undefined;
  readonly stallMs: number;
  readonly emit: EmitProgress;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly onTag: (change: TagChange) => Promise<void>;
  /** Registries found dead, with the reason; grows while the run goes on. */
  readonly dead: Map<string, string>;
}
