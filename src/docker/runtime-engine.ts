import { HyperupError, isHyperupError } from '../base/errors.js';
import { compareApiVersions } from './api-version.js';
import { toBridgeNetwork, type WireBridgeNetwork } from './bridge-wire.js';
import { makeContainerEngine, slowCallMs } from './container-engine.js';
import { containerEvents } from './container-events.js';
import { toContainerStats, type WireStats } from './container-stats.js';
import type { WireContainer } from './container-wire.js';
import { makeImageEngine } from './image-engine.js';
import { findNameHolder } from './phrases.js';
import { pathOf } from './reference-parts.js';
import { attachContainer, containerLogs, resize, startExec } from './runtime-exec.js';
import type { RuntimeEngine } from './runtime-types.js';
import {
  toEngineImage,
  toInspection,
  toListing,
  toRuntimeInfo,
  type WireEngineImage,
  type WireInspection,
  type WireRuntimeInfo,
} from './runtime-wire.js';
import { type EngineRequest, shortCallMs, type Transport } from './transport.js';

export interface RuntimeEngineOptions {
  readonly apiVersion: string;
  readonly engineVersion: string;
  /** Ends the connection that the transport is made of. */
  close(): void;
}

/** The engine as a kubelet needs it, over a connection whose API version is pinned. */
export function makeRuntimeEngine(transport: Transport, options: RuntimeEngineOptions): RuntimeEngine {
  const { apiVersion, engineVersion, close } = options;
  const containers = makeContainerEngine(transport);
  const images = makeImageEngine(transport, { apiVersion, platform: async () => undefined });
  const pathTo = (id: string) => `/containers/${pathOf(id)}`;
  const get = async <T>(request: Omit<EngineRequest, 'method'>): Promise<T> =>
    (await transport.call({ ...request, method: 'GET' })).body as T;
  const getIfThere = <T>(request: Omit<EngineRequest, 'method'>): Promise<T | undefined> => quietly(get<T>(request));

  return {
    apiVersion,
    engineVersion,
    createContainer: async (name, body) => {
      try {
        const answer = await transport.call({
          action: `create container ${name}`,
          method: 'POST',
          path: '/containers/create',
          query: { name },
          body,
          timeoutMs: slowCallMs,
        });
        return (answer.body as { Id: string }).Id;
      } catch (error) {
        throw nameConflict(error);
      }
    },
    startContainer: containers.startContainer,
    // The engine counts whole seconds.
    stopContainer: (id, graceSeconds) => containers.stopContainer(id, Math.max(0, Math.ceil(graceSeconds))),
    killContainer: async (id, signal) => {
      try {
        await containers.killContainer(id, signal);
      } catch (error) {
        if (!isHyperupError(error, 'NotFound') && !isHyperupError(error, 'Conflict')) throw error;
      }
    },
    removeContainer: (id) => containers.removeContainer(id, { force: true }),
    updateContainer: async (id, resources) => {
      const action = `update the resources of container ${id}`;
      await transport.call({ action, method: 'POST', path: `${pathTo(id)}/update`, body: resources });
    },
    inspectContainer: async (id) => {
      const wire = await getIfThere<WireInspection>({ action: `inspect container ${id}`, path: `${pathTo(id)}/json` });
      return wire && toInspection(wire);
    },
    listContainers: async (labels) => {
      const wire = await get<readonly WireContainer[]>({
        action: 'list containers',
        path: '/containers/json',
        query: { all: true, filters: JSON.stringify({ label: labels }) },
      });
      return wire.map(toListing);
    },
    containerEvents: (labels, signal) => containerEvents(transport, labels, signal),
    startExec: (id, spec) => startExec(transport, id, spec),
    attachContainer: (id, streams) => attachContainer(transport, id, streams),
    resizeContainer: (id, size) => resize(transport, pathTo(id), `resize the terminal of container ${id}`, size),
    containerLogs: (id, tty, logOptions) => containerLogs(transport, id, tty, logOptions),
    containerStats: async (id) => {
      const wire = await getIfThere<WireStats>({
        action: `read the statistics of container ${id}`,
        path: `${pathTo(id)}/stats`,
        // Without one-shot the engine waits a second for a second reading.
        query: { stream: false, 'one-shot': true },
      });
      return wire && toContainerStats(wire);
    },
    inspectImage: async (reference) => {
      const path = `/images/${pathOf(reference)}/json`;
      const wire = await getIfThere<WireEngineImage>({ action: `inspect image ${reference}`, path });
      return wire && toEngineImage(wire);
    },
    listImages: async () => (await listImages(get)).map(toEngineImage),
    pullImage: images.pullImage,
    removeImage: async (reference) => {
      if (!/^(sha256:)?[0-9a-f]{64}$/.test(reference)) return images.removeImage(reference);
      return removeById(reference);
    },
    imageDiskUsage: () => imageDiskUsage(apiVersion, get),
    info: async () =>
      toRuntimeInfo(await get<WireRuntimeInfo>({ action: 'ask the engine for its facts', path: '/info' })),
    bridgeNetwork: async () => {
      const action = "inspect the engine's default network";
      const wire = await getIfThere<WireBridgeNetwork>({ action, path: '/networks/bridge' });
      return wire && toBridgeNetwork(wire);
    },
    close,
  };

  /** By force an id goes with all its tags, but so does one that a stopped container uses: they are taken off one by one. */
  async function removeById(id: string): Promise<boolean> {
    const path = `/images/${pathOf(id)}/json`;
    const image = await getIfThere<WireEngineImage>({ action: `inspect image ${id}`, path });
    if (!image) return false;
    const { tags, digests } = toEngineImage(image);
    for (const name of [...tags, ...digests]) await images.removeImage(name);
    // The last name took the image with it.
    await images.removeImage(id);
    return true;
  }
}

type Get = <T>(request: Omit<EngineRequest, 'method'>) => Promise<T>;

async function quietly<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isHyperupError(error, 'NotFound')) return undefined;
    throw error;
  }
}

function listImages(get: Get): Promise<readonly WireEngineImage[]> {
  return get({ action: 'list images', path: '/images/json' });
}

/**
 * The layers' own sum where the engine can give it without measuring containers and volumes as well (API 1.42); else
 * the sum over images, which counts shared layers once for each.
 */
async function imageDiskUsage(apiVersion: string, get: Get): Promise<number> {
  if (compareApiVersions(apiVersion, '1.42') >= 0) {
    const usage = await get<{ readonly LayersSize?: number; readonly ImageUsage?: { readonly TotalSize?: number } }>({
      action: 'measure the images',
      path: '/system/df',
      query: { type: 'image' },
      timeoutMs: shortCallMs * 2,
    });
    const size = usage.ImageUsage?.TotalSize ?? usage.LayersSize;
    if (size !== undefined) return size;
  }
  return (await listImages(get)).reduce((sum, image) => sum + toEngineImage(image).sizeBytes, 0);
}

function nameConflict(error: unknown): unknown {
  if (!isHyperupError(error)) return error;
  const containerId = findNameHolder(error.message);
  if (containerId === undefined) return error;
  return new HyperupError('Conflict', error.message, {
    cause: error,
    details: { ...error.details, containerId },
    ...(error.hint ? { hint: error.hint } : {}),
  });
}
