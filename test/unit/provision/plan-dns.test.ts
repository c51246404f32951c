import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import type { ProgressEvent } from '../../../src/base/progress.js';
import type { DnsKind } from '../../../src/config/types.js';
import type { ObtainedImage } from '../../../src/mirror/outcome.js';
import { obtainDns } from '../../../src/provision/obtain-dns.js';
import { type DnsPlan, namedMirrors, planDns } from '../../../src/provision/plan-dns.js';

const range = '10.96.0.0/12';

t.test('what is tried', async (t) => {
  const recorded = (dns: DnsKind | undefined, asked?: 'auto' | DnsKind) => ({
    dns,
    cluster: asked === undefined ? {} : { dns: asked },
  });
  const cases: readonly [string, Parameters<typeof planDns>, DnsPlan][] = [
    ['auto', [{ dns: 'auto', serviceCidr: range }], ['coredns', 'builtin']],
    ['CoreDNS and no other', [{ dns: 'coredns', serviceCidr: range }], ['coredns']],
    ['none', [{ dns: 'none', serviceCidr: range }], ['none']],
    ['no room for its address', [{ dns: 'auto', serviceCidr: '10.0.0.0/29' }], ['none']],
    ['a cluster of old', [{ dns: 'auto', serviceCidr: range }, recorded(undefined)], ['none']],
    ['settled for our own', [{ dns: 'auto', serviceCidr: range }, recorded('builtin', 'auto')], ['builtin']],
    ['settled for CoreDNS', [{ dns: 'auto', serviceCidr: range }, recorded('coredns', 'auto')], ['coredns', 'builtin']],
    ['a try with none', [{ dns: 'auto', serviceCidr: range }, recorded('none', 'none')], ['coredns', 'builtin']],
    ['another wish', [{ dns: 'builtin', serviceCidr: range }, recorded('coredns', 'auto')], ['builtin']],
  ];
  for (const [name, given, want] of cases) t.strictSame(planDns(...given), want, name);
});

t.test('nobody is asked whom the user has not named', async (t) => {
  t.strictSame(namedMirrors([]), ['none']);
  t.strictSame(namedMirrors(['cn']), ['cn', 'none']);
  t.strictSame(namedMirrors(['cn', 'none']), ['cn', 'none']);
  t.strictSame(namedMirrors(['upstream']), ['upstream']);
});

t.test('CoreDNS that is not to be had', async (t) => {
  const run = async (plan: DnsPlan, code?: 'ImageUnavailable' | 'EngineFailed') => {
    const asked: (readonly string[])[] = [];
    const events: ProgressEvent[] = [];
    const result = await obtainDns({
      plan,
      mirrors: ['cn'],
      emit: (event) => void events.push(event),
      obtain: async (mirrors, emit) => {
        asked.push(mirrors);
        emit({ type: 'note', level: 'warn', message: 'a mirror lacks it' });
        if (code) throw new HyperupError(code, 'no');
        return [{ name: 'coredns' } as ObtainedImage];
      },
    }).catch((error: unknown) => error);
    return { result, asked, notes: events.length };
  };
  t.match(await run(['builtin']), { result: { dns: 'builtin', images: [] }, asked: [] });
  t.match(await run(['coredns', 'builtin']), { result: { dns: 'coredns', images: [{}] }, asked: [['cn', 'none']] });
  const without = await run(['coredns', 'builtin'], 'ImageUnavailable');
  t.match(without, { result: { dns: 'builtin', images: [] }, notes: 0 }, 'ours, without a word');
  t.match(
    await run(['coredns', 'builtin'], 'EngineFailed'),
    { result: { code: 'EngineFailed' } },
    'other failures show',
  );
  const insisted = await run(['coredns'], 'ImageUnavailable');
  t.match(insisted, { result: { code: 'ImageUnavailable' }, asked: [['cn']], notes: 1 }, 'a wish is no choice');
});
