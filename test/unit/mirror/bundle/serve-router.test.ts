import t from 'tap';
import { type Answer, makeCatalogue, parseRange, routeQuestion } from '../../../../src/mirror/bundle/serve-router.js';
import { builtImage } from '../../../builders/bundle.js';

const etcd = builtImage('k8s.gcr.io/etcd:3.4.13-0', [Buffer.alloc(1000, 'e')]).image;
const other = builtImage('quay.io/etcd:3.4.13-0', [Buffer.alloc(2000, 'o')]).image;
const nginx = builtImage('docker.io/library/nginx:1.25', [Buffer.alloc(10, 'n')]).image;
const catalogue = makeCatalogue([etcd, other, nginx]);
const layer = etcd.layers[0]?.digest ?? '';

interface Case {
  readonly name: string;
  readonly url: string;
  readonly method?: string;
  readonly range?: string;
  readonly status: number;
  readonly says?: RegExp;
  readonly is?: (answer: Answer) => unknown;
  readonly wanted?: unknown;
}

const document = (answer: Answer) => ('document' in answer ? answer.document : undefined);
const blob = (answer: Answer) => ('blob' in answer ? answer.blob : undefined);

const cases: readonly Case[] = [
  { name: 'the base', url: '/v2/', status: 200 },
  { name: 'the base without its slash', url: '/v2', status: 200 },
  { name: 'the root', url: '/', status: 404 },
  { name: 'the first version', url: '/v1/_ping', status: 404 },
  { name: 'the catalogue', url: '/v2/_catalog', status: 200, says: /"etcd".*"k8s\.gcr\.io\/etcd"/ },
  { name: 'a page of it', url: '/v2/_catalog?n=1', status: 200, says: /^\{"repositories":\["[^"]+"\]\}$/ },
  { name: 'tags', url: '/v2/etcd/tags/list', status: 200, says: /\{"name":"etcd","tags":\["3\.4\.13-0"\]\}/ },
  { name: 'tags after the last', url: '/v2/etcd/tags/list?last=9', status: 200, says: /"tags":\[\]/ },
  { name: 'tags of nothing', url: '/v2/none/tags/list', status: 404, says: /NAME_UNKNOWN/ },
  {
    name: 'a manifest by tag',
    url: '/v2/etcd/manifests/3.4.13-0',
    status: 200,
    is: document,
    wanted: etcd.manifest.digest,
  },
  {
    name: 'the same of another registry by its name',
    url: '/v2/quay.io/etcd/manifests/3.4.13-0',
    status: 200,
    is: document,
    wanted: other.manifest.digest,
  },
  {
    name: 'the same as containerd asks for it',
    url: '/v2/etcd/manifests/3.4.13-0?ns=quay.io',
    status: 200,
    is: document,
    wanted: other.manifest.digest,
  },
  {
    name: 'a manifest by digest',
    url: `/v2/etcd/manifests/${other.manifest.digest}`,
    status: 200,
    is: document,
    wanted: other.manifest.digest,
  },
  { name: 'an official image', url: '/v2/library/nginx/manifests/1.25', status: 200 },
  {
    name: "another repository's manifest",
    url: `/v2/etcd/manifests/${nginx.manifest.digest}`,
    status: 404,
    says: /MANIFEST_UNKNOWN/,
  },
  { name: 'an unknown tag', url: '/v2/etcd/manifests/latest', status: 404, says: /MANIFEST_UNKNOWN/ },
  { name: 'a tag that is a name of objects', url: '/v2/etcd/manifests/__proto__', status: 404 },
  {
    name: 'a blob',
    url: `/v2/etcd/blobs/${layer}`,
    status: 200,
    is: blob,
    wanted: { digest: layer, start: 0, length: 1000 },
  },
  {
    name: 'its head',
    url: `/v2/etcd/blobs/${layer}`,
    method: 'HEAD',
    status: 200,
    is: (a) => a.headers['content-length'],
    wanted: '1000',
  },
  {
    name: 'a part of it',
    url: `/v2/etcd/blobs/${layer}`,
    range: 'bytes=100-199',
    status: 206,
    is: (a) => [blob(a), a.headers['content-range']],
    wanted: [{ digest: layer, start: 100, length: 100 }, 'bytes 100-199/1000'],
  },
  {
    name: 'a part beyond it',
    url: `/v2/etcd/blobs/${layer}`,
    range: 'bytes=1000-',
    status: 416,
    says: /RANGE_INVALID/,
  },
  { name: "another repository's blob", url: `/v2/library/nginx/blobs/${layer}`, status: 404, says: /BLOB_UNKNOWN/ },
  { name: 'a blob that is no digest', url: '/v2/etcd/blobs/..', status: 404 },
  { name: 'referrers', url: `/v2/etcd/referrers/${etcd.manifest.digest}`, status: 200, says: /"manifests":\[\]/ },
  {
    name: 'a push',
    url: '/v2/etcd/blobs/uploads/',
    method: 'POST',
    status: 405,
    says: /UNSUPPORTED/,
    is: (a) => a.headers['allow'],
    wanted: 'GET, HEAD',
  },
  { name: 'a put', url: '/v2/etcd/manifests/x', method: 'PUT', status: 405 },
  { name: 'a removal', url: `/v2/etcd/blobs/${layer}`, method: 'DELETE', status: 405 },
  { name: 'a way out', url: '/v2/../../etc/passwd', status: 404 },
  { name: 'a way out in a name', url: `/v2/etcd/../../x/blobs/${layer}`, status: 400, says: /NAME_INVALID/ },
  { name: 'an escaped way out', url: '/v2/%2e%2e/%2e%2e/manifests/x', status: 400, says: /NAME_INVALID/ },
  { name: 'an escaped slash', url: '/v2/k8s.gcr.io%2Fetcd/manifests/3.4.13-0', status: 400 },
  { name: 'capitals', url: '/v2/ETCD/manifests/3.4.13-0', status: 400 },
  { name: 'a NUL', url: '/v2/et\0cd/manifests/x', status: 400 },
  { name: 'a query that is none', url: '/v2/etcd/manifests/3.4.13-0?ns=%', status: 200 },
];

for (const { name, url, method = 'GET', range, status, says, is, wanted } of cases) {
  t.test(name, async (t) => {
    const answer = routeQuestion(catalogue, { method, url, range });
    t.equal(answer.status, status);
    if (says) t.match('body' in answer ? answer.body : '', says);
    if (is) t.same(is(answer), wanted);
  });
}

const ranges: readonly (readonly [header: string, result: ReturnType<typeof parseRange>])[] = [
  ['bytes=0-', { start: 0, length: 100 }],
  ['bytes=0-0', { start: 0, length: 1 }],
  ['bytes=99-200', { start: 99, length: 1 }],
  ['bytes=-10', { start: 90, length: 10 }],
  ['bytes=-1000', { start: 0, length: 100 }],
  ['bytes=-0', 'beyond'],
  ['bytes=100-', 'beyond'],
  ['bytes=5-4', undefined],
  ['bytes=0-1,5-6', undefined],
  ['bytes=-', undefined],
  ['bytes=99999999999999999999-', undefined],
  ['lines=1-2', undefined],
];

for (const [header, result] of ranges) {
  t.test(`range ${header}`, async (t) => t.same(parseRange(header, 100), result));
}
