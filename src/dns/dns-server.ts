import { isIPv6 } from 'node:net';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { createMetricsRegistry } from '../base/metrics-registry.js';
import type { Environment } from '../config/environment.js';
import { createKubeClient } from '../kube/kube-client.js';
import { readApiAccess } from './cluster/api-access.js';
import { watchCluster } from './cluster/watch-cluster.js';
import { createAnswerCache } from './forward/answer-cache.js';
import { createLoopFinder } from './forward/find-loops.js';
import { createForwardMetrics } from './forward/forward-metrics.js';
import { createForwarder } from './forward/forwarder.js';
import { createUpstreamRace } from './forward/upstream-race.js';
import type { DnsOptions } from './options.js';
import { createAliasAnswers } from './server/alias-answers.js';
import { createDnsMetrics } from './server/dns-metrics.js';
import { type HttpAnswer, type HttpEndpoint, serveHttpEndpoint } from './server/http-endpoints.js';
import { createResponder } from './server/responder.js';
import { createTcpListener } from './server/tcp-listener.js';
import { createUdpListener, type DnsListener } from './server/udp-listener.js';
import { tidyLater } from './small-heap.js';
import { findUpstreams } from './upstream-setup.js';
import { createClusterAnswers } from './zone/cluster-answers.js';
import { createZone } from './zone/zone.js';
import { createZoneStore } from './zone/zone-store.js';

export interface DnsRun {
  readonly env: Environment;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Runs the DNS server until the signal fires. Throws `Conflict` where a port is taken, and what reading the access throws. */
export async function runDns(options: DnsOptions, run: DnsRun): Promise<void> {
  const { clock, logger, signal } = run;
  const { clusterDomain } = options;
  const client = createKubeClient(await readApiAccess({ kubeconfig: options.kubeconfig, env: run.env, clock }));

  const registry = createMetricsRegistry();
  const server = `dns://:${options.listen[0]?.port ?? 53}`;
  const cache = createAnswerCache({ clock, capacity: options.cacheSize, staleSeconds: options.serveStaleSeconds });
  const forwardMetrics = createForwardMetrics(registry, server, cache.count);
  const race = createUpstreamRace(await findUpstreams(options, logger), forwardMetrics);
  const forwarder = createForwarder({ race, cache, metrics: forwardMetrics });
  const loops = createLoopFinder({ race, clock, logger });
  const hasUpstreams = () => race.upstreams().length > 0;

  const store = createZoneStore();
  const zone = createZone({ store, domain: clusterDomain, nsService: options.nsService });
  const answers = createClusterAnswers({ zone, store, domain: clusterDomain, clock });
  const tidy = tidyLater();
  const watch = watchCluster({ client, store, clock, logger, onListed: tidy.schedule });
  let stopping = false;
  const responder = createResponder({
    answers,
    aliases: createAliasAnswers({ answers, forwarder, hasUpstreams }),
    forwarder,
    hasUpstreams,
    loops,
    metrics: createDnsMetrics(registry, server, clusterDomain),
    synced: watch.synced,
  });

  const listeners: DnsListener[] = [];
  const endpoints: HttpEndpoint[] = [];
  const endpoint = async (port: number, path: string, answer: () => HttpAnswer | Promise<HttpAnswer>) => {
    if (port === 0) return;
    endpoints.push(await serveHttpEndpoint({ address: options.httpAddress, port, path, answer }));
  };
  const stopAll = async () => {
    await Promise.all([...listeners, ...endpoints, watch].map((part) => part.stop()));
    tidy.cancel();
    race.close();
    await client.close();
  };
  try {
    for (const { address, port } of options.listen) {
      const parts = { address, port, responder, logger };
      const udp = createUdpListener(parts);
      listeners.push(udp);
      const bound = await udp.start();
      // Port 0 is for tests: both on the one that the first took.
      const tcp = createTcpListener({ ...parts, port: bound.port });
      listeners.push(tcp);
      await tcp.start();
      logger.info('Serving DNS', {
        address: isIPv6(address) ? `[${address}]:${bound.port}` : `${address}:${bound.port}`,
      });
    }
    await endpoint(options.healthPort, '/health', () => ({ status: 200, text: 'OK' }));
    await endpoint(options.readyPort, '/ready', () =>
      watch.synced() && !stopping ? { status: 200, text: 'OK' } : { status: 503, text: 'kubernetes' },
    );
    await endpoint(options.metricsPort, '/metrics', async () => ({
      status: 200,
      text: await registry.render(),
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
    }));
  } catch (error) {
    await stopAll();
    throw error;
  }
  const searching = loops.run(signal);
  await fired(signal);
  stopping = true;
  if (options.lameduckMs > 0) {
    logger.info('Stopping', { servesOnMs: options.lameduckMs });
    await clock.sleep(options.lameduckMs);
  }
  await stopAll();
  await searching;
}

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
