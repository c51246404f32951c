import type { Upstream } from './forward/types.js';

/** An address and a port to serve on. */
export type ListenAddress = Upstream;

/** What `hyperup dns` is told, checked. */
export interface DnsOptions {
  /** The service account of the pod where undefined. */
  readonly kubeconfig: string | undefined;
  /** `cluster.local`; lower case, no dot at its end. */
  readonly clusterDomain: string;
  readonly listen: readonly ListenAddress[];
  /** Where none is given the resolver files say. */
  readonly upstreams: readonly Upstream[];
  /** Read in their order; the first that names a usable resolver counts. */
  readonly resolvConf: readonly string[];
  /** The Service in front of this server. */
  readonly nsService: { readonly namespace: string; readonly name: string };
  /** Of health, readiness and metrics. */
  readonly httpAddress: string;
  /** 0 for none; so the next two. */
  readonly healthPort: number;
  readonly readyPort: number;
  readonly metricsPort: number;
  /** Answers of resolvers that are kept; 0 keeps none. */
  readonly cacheSize: number;
  /** How long after its time an answer still serves where resolvers fail. */
  readonly serveStaleSeconds: number;
  /** How long it serves on, unready, when it is to stop: its Service needs that to send clients elsewhere. */
  readonly lameduckMs: number;
}
