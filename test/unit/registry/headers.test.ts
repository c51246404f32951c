import t from 'tap';
import { parseContentRange, parseUploadRange } from '../../../src/registry/content-range.js';
import { nextLink } from '../../../src/registry/link-header.js';
import { parseRateLimit } from '../../../src/registry/rate-limit.js';
import { parseRetryAfter } from '../../../src/registry/retry.js';
import { mergeScopes } from '../../../src/registry/scopes.js';

const ranges: readonly (readonly [string | undefined, unknown])[] = [
  ['bytes 0-499/1234', { part: { start: 0, end: 499 }, total: 1234 }],
  ['bytes 500-999/*', { part: { start: 500, end: 999 }, total: undefined }],
  ['bytes */1234', { part: undefined, total: 1234 }],
  ['Bytes 7-7/8', { part: { start: 7, end: 7 }, total: 8 }],
  [undefined, undefined],
  ['', undefined],
  ['bytes */*', undefined],
  ['bytes 0-499', undefined],
  ['bytes 499-0/1234', undefined],
  ['bytes 0-1234/1234', undefined],
  ['bytes -5-10/20', undefined],
  ['items 0-1/2', undefined],
  ['bytes 0-9999999999999999999/99999999999999999999', undefined],
];
for (const [value, want] of ranges) {
  t.test(`Content-Range: ${value}`, async (t) => t.strictSame(parseContentRange(value), want));
}

const uploads: readonly (readonly [string | undefined, number | undefined])[] = [
  ['0-499', 500],
  ['bytes=0-499', 500],
  ['0-0', 0],
  ['0--1', 0],
  ['', undefined],
  [undefined, undefined],
  ['5-10', undefined],
  ['0-', undefined],
];
for (const [value, want] of uploads) {
  t.test(`an upload's Range: ${value}`, async (t) => t.equal(parseUploadRange(value), want));
}

const page = new URL('https://reg.example/v2/a/b/tags/list?n=2');
const links: readonly (readonly [string | undefined, string | undefined])[] = [
  ['</v2/a/b/tags/list?n=2&last=v2>; rel="next"', 'https://reg.example/v2/a/b/tags/list?n=2&last=v2'],
  ['<?last=v2>;rel=next', 'https://reg.example/v2/a/b/tags/list?last=v2'],
  ['<https://other.example/x>; title="a, b"; rel="prev next"', 'https://other.example/x'],
  ['</first>; rel="first", </next>; rel="next"', 'https://reg.example/next'],
  ['</last>; rel="last"', undefined],
  ['</x>', undefined],
  ['nonsense', undefined],
  [undefined, undefined],
];
for (const [value, want] of links) {
  t.test(`Link: ${value}`, async (t) => t.equal(nextLink(value, page)?.href, want));
}

const now = Date.parse('2026-01-01T00:00:00Z');
const waits: readonly (readonly [string | undefined, number | undefined])[] = [
  ['0', 0],
  ['120', 120_000],
  [' 3 ', 3000],
  ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['soon', undefined],
  ['-5', undefined],
  ['', undefined],
  [undefined, undefined],
];
for (const [value, want] of waits) {
  t.test(`Retry-After: ${value}`, async (t) => t.equal(parseRetryAfter(value, now), want));
}

t.test('rate limits', async (t) => {
  const of = (remaining?: string, limit?: string) =>
    parseRateLimit(
      new Map(
        Object.entries({ 'ratelimit-remaining': remaining, 'ratelimit-limit': limit }).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value]],
        ),
      ),
    );
  t.strictSame(of('76;w=21600', '100;w=21600'), { remaining: 76, limit: 100, windowSeconds: 21_600 });
  t.strictSame(of('0'), { remaining: 0, limit: undefined, windowSeconds: undefined });
  t.equal(of(undefined, '100'), undefined);
  t.equal(of('many'), undefined);
});

t.test('scopes to ask a token for', async (t) => {
  const ours = ['repository:a/b:pull,push', 'repository:c:pull'];
  t.strictSame(mergeScopes(ours, []), ours);
  t.strictSame(mergeScopes(ours, ['repository:a/b:pull']), ['repository:a/b:pull,push']);
  t.strictSame(mergeScopes(ours, ['repository:c:pull', 'repository:a/b:push']), [
    'repository:c:pull',
    'repository:a/b:pull,push',
  ]);
  t.strictSame(mergeScopes(['repository:x:pull'], ['repository:reg:5000/x:pull']), ['repository:reg:5000/x:pull']);
});
