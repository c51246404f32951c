import type { FailureKind } from '../../registry/types.js';

/** What keeps a mirror from serving; beyond the client's kinds: */
export type MirrorFaultKind =
  | FailureKind
  /** The name leads to an address that a filter made up. */
  | 'dnsPoisoned'
  /** Manifests come, and blobs are on another host that doesn't serve them. */
  | 'redirect'
  /** Nothing for this engine's architecture. */
  | 'platform';

export interface MirrorFault {
  readonly kind: MirrorFaultKind;
  readonly reason: string;
}

/** One image at one mirror. */
export interface MirrorImage {
  readonly name: string;
  readonly reference: string;
  readonly has: boolean;
  /** Where it has it, or why not. */
  readonly detail: string;
}

/** What a test of one mirror showed. */
export interface MirrorReport {
  /** As the user named it, or the preset does. */
  readonly mirror: string;
  /** What to write after `--mirror` for exactly this one. */
  readonly word: string;
  readonly hosts: readonly string[];
  /** A registry answered under at least one of the hosts. */
  readonly reachable: boolean;
  /** Of one small question over a connection that stands, milliseconds. */
  readonly latencyMs: number | undefined;
  /** Of a real blob; undefined where none came. */
  readonly bytesPerSecond: number | undefined;
  readonly images: readonly MirrorImage[];
  /** The worst of what is wrong; undefined: nothing. An image that it merely lacks is no fault while it has others. */
  readonly fault: MirrorFault | undefined;
}

export interface MirrorSurvey {
  /** The best first. */
  readonly mirrors: readonly MirrorReport[];
  /** Those that copy none of the registries that the images are from, and weren't asked. */
  readonly notAsked: readonly string[];
  /** Values for `--mirror` that serve as many of the images as there are to be had, the best first. */
  readonly suggestion: readonly string[];
  /** Images that no mirror of the suggestion has. */
  readonly uncovered: readonly string[];
}
