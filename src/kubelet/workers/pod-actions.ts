import type { V1Container } from '../../kube/pod-objects.js';
import type { ContainerKind, RuntimeContainer, RuntimeSandbox } from '../types.js';

/** One container to be made and started. */
export interface ContainerStart {
  readonly container: V1Container;
  readonly kind: ContainerKind;
  readonly attempt: number;
  /** The newest instance that has ended: what the back-off counts from. */
  readonly lastExit: RuntimeContainer | undefined;
}

/** A container that is to be started again, but not yet. */
export interface ContainerBackingOff {
  readonly container: V1Container;
  readonly kind: ContainerKind;
  /** The whole wait. */
  readonly delayMs: number;
  readonly untilMs: number;
  readonly lastExit: RuntimeContainer;
}

export type KillReason = 'definitionChanged' | 'livenessProbe' | 'startupProbe' | 'unknownState';

/** One running instance to be stopped. */
export interface ContainerKill {
  readonly instance: RuntimeContainer;
  readonly container: V1Container;
  readonly kind: ContainerKind;
  readonly reason: KillReason;
  /** For the event. */
  readonly message: string;
}

/** All that one sync does with the engine, in the order of its fields. */
export interface PodActions {
  /** Stop all running containers and sandboxes. With `newSandbox` the pod starts anew, else it has come to its end. */
  readonly killPod: boolean;
  readonly kill: readonly ContainerKill[];
  /** To be removed before anything starts: init containers of an earlier sandbox, and what was made and never started. */
  readonly purge: readonly RuntimeContainer[];
  /** `replaces`: there was one before. */
  readonly newSandbox: { readonly attempt: number; readonly replaces: boolean } | undefined;
  /** The one that is kept; undefined where there is none or it is to be replaced. */
  readonly sandbox: RuntimeSandbox | undefined;
  /** One after the other: ephemeral, init and sidecar, app. */
  readonly start: readonly ContainerStart[];
  readonly backingOff: readonly ContainerBackingOff[];
  /** When the first back-off ends. */
  readonly nextWakeMs: number | undefined;
}
