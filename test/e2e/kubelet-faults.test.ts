import t from 'tap';
import { apiServerAway } from './kubelet-faults/api-server-away.js';
import { beginSilentPulls, endlessExec, ignoresSigterm } from './kubelet-faults/hangs.js';
import { killedAgainAndAgain } from './kubelet-faults/kills.js';
import { installForTest, uninstallForTest } from './lifecycle/verbs.js';
import { ensureTestImages } from './support/test-images.js';

const within = { timeout: 1_500_000 };

t.setTimeout(1_800_000);

/** What the built-in kubelet promises for each fault, on one cluster. `HYPERUP_FAULTS=full` takes its time. */
t.test('faults of the built-in kubelet', { timeout: 1_800_000 }, async (t) => {
  await ensureTestImages(['busybox']);
  const cluster = await installForTest(t, ['--kubelet', 'builtin']);
  await t.test('a registry that never answers', within, async (t) => {
    // What the pulls take is not waited for.
    const pulls = await beginSilentPulls(t, cluster);
    await t.test('a container that ignores SIGTERM', within, (t) => ignoresSigterm(t, cluster));
    await t.test('commands that never end', within, (t) => endlessExec(t, cluster));
    await t.test('its pulls are given up', within, (t) => pulls.finish(t));
  });
  await t.test('kill -9 while pods come and go', within, (t) => killedAgainAndAgain(t, cluster));
  await t.test('an API server that is away', within, (t) => apiServerAway(t, cluster));
  await uninstallForTest(t, cluster);
});
