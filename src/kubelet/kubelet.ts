// The whole wiring of the kubelet is in this one file, so that no room has to know another.
import { hostname } from 'node:os';
import { messageOf } from '../base/errors.js';
import { makeFolder } from '../base/make-folder.js';
import { createMetricsRegistry } from '../base/metrics-registry.js';
import { runCommand } from '../host/run-command.js';
import { createShellRunner } from '../host/shell-runner.js';
import { createEventRecorder } from '../kube/event-recorder.js';
import type { V1Node } from '../kube/node-objects.js';
import { resources } from '../kube/resource-ref.js';
import { createSwitchableClient, type SwitchableClient } from '../kube/switchable-client.js';
import { chooseVictims, findRejection } from './admission/admit-pod.js';
import { awaitApiServer, awaitEngine } from './await-servers.js';
import { keepClientCredentials } from './certificates/client-credentials.js';
import type { KubeletOptions } from './config/kubelet-options.js';
import { createEvictionManager } from './eviction/eviction-manager.js';
import { readPodUsage } from './eviction/pod-usage.js';
import { readSignals } from './eviction/signals.js';
import type { KubeletDependencies } from './kubelet-dependencies.js';
import { ensureBridgeNetfilter } from './network/bridge-netfilter.js';
import { createDns } from './network/dns.js';
import { createPodFiles } from './network/pod-files.js';
import { createPodNetwork } from './network/pod-network.js';
import { ensureServiceRoute } from './network/service-route.js';
import { readMachineFacts } from './node/machine-facts.js';
import { createNodeAgent } from './node/node-agent.js';
import { computeNodeRoom } from './node/node-capacity.js';
import { createNodeReader } from './node/node-reader.js';
import { createPleg } from './pleg/pleg.js';
import { createEnvironmentMaker } from './pod/environment.js';
import { createMirrorKeeper } from './pod/mirror-keeper.js';
import { createMirrorPods } from './pod/mirror-pods.js';
import { createPodIntake } from './pod/pod-intake.js';
import { createPodManager } from './pod/pod-manager.js';
import { isStaticPod, podUidOf } from './pod/pod-names.js';
import { createHooks } from './prober/hooks.js';
import { createProbes } from './prober/probes.js';
import { createGarbageCollector } from './runtime/garbage.js';
import { createImageManager } from './runtime/image-manager.js';
import { createPodRuntime } from './runtime/pod-runtime.js';
import { serveKubelet } from './serve-kubelet.js';
import { createHealthServer } from './server/health-server.js';
import { createApiPodSource } from './sources/api-pod-source.js';
import { createFilePodSource } from './sources/file-pod-source.js';
import { createNodeSource } from './sources/node-source.js';
import { createObjectCache } from './sources/object-cache.js';
import { createServiceSource } from './sources/services.js';
import { createPodEvents } from './status/pod-events.js';
import { createStatusGenerator } from './status/status-generator.js';
import { createStatusManager } from './status/status-manager.js';
import { createMounter } from './volumes/mounter.js';
import { createVolumes } from './volumes/volumes.js';
import { createPodWorkers } from './workers/pod-workers.js';

/** How often what nobody asked about is looked at (v1.20 `housekeepingPeriod`). */
const housekeepingMs = 2000;

/**
 * Runs a node's pods until the signal fires: static ones from the first moment, the API server's once it answers. Waits for
 * an engine that isn't there yet. Throws only what makes going on pointless: a port that is taken, a folder that can't be
 * made. The one place where the rooms of the kubelet are wired.
 */
