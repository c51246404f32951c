import { getEventListeners } from 'node:events';
import t from 'tap';
import { systemClock } from '../../../src/base/clock.js';

t.test('a sleep ends by itself, or with the reason of its signal', async (t) => {
  const reason = new Error('enough');
  const controller = new AbortController();
  const { signal } = controller;
  await systemClock.sleep(1);
  await systemClock.sleep(1, signal);
  t.equal(getEventListeners(signal, 'abort').length, 0, 'many sleeps have one signal');
  const long = systemClock.sleep(3_600_000, signal);
  controller.abort(reason);
  t.equal(await long.catch((error: unknown) => error), reason);
  t.equal(await systemClock.sleep(3_600_000, signal).catch((error: unknown) => error), reason, 'fired before');
});
