import t from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import type { TokenRequest } from '../../../../src/kube/kube-client-types.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createTokens } from '../../../../src/kubelet/volumes/tokens.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const pod: V1Pod = {
  metadata: { name: 'p', namespace: 'ns', uid: 'u1' },
  spec: { containers: [], serviceAccountName: 'sa' },
};

function setUp(lifeSeconds: number) {
  const clock = makeManualClock(Date.UTC(2020, 0, 1));
  const requests: (TokenRequest | undefined)[] = [];
  const state = { down: false };
  const tokens = createTokens({
    clock,
    random: () => 0,
    logger: silentLogger,
    client: {
      async createToken(_account, request) {
        requests.push(request);
        if (state.down) throw new Error('connection refused');
        const expirationTimestamp = new Date(clock.now() + lifeSeconds * 1000).toISOString();
        return { token: `token-${requests.length}`, expirationTimestamp };
      },
    },
  });
  return { clock, requests, state, tokens };
}

t.test('asks once, bound to the pod, for an hour by default', async (test) => {
  const { requests, tokens } = setUp(3600);
  const both = await Promise.all([tokens.get(pod, 'u1', {}), tokens.get(pod, 'u1', {})]);
  test.same(both, ['token-1', 'token-1']);
  test.same(requests, [{ audiences: undefined, expirationSeconds: 3600, boundPod: { name: 'p', uid: 'u1' } }]);
  test.equal(await tokens.get(pod, 'u1', { audience: 'vault', expirationSeconds: 600 }), 'token-2');
  test.same(requests[1]?.audiences, ['vault']);
});

t.test('renews at 80 % of its life, or after a day', async (test) => {
  for (const [lifeSeconds, dueSeconds] of [
    [1000, 800],
    [10 * 86_400, 86_400],
  ] as const) {
    const { clock, tokens } = setUp(lifeSeconds);
    await tokens.get(pod, 'u1', {});
    test.equal(tokens.nextDueMs(), clock.now() + dueSeconds * 1000);
    clock.advance(dueSeconds * 1000 - 1);
    test.same(tokens.duePods(), []);
    test.equal(await tokens.get(pod, 'u1', {}), 'token-1');
    clock.advance(1);
    test.same(tokens.duePods(), ['u1']);
    test.equal(await tokens.get(pod, 'u1', {}), 'token-2');
  }
});

t.test('keeps the old one while it is good, and then says why', async (test) => {
  const { clock, requests, state, tokens } = setUp(1000);
  await tokens.get(pod, 'u1', {});
  state.down = true;
  clock.advance(900_000);
  test.equal(await tokens.get(pod, 'u1', {}), 'token-1');
  test.equal(await tokens.get(pod, 'u1', {}), 'token-1');
  test.equal(requests.length, 2, 'not asked again at once');
  clock.advance(100_000);
  await test.rejects(tokens.get(pod, 'u1', {}), { message: 'failed to fetch token: connection refused' });
  tokens.forget('u1');
  test.equal(tokens.nextDueMs(), undefined);
});
