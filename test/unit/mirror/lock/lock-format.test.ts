import t from 'tap';
import { isHyperupError } from '../../../../src/base/errors.js';
import { formatLock, parseLock } from '../../../../src/mirror/lock/lock-format.js';
import { lockAllows, lockedDigests, lockedImage, lockedPlatform, lockKey } from '../../../../src/mirror/lock/lookup.js';
import { digest, imageType, indexType, lockOf, makeEntry } from './lock-samples.js';

const key = 'k8s.gcr.io/etcd:3.4.13-0';
const sample = lockOf({
  [key]: makeEntry('e', { 'linux/amd64': 'a', 'linux/arm/v7': 'b' }),
  'docker.io/library/busybox:1': makeEntry('c', { 'linux/amd64': 'c' }, imageType),
});

t.test('what is written is read again, in one order', async (t) => {
  const text = formatLock(sample);
  t.strictSame(parseLock(text, 'x'), sample);
  const { images } = sample;
  const reversed = Object.fromEntries(Object.entries(images).toReversed());
  t.equal(formatLock({ version: 1, images: reversed }), text);
  t.ok(text.endsWith('}\n'));
});

t.test('every cut of a lock is refused', async (t) => {
  const text = formatLock(sample);
  for (let length = 0; length < text.length - 2; length += 7) {
    t.throws(() => parseLock(text.slice(0, length), 'x'), { code: 'InvalidConfig' }, `after ${length} characters`);
  }
});

interface Case {
  readonly name: string;
  readonly text: string;
  readonly says: RegExp;
}

const good = { version: 1, images: { [key]: makeEntry('e', { 'linux/amd64': 'a' }) } };
const changed = (change: (entry: Record<string, unknown>) => void): string => {
  const copy = structuredClone(good) as unknown as { images: Record<string, Record<string, unknown>> };
  change(copy.images[key] ?? {});
  return JSON.stringify(copy);
};
const renamed = (name: string) => JSON.stringify({ version: 1, images: { [name]: good.images[key] } });
const entry = `images "${key}"`.replace(/[.]/g, '\\.');

const cases: readonly Case[] = [
  { name: 'empty', text: ' \n', says: /^read my\.lock: it is empty$/ },
  { name: 'cut off', text: '{"version": 1, "images": {', says: /cut off/ },
  { name: 'no JSON', text: 'images: {}', says: /cut off|not JSON/ },
  { name: 'a list', text: '[]', says: /the lock: got \[\], want/ },
  { name: 'no version', text: '{"images":{}}', says: /version: got nothing, want 1/ },
  { name: 'a newer one', text: '{"version":2,"images":{}}', says: /version: got 2, want 1/ },
  { name: 'no images', text: '{"version":1}', says: /images: got nothing/ },
  { name: 'an unknown key', text: '{"version":1,"images":{},"image":{}}', says: /image: unknown key/ },
  {
    name: 'a key twice',
    text: `{\n"version": 1,\n"images": {\n"a": 1,\n"a": 2\n}\n}`,
    says: /line 5: the key "a" is there twice/,
  },
  { name: 'not a reference', text: renamed('k8s.gcr.io/ETCD:1'), says: /images "k8s.gcr.io\/ETCD:1": .*lowercase/ },
  { name: 'not in full', text: renamed('busybox'), says: /want it in full as "docker.io\/library\/busybox:latest"/ },
  {
    name: 'a digest that is none',
    text: changed((value) => Object.assign(value, { digest: 'sha256:123' })),
    says: new RegExp(`${entry}: digest: got "sha256:123", want sha256:<64 hex digits>`),
  },
  {
    name: 'a digest in capitals',
    text: changed((value) => Object.assign(value, { digest: digest('a').toUpperCase() })),
    says: /digest: got "SHA256:A/,
  },
  {
    name: 'no config',
    text: changed((value) =>
      Object.assign(value, { platforms: { 'linux/amd64': { manifest: digest('a'), size: 1 } } }),
    ),
    says: new RegExp(`${entry}: platforms\\.linux/amd64\\.config: got nothing`),
  },
  {
    name: 'a size below zero',
    text: changed((value) =>
      Object.assign(value, { platforms: { 'linux/amd64': { manifest: digest('a'), config: digest('b'), size: -1 } } }),
    ),
    says: /size: got -1, want at least 0/,
  },
  {
    name: 'no platform',
    text: changed((value) => Object.assign(value, { platforms: {} })),
    says: /platforms: got none/,
  },
  {
    name: 'a platform that is none',
    text: changed((value) => {
      const { platforms } = makeEntry('e', { amd64: 'a' });
      Object.assign(value, { platforms });
    }),
    says: /platforms: got "amd64", want os\/architecture/,
  },
  {
    name: 'another media type',
    text: changed((value) => Object.assign(value, { mediaType: 'text/html' })),
    says: /mediaType: got "text\/html", want the media type of a manifest or index/,
  },
  { name: 'a time that is none', text: changed((value) => Object.assign(value, { at: 'now' })), says: /at: got "now"/ },
  {
    name: 'an image with the platforms of an index',
    text: changed((value) => Object.assign(value, { mediaType: imageType })),
    says: /it is no index/,
  },
  {
    name: 'several faults at once',
    text: changed((value) => Object.assign(value, { at: 'now', digest: 'x' })),
    says: /2 faults\n {2}- .*digest[\s\S]*\n {2}- .*at/,
  },
];

t.test('what is no lock', async (t) => {
  for (const { name, text, says } of cases) {
    try {
      parseLock(text, 'my.lock');
      t.fail(`${name}: it was taken`);
    } catch (error) {
      t.ok(isHyperupError(error, 'InvalidConfig'), name);
      t.match(error, { message: says }, name);
    }
  }
});

t.test('what a lock says of an image', async (t) => {
  t.equal(lockKey('busybox'), 'docker.io/library/busybox:latest');
  t.equal(lockKey(`k8s.gcr.io/etcd:1@${digest('a')}`), 'k8s.gcr.io/etcd:1');
  t.equal(lockedImage(sample, 'busybox:1')?.digest, digest('c'));
  t.equal(lockedImage(sample, 'constructor'), undefined);
  t.equal(lockedImage(undefined, 'busybox:1'), undefined);
  t.equal(lockedDigests(sample).digestOf(key), digest('e'));
  const found = lockedImage(sample, key) ?? makeEntry('0', {});
  t.equal(lockedPlatform(found, { os: 'linux', architecture: 'amd64' })?.manifest, digest('a'));
  t.equal(lockedPlatform(found, { os: 'linux', architecture: 'arm' })?.manifest, digest('b'), 'its only variant');
  t.equal(lockedPlatform(found, { os: 'linux', architecture: 's390x' }), undefined);
  t.strictSame(
    [digest('e'), digest('a'), digest('f')].map((each) => lockAllows(found, each)),
    [true, true, false],
  );
  t.equal(found.mediaType, indexType);
});