export async function runKubelet(options: KubeletOptions, dependencies: KubeletDependencies): Promise<void> {
  const { clock, logger, signal } = dependencies;
  const { identity } = options;
  const random = Math.random;
  const stops: (() => Promise<void>)[] = [];
  /** What goes on beside; its failure is told, and takes nothing else with it. */
  const inBackground = (what: string, task: Promise<unknown>) => {
    task.catch((error: unknown) => {
      if (!signal.aborted) logger.error('A task of the kubelet failed', { task: what, err: messageOf(error) });
    });
  };
  const minor = { value: minorOf(options.kubeletVersion) };

  await makeFolder(identity.rootDir, 0o750);
  logger.info('Starting kubelet', { node: identity.nodeName, instance: identity.instance, rootDir: identity.rootDir });
  const connected = await awaitEngine(options, dependencies);
  if (!connected) return;
  const { engine, info } = connected;
  const facts = await readMachineFacts(identity.hostRoot, identity.rootDir);
  const room = computeNodeRoom(facts, options);
  const imageDir = `${identity.hostRoot}${info.rootDir}`;
  if (options.cgroups.driver !== undefined && options.cgroups.driver !== info.cgroupDriver) {
    logger.warn("The engine's cgroup driver is used", {
      configured: options.cgroups.driver,
      engine: info.cgroupDriver,
    });
  }
  // Several programs a pod; a process of this size pays dearly for each that it starts itself.
  const programs = createShellRunner({ fallback: runCommand });
  stops.push(async () => programs.close());
  const onHost = { hostRoot: identity.hostRoot, run: programs.run, logger };
  inBackground('Bridge', ensureBridgeNetfilter(onHost));
  const { serviceRoute } = options;
  if (serviceRoute !== undefined) inBackground('Route', ensureServiceRoute({ route: serviceRoute, ...onHost }));

  const client = createSwitchableClient();
  const source = { component: 'kubelet', host: identity.nodeName };
  const recorder = createEventRecorder({ client, clock, source, logger });
  const events = createPodEvents({ recorder, nodeName: identity.nodeName });
  const manager = createPodManager();
  const nodeSource = createNodeSource({ client, nodeName: identity.nodeName, clock, logger, random });
  const currentNode = () => nodeSource.current() ?? nodeAgent.current();
  const allocatable = () => currentNode()?.status?.allocatable ?? room.allocatable;
  const hostIps = identity.nodeIps;

  const dns = createDns({
    clusterDns: options.dns.servers,
    clusterDomain: options.dns.domain,
    resolvConfPath: options.dns.resolvConf,
    hostRoot: identity.hostRoot,
    events,
    hostIps,
  });
  const runtime = createPodRuntime({
    engine,
    info,
    identity,
    pauseImage: options.pauseImage,
    clock,
    logger,
    cgroupsPerQos: options.cgroups.perQos,
    cgroupRoot: options.cgroups.root,
    podPidsLimit: options.podPidsLimit,
    containerLogMaxSize: options.containerLog.maxSize,
    containerLogMaxFiles: options.containerLog.maxFiles,
    resolvConfFor: (pod) => dns.resolvConf(pod),
    network: createPodNetwork({ enabled: options.podNetwork === 'auto', engine, info, clock, ...onHost }),
    nodeHostname: hostname(),
    clusterDomain: options.dns.domain,
    runtimeHandlerOf: async (pod) => {
      const name = pod.spec?.runtimeClassName;
      return name === undefined ? undefined : (await client.get(resources.runtimeClasses, { name })).handler;
    },
    nodeMemoryBytes: facts.memoryBytes,
    seccompDefault: options.seccompDefault,
  });
  const pleg = createPleg({
    runtime,
    events: (until) => engine.containerEvents([`io.hyperup.kubelet=${identity.instance}`], until),
    clock,
    logger,
    random,
    onChange: (uid) => {
      probes.wake(uid);
      workers.wake(uid, 'its containers have changed');
    },
  });

  const statuses = createStatusManager({ client, clock, mirrorOf: (uid) => manager.mirrorOf(uid), logger, random });
  const objects = createObjectCache({ client, clock, logger, random });
  const services = createServiceSource({ client, clock, logger, random });
  const files = createPodFiles({ identity, nodeHostname: hostname(), clusterDomain: options.dns.domain });
  const volumes = createVolumes({
    identity,
    objects,
    client,
    mounter: createMounter({ identity, run: programs.run }),
    clock,
    logger,
    random,
    events,
    nodeAllocatable: allocatable,
    hostIps: () => hostIps,
    podIpsOf: (uid) => pleg.status(uid)?.sandboxes[0]?.ips ?? [],
  });
  const version = `1.${minor.value}`;
  const probes = createProbes({
    clock,
    execSync: runtime.execSync,
    events,
    statusOf: (uid) => pleg.status(uid),
    onResult: (uid, kind) => workers.wake(uid, `a ${kind} probe has another result`),
    hostIps,
    logger,
    random,
    version,
  });
  const workers = createPodWorkers({
    clock,
    logger,
    random,
    runtime,
    pleg,
    images: createImageManager({
      engine,
      events,
      secret: (namespace, name) => objects.secret(namespace, name),
      clock,
      logger,
      maxParallelPulls: options.maxParallelImagePulls,
    }),
    volumes,
    files,
    environment: createEnvironmentMaker({ objects, services, allocatable, hostIps, events }),
    hooks: createHooks({ clock, execSync: runtime.execSync, version }),
    probes,
    statuses,
    events,
    generateStatus: createStatusGenerator({ statuses, probes, files, hostIps, clock, minor: () => minor.value }),
    canRun: () => ({ ok: true }),
    networkReady: () => true,
    hostIps: () => hostIps,
    deletePod: async (pod) => {
      const { name = '', namespace, uid } = pod.metadata ?? {};
      await client.delete(resources.pods, { name, namespace }, { gracePeriodSeconds: 0, uid });
    },
  });

  const eviction = createEvictionManager({
    thresholds: options.eviction,
    clock,
    logger,
    events,
    read: () => readSignals({ rootDir: identity.rootDir, imageDir }),
    pods: () => intake.active(),
    usage: async (resource) => await readPodUsage(engine, pleg, manager.all().map(podUidOf), resource),
    reclaimDisk: async () => {
      await garbage.collectContainers();
      await garbage.collectImages();
    },
    evict: (uid, how) => workers.evict(uid, how),
    uidOf: podUidOf,
    onPressure: () => nodeAgent.reportSoon(),
  });
  const nodeAgent = createNodeAgent({
    client,
    clock,
    logger,
    events,
    nodeName: identity.nodeName,
    register: options.node.register,
    statusUpdateMs: options.node.statusUpdateMs,
    statusReportMs: options.node.statusReportMs,
    leaseSeconds: options.node.leaseSeconds,
    read: createNodeReader({
      options,
      facts,
      room,
      engine,
      engineVersion: info.version,
      clock,
      pressure: () => eviction.pressure(),
      isHealthy: () => pleg.healthy(),
      volumesInUse: () => volumes.volumesInUse(),
    }),
  });
  const mirrors = createMirrorKeeper({
    mirrors: createMirrorPods({
      client,
      nodeName: identity.nodeName,
      nodeUid: () => currentNode()?.metadata?.uid,
      logger,
    }),
    manager,
    clock,
    logger,
    isReady: () => intake.sourcesReady() && client.isReady() && options.kubeconfigPath !== undefined,
  });
  const intake = createPodIntake(
    {
      clock,
      logger,
      manager,
      events,
      statuses,
      workers,
      objects,
      volumes,
      reject: (pod, active) => findRejection(admissionInputs(pod, active)),
      victims: (pod, active) =>
        chooseVictims(pod, active, (left) => findRejection(admissionInputs(pod, left)) !== undefined),
      refreshNode: async () => {
        freshNode = await nodeSource.fetch();
      },
      enginePods: () => pleg.pods(),
      onMirrorsStale: () => mirrors.wake(),
    },
    { api: options.kubeconfigPath !== undefined, files: options.staticPods !== undefined },
  );
  let freshNode = nodeSource.current();
  const admissionInputs = (pod: Parameters<typeof findRejection>[0]['pod'], active: readonly (typeof pod)[]) => ({
    pod,
    active,
    node: newerNode(freshNode, currentNode()),
    pressure: eviction.pressure(),
    allowedSysctls: options.allowedUnsafeSysctls,
  });
  const garbage = createGarbageCollector({
    engine,
    info,
    runtime,
    identity,
    events,
    clock,
    logger,
    pauseImage: options.pauseImage,
    policy: options.imageGc,
    sourcesReady: () => intake.sourcesReady(),
    podExists: (uid) => manager.get(uid) !== undefined || workers.isKnown(uid),
    // What the cluster itself runs from could not be fetched again while it is down.
    keep: (reference) =>
      reference.startsWith('hyperup/') ||
      manager.all().some((pod) => isStaticPod(pod) && pod.spec?.containers.some(({ image }) => image === reference)),
  });
  objects.onChange((_kind, _namespace, _name, uids) => {
    for (const uid of uids) {
      const pod = manager.get(uid);
      if (pod) volumes.update(pod);
      workers.wake(uid, 'an object that it refers to has changed');
    }
  });

  await pleg.start();
  stops.push(() => pleg.stop());
  if (options.staticPods) {
    const source = createFilePodSource({
      path: options.staticPods.path,
      periodMs: options.staticPods.scanMs,
      nodeName: identity.nodeName,
      clock,
      logger,
      onPods: (change) => intake.onStaticPods(change),
    });
    source.start();
    stops.push(() => source.stop());
  }
  volumes.start();
  eviction.start();
  garbage.start();
  mirrors.start();
  stops.push(
    () => workers.stop(),
    () => probes.stop(),
    () => volumes.stop(),
    () => eviction.stop(),
    () => garbage.stop(),
    () => mirrors.stop(),
    () => statuses.stop(),
    () => objects.stop(),
    () => services.stop(),
    () => nodeSource.stop(),
    () => nodeAgent.stop(),
  );

  const checks = {
    syncloop: () => (pleg.healthy() ? undefined : 'the engine has not listed its containers for three minutes'),
  };
  if (options.health) {
    const health = createHealthServer({ ...options.health, checks, logger });
    await health.start();
    stops.push(() => health.stop());
  }
  const metrics = createMetricsRegistry();
  metrics
    .gauge('kubernetes_build_info', 'The version that the node reports, always 1.')
    .set(1, { gitVersion: options.kubeletVersion, platform: `linux/${facts.architecture}`, compiler: 'node' });
  // A port that is taken ends the kubelet; a certificate that is long in coming doesn't hold the pods.
  const served = { options, manager, statuses, pleg, facts, engine, imageDir, client, metrics, checks };
  const serve = async () => {
    const { server, renewal } = await serveKubelet({ ...served, clock, random, logger, signal });
    stops.push(() => server.stop());
    inBackground('Serving certificate', renewal);
  };
  const fatal = new Promise<never>((_, reject) => {
    if (options.server.enabled) serve().catch(reject);
  });

  const { kubeconfigPath } = options;
  if (kubeconfigPath !== undefined) {
    let isFirst = true;
    const onClient = (newest: Parameters<SwitchableClient['use']>[0]) => {
      inBackground('Former client', client.use(newest));
      if (!isFirst) return;
      isFirst = false;
      inBackground('Join', joinCluster());
    };
    inBackground(
      'Credentials',
      keepClientCredentials({
        kubeconfigPath,
        bootstrapKubeconfigPath: options.bootstrapKubeconfigPath,
        certDir: options.certDir,
        nodeName: identity.nodeName,
        rotate: options.rotateCertificates,
        clock,
        random,
        logger,
        signal,
        onClient,
      }),
    );
  }

  async function joinCluster(): Promise<void> {
    if (!(await awaitApiServer(client, identity.nodeName, dependencies))) return;
    nodeAgent.start();
    nodeSource.start();
    services.start();
    statuses.start();
    const pods = createApiPodSource({
      client,
      nodeName: identity.nodeName,
      clock,
      logger,
      random,
      onPods: (change) => intake.onApiPods(change),
    });
    pods.start();
    stops.push(() => pods.stop());
    const version = await client.version({ signal }).catch(() => undefined);
    minor.value = Number.parseInt(version?.minor ?? '', 10) || minor.value;
    events.node('Normal', 'Starting', 'Starting kubelet.');
  }

  const housekeeping = async () => {
    while (!signal.aborted) {
      await clock.sleep(housekeepingMs, signal).catch(() => {});
      await intake.tidy().catch((error: unknown) => logger.warn('Housekeeping failed', { err: messageOf(error) }));
    }
  };
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    await Promise.race([fatal, stopped, housekeeping()]);
  } finally {
    logger.info('Stopping kubelet; its pods run on');
    await Promise.allSettled(stops.map((stop) => stop()));
    await client.close();
    engine.close();
  }
}

/** By resource version, which grows with each change of an object. */
function newerNode(a: V1Node | undefined, b: V1Node | undefined): V1Node | undefined {
  const age = (node: V1Node | undefined) => Number(node?.metadata?.resourceVersion ?? -1);
  return age(a) > age(b) ? a : b;
}

function minorOf(version: string): number {
  return Number(/^v?\d+\.(\d+)/.exec(version)?.[1] ?? 20);
}
