import t from 'tap';
import { parseImageReference, withDefaultTag } from '../../../../src/kubelet/runtime/image-reference.js';
import { findCredentials } from '../../../../src/kubelet/runtime/pull-credentials.js';

const digest = `sha256:${'a'.repeat(64)}`;

t.test('references', (t) => {
  const good: readonly (readonly [string, string, string | undefined, string | undefined, string])[] = [
    ['busybox', 'docker.io/library/busybox', undefined, undefined, 'busybox:latest'],
    ['a/b:1', 'docker.io/a/b', '1', undefined, 'a/b:1'],
    ['localhost/b', 'localhost/b', undefined, undefined, 'localhost/b:latest'],
    ['127.0.0.1:5000/b', '127.0.0.1:5000/b', undefined, undefined, '127.0.0.1:5000/b:latest'],
    ['index.docker.io/x', 'docker.io/library/x', undefined, undefined, 'index.docker.io/x:latest'],
    [`k8s.gcr.io/p@${digest}`, 'k8s.gcr.io/p', undefined, digest, `k8s.gcr.io/p@${digest}`],
    [`Reg.io:1/p_q:v.1@${digest}`, 'Reg.io:1/p_q', 'v.1', digest, `Reg.io:1/p_q:v.1@${digest}`],
    [digest, 'docker.io/library/sha256', 'a'.repeat(64), undefined, digest],
  ];
  for (const [text, name, tag, own, tagged] of good) {
    t.strictSame(parseImageReference(text), { name, tag, digest: own }, text);
    t.equal(withDefaultTag(text), tagged, text);
  }
  const bad: readonly (readonly [string, string])[] = [
    ['FOO BAR', 'invalid reference format: repository name must be lowercase'],
    ['Busybox', 'invalid reference format: repository name must be lowercase'],
    ['a//b', 'invalid reference format'],
    ['', 'invalid reference format'],
    ['b:tag with', 'invalid reference format'],
    ['b@sha256:12', 'invalid reference format'],
    ['-b', 'invalid reference format'],
    ['f'.repeat(64), `invalid repository name (${'f'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
    [`a/${'b'.repeat(256)}`, 'repository name must not be more than 255 characters'],
  ];
  for (const [text, message] of bad) t.throws(() => parseImageReference(text), { code: 'InvalidConfig', message });
  t.end();
});

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
const secretOf = (...locations: readonly string[]) => ({
  type: 'kubernetes.io/dockerconfigjson',
  data: {
    '.dockerconfigjson': encode({
      auths: Object.fromEntries(
        locations.map((each) => [each, { auth: Buffer.from(`${each}:p:w`).toString('base64') }]),
      ),
    }),
  },
});

t.test('credentials for a repository', (t) => {
  const cases: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
    ['the host', 'quay.io/a/b', ['quay.io', 'other.io'], ['quay.io']],
    ['the longer path first', 'quay.io/a/b', ['quay.io', 'https://quay.io/a'], ['https://quay.io/a', 'quay.io']],
    ['another path', 'quay.io/a/b', ['quay.io/c'], []],
    ['another port', 'quay.io:5000/a', ['quay.io'], []],
    ['a wildcard', 'r1.quay.io/a', ['*.quay.io'], ['*.quay.io']],
    ['a wildcard is one part', 'a.r1.quay.io/a', ['*.quay.io'], []],
    ['a dot is a dot', 'quayxio/a', ['quay.io'], []],
    ['an API path', 'quay.io/a', ['https://quay.io/v1/'], ['https://quay.io/v1/']],
    ['Docker Hub', 'docker.io/library/x', ['https://index.docker.io/v1/'], ['https://index.docker.io/v1/']],
  ];
  for (const [name, repository, locations, want] of cases) {
    const found = findCredentials(repository, [secretOf(...locations)]);
    t.strictSame(
      found,
      want.map((each) => {
        const text = `${each}:p:w`;
        const colon = text.indexOf(':');
        return { username: text.slice(0, colon), password: text.slice(colon + 1), serveraddress: each };
      }),
      name,
    );
  }
  const old = {
    type: 'kubernetes.io/dockercfg',
    data: { '.dockercfg': encode({ q: { username: 'u', password: 'p' } }) },
  };
  t.strictSame(findCredentials('q/x', [old]), [{ username: 'u', password: 'p', serveraddress: 'q' }]);
  const broken = { type: 'kubernetes.io/dockercfg', data: { '.dockercfg': 'e30' } };
  t.strictSame(findCredentials('q/x', [broken, { type: 'Opaque' }, { type: 'kubernetes.io/dockercfg' }]), []);
  t.end();
});
