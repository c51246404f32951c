import { HyperupError, isHyperupError } from '../base/errors.js';
import { toContainerBody } from './container-body.js';
import {
  toContainerDetails,
  toContainerSummary,
  type WireContainer,
  type WireContainerDetails,
} from './container-wire.js';
import { execInContainer } from './exec.js';
import { readLogs } from './logs.js';
import { pollUntil } from './poll.js';
import { pathOf } from './reference-parts.js';
import { answerStream } from './stream-errors.js';
import { shortCallMs, type Transport } from './transport.js';
import type { ContainerDetails, ContainerEngine } from './types.js';

/** Time limit of calls that unmount, kill or unpack before they answer. */
export const slowCallMs = 120_000;

/** The container half of an engine. */
export function makeContainerEngine(transport: Transport): ContainerEngine {
  const pathTo = (id: string) => `/containers/${pathOf(id)}`;
  const inspectContainer = async (id: string): Promise<ContainerDetails | undefined> => {
    try {
      const { body } = await transport.call({
        action: `inspect container ${id}`,
        method: 'GET',
        path: `${pathTo(id)}/json`,
      });
      return toContainerDetails(body as WireContainerDetails);
    } catch (error) {
      if (isHyperupError(error, 'NotFound')) return undefined;
      throw error;
    }
  };
  const awaitGone = (id: string) =>
    pollUntil(`remove container ${id}`, async () => ((await inspectContainer(id)) ? undefined : true), {
      clock: transport.clock,
      timeoutMs: slowCallMs,
      intervalMs: 100,
    });
  return {
    inspectContainer,
    createContainer: async (spec) => {
      const { body } = await transport.call({
        action: `create container ${spec.name}`,
        method: 'POST',
        path: '/containers/create',
        query: { name: spec.name },
        body: toContainerBody(spec),
      });
      return (body as { Id: string }).Id;
    },
    startContainer: async (id) => {
      await transport.call({
        action: `start container ${id}`,
        method: 'POST',
        path: `${pathTo(id)}/start`,
        timeoutMs: slowCallMs,
      });
    },
    stopContainer: async (id, graceSeconds) => {
      try {
        await transport.call({
          action: `stop container ${id}`,
          method: 'POST',
          path: `${pathTo(id)}/stop`,
          query: { t: Math.ceil(graceSeconds) },
          timeoutMs: graceSeconds * 1000 + shortCallMs,
        });
      } catch (error) {
        if (!isHyperupError(error, 'NotFound')) throw error;
      }
    },
    killContainer: async (id, signal = 'SIGKILL') => {
      await transport.call({
        action: `send ${signal} to container ${id}`,
        method: 'POST',
        path: `${pathTo(id)}/kill`,
        query: { signal },
      });
    },
    removeContainer: async (id, options) => {
      try {
        await transport.call({
          action: `remove container ${id}`,
          method: 'DELETE',
          path: pathTo(id),
          query: { force: options?.force, v: true },
          timeoutMs: slowCallMs,
        });
      } catch (error) {
        if (isHyperupError(error, 'NotFound')) return false;
        if (!isHyperupError(error, 'Conflict') || !/already in progress/.test(error.message)) throw error;
        await awaitGone(id);
      }
      return true;
    },
    listContainers: async (filter = {}) => {
      const { body } = await transport.call({
        action: 'list containers',
        method: 'GET',
        path: '/containers/json',
        query: { all: filter.all ?? false, filters: JSON.stringify({ label: filter.labels ?? [] }) },
      });
      return (body as readonly WireContainer[]).map(toContainerSummary);
    },
    waitContainer: async (id, signal) => {
      const action = `wait for container ${id}`;
      const { body } = await transport.call({
        action,
        method: 'POST',
        path: `${pathTo(id)}/wait`,
        query: { condition: 'not-running' },
        timeoutMs: null,
        signal,
      });
      const result = body as { StatusCode: number; Error?: { Message?: string } | null } | undefined;
      if (!result || result.Error?.Message) {
        throw new HyperupError(
          'EngineFailed',
          `${action}: ${result?.Error?.Message ?? 'the engine gave no exit code'}`,
        );
      }
      return result.StatusCode;
    },
    tailLogs: async (id, lines) => {
      const tail: string[] = [];
      await readLogs(transport, id, (line) => tail.push(line), { follow: false, tail: lines });
      return tail.map((line) => `${line}\n`).join('');
    },
    followLogs: async (id, onLine, options = {}) => {
      try {
        await readLogs(transport, id, onLine, { follow: true, ...options });
      } catch (error) {
        // The signal is how a caller says that it has seen enough.
        if (!isHyperupError(error, 'Aborted')) throw error;
      }
    },
    execInContainer: (id, command, options) => execInContainer(transport, id, command, options),
    copyFromContainer: async (id, path) => {
      const action = `copy ${path} from container ${id}`;
      const response = await transport.open({
        action,
        method: 'GET',
        path: `${pathTo(id)}/archive`,
        query: { path },
        timeoutMs: slowCallMs,
      });
      return answerStream(action, transport, response);
    },
    copyToContainer: async (id, path, tar) => {
      await transport.call({
        action: `copy to ${path} in container ${id}`,
        method: 'PUT',
        path: `${pathTo(id)}/archive`,
        query: { path },
        upload: tar,
        timeoutMs: null,
      });
    },
  };
}
