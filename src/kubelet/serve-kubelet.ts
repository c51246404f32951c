import type { Clock } from '../base/clock.js';
import { readTextIfPresent } from '../base/files.js';
import type { Logger } from '../base/logger.js';
import type { MetricsRegistry } from '../base/metrics-registry.js';
import type { KubeClient } from '../kube/kube-client-types.js';
import { keepSignedIdentity, readServingIdentity } from './certificates/serving-certificate.js';
import type { KubeletOptions } from './config/kubelet-options.js';
import { podUidOf } from './pod/pod-names.js';
import { createKubeletServer, type KubeletServer } from './server/kubelet-server.js';
import { createPortDialer } from './server/port-dialer.js';
import { createServerHost, type ServerHostOptions } from './server/server-host.js';
import type { HealthChecks, ServerEngine } from './server/server-types.js';
import { makeSubjectAuthorizer, makeTokenAuthenticator } from './server/webhook-auth.js';

/** The parts of a kubelet that its API shows. */
export interface ServedParts extends Pick<ServerHostOptions, 'manager' | 'statuses' | 'pleg' | 'facts'> {
  readonly options: KubeletOptions;
  readonly engine: ServerEngine;
  /** Where the engine keeps images, as seen from here. */
  readonly imageDir: string;
  readonly client: Pick<KubeClient, 'create' | 'get'>;
  readonly metrics: MetricsRegistry;
  readonly checks: HealthChecks;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Serves the kubelet's API once there is a certificate to serve it with. Gives the server and, where the cluster signs its
 * certificate, what keeps that up to date until the signal fires. Throws `Conflict` where the port is taken.
 */
export async function serveKubelet(
  parts: ServedParts,
): Promise<{ readonly server: KubeletServer; readonly renewal: Promise<void> }> {
  const { options, client, clock, logger, signal, random, pleg } = parts;
  const { identity, server: settings } = options;
  const certificate = {
    ...settings,
    certDir: options.certDir,
    nodeName: identity.nodeName,
    nodeIps: identity.nodeIps,
    clock,
    logger,
    signal,
  };
  const serving = await readServingIdentity(certificate);
  const { clientCaFile } = settings;
  const server = createKubeletServer({
    ...settings,
    certificate: serving.certPem,
    key: serving.keyPem,
    auth: {
      clientCa: clientCaFile === undefined ? undefined : await readTextIfPresent(clientCaFile),
      anonymous: settings.anonymous,
      authenticateToken: settings.tokenReview ? makeTokenAuthenticator(client) : undefined,
      authorize: settings.authorization === 'AlwaysAllow' ? 'AlwaysAllow' : makeSubjectAuthorizer(client),
    },
    host: createServerHost({ ...parts, rootDir: identity.rootDir, configz: options.configuration }),
    engine: parts.engine,
    clock,
    logger,
    nodeName: identity.nodeName,
    dialPod: createPortDialer({
      sandbox: async (pod) => {
        const newest = (await pleg.refresh(podUidOf(pod))).sandboxes[0];
        return newest?.state === 'ready' ? newest : undefined;
      },
      nodeIps: identity.nodeIps,
    }),
    metrics: parts.metrics,
    checks: parts.checks,
    hostRoot: identity.hostRoot,
    streamingIdleTimeoutMs: settings.streamIdleMs,
    enableDebuggingHandlers: settings.debuggingHandlers,
  });
  await server.start();
  logger.info('Serving', { address: settings.address, port: settings.port });
  const onIdentity = ({ certPem, keyPem }: typeof serving) => server.updateCertificate(certPem, keyPem);
  const renewal = options.serverTlsBootstrap
    ? keepSignedIdentity({ ...certificate, client, random, onIdentity })
    : Promise.resolve();
  return { server, renewal };
}
