import type { Clock } from '../base/clock.js';
import { isHyperupError, messageOf } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { createSpamFilter } from './event-spam-filter.js';
import type { KubeClient } from './kube-client-types.js';
import { apiTime } from './kube-time.js';
import type { V1Event, V1EventSource, V1ObjectReference } from './objects.js';
import { resources } from './resource-ref.js';

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'patch'>;
  readonly clock: Clock;
  readonly source: V1EventSource;
  readonly logger?: Logger | undefined;
}

export interface EventRecorder {
  /** Returns at once; one object's events are sent in order. Never throws: an event is not worth a failure. */
  record(object: V1ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Resolves when all that was recorded is sent or given up. */
  flush(): Promise<void>;
}

/** How many distinct events are remembered for counting, and how many may wait to be sent (client-go has 4096 and 1000). */
const rememberedEvents = 4096;
const waitingEvents = 1000;
/** How many are sent at once: many pods start together, and a slow server must not make their events minutes late. */
const parallelCalls = 4;

/**
 * Sends core/v1 events as the kubelet does (client-go v0.20 `tools/record`): the same event again raises `count` of the
 * first one, and one object's flood is cut to 25 events and then one every five minutes. Events of different objects
 * don't wait for each other.
 */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, source, logger = silentLogger } = options;
  const known = new Map<string, V1Event>();
  const allows = createSpamFilter(clock);
  /** Events yet to be sent, by object, in the order of their objects' first one. */
  const queues = new Map<string, { readonly event: V1Event; readonly key: string }[]>();
  const sending = new Map<string, Promise<void>>();
  let waiting = 0;
  let serial = 0;

  function pump(): void {
    for (const [name, queue] of queues) {
      if (sending.size >= parallelCalls) return;
      if (sending.has(name)) continue;
      const next = queue.shift();
      if (queue.length === 0) queues.delete(name);
      if (next === undefined) continue;
      const call = send(next.event, next.key)
        .catch((error) => {
          const { reason, involvedObject } = next.event;
          logger.debug('Event not sent', { reason, object: involvedObject.name, err: messageOf(error) });
        })
        .then(() => {
          sending.delete(name);
          waiting -= 1;
          pump();
        });
      sending.set(name, call);
    }
  }

  async function send(event: V1Event, key: string): Promise<void> {
    const earlier = known.get(key);
    const sent = await (earlier ? raiseCount(earlier, event) : createEvent(event));
    known.delete(key);
    known.set(key, sent);
    const [oldest] = known.keys();
    if (known.size > rememberedEvents && oldest !== undefined) known.delete(oldest);
  }

  async function createEvent(event: V1Event): Promise<V1Event> {
    return await client.create(resources.events, event);
  }

  async function raiseCount(earlier: V1Event, event: V1Event): Promise<V1Event> {
    const count = (earlier.count ?? 1) + 1;
    const { name = '', namespace } = earlier.metadata ?? {};
    try {
      return await client.patch(
        resources.events,
        { name, namespace },
        {
          type: 'strategic',
          body: { count, lastTimestamp: event.lastTimestamp, message: event.message },
        },
      );
    } catch (error) {
      // Events live an hour; the first may be gone.
      if (!isHyperupError(error, 'NotFound')) throw error;
      return await createEvent({ ...event, count, firstTimestamp: earlier.firstTimestamp ?? null });
    }
  }

  return {
    record(object, type, reason, message) {
      const target = `${object.kind}/${object.namespace ?? ''}/${object.name}/${object.uid ?? ''}/${object.fieldPath ?? ''}`;
      if (!allows(target) || waiting >= waitingEvents) return;
      const nowMs = clock.now();
      serial += 1;
      const event: V1Event = {
        metadata: {
          name: `${object.name}.${nowMs.toString(16)}${serial.toString(16).padStart(5, '0')}`,
          namespace: object.namespace || 'default',
        },
        involvedObject: object,
        type,
        reason,
        message,
        source,
        firstTimestamp: apiTime(nowMs),
        lastTimestamp: apiTime(nowMs),
        count: 1,
      };
      waiting += 1;
      const name = `${object.kind}/${object.namespace ?? ''}/${object.name}/${object.uid ?? ''}`;
      const queue = queues.get(name) ?? [];
      queue.push({ event, key: JSON.stringify([target, type, reason, message]) });
      queues.set(name, queue);
      pump();
    },
    async flush() {
      while (sending.size > 0) await Promise.race(sending.values());
    },
  };
}
