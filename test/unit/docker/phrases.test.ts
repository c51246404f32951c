import t from 'tap';
import type { ErrorCode } from '../../../src/base/errors.js';
import { enginePhrases, findNameHolder, findPhrase } from '../../../src/docker/phrases.js';

/** Texts as engines and registries have really said them. At least one for each phrase. */
const cases: readonly {
  readonly phrase: string;
  readonly text: string;
  readonly code: ErrorCode;
  readonly scope?: 'any' | 'registry';
}[] = [
  {
    phrase: 'disk full',
    text: 'Error processing tar file(exit status 1): write /bin/kubelet: no space left on device',
    code: 'EngineFailed',
  },
  { phrase: 'disk full', text: 'mkdir /var/lib/docker/tmp/x: disk quota exceeded', code: 'EngineFailed' },
  {
    phrase: 'privileged containers refused',
    text: 'OCI runtime create failed: container_linux.go:367: starting container process caused: unable to apply caps: operation not permitted: unknown',
    code: 'EngineFailed',
  },
  {
    phrase: 'not a shared mount',
    text: 'path /var/lib/kubelet is mounted on / but it is not a shared mount',
    code: 'EngineFailed',
  },
  {
    phrase: 'not a shared mount',
    text: 'path / is mounted on / but it is not a shared or slave mount',
    code: 'EngineFailed',
  },
  {
    phrase: 'mount source absent',
    text: 'invalid mount config for type "bind": bind source path does not exist: /nonexistent',
    code: 'EngineFailed',
  },
  {
    phrase: 'port taken',
    text: 'driver failed programming external connectivity on endpoint web (0f…): Bind for 0.0.0.0:80 failed: port is already allocated',
    code: 'Conflict',
  },
  {
    phrase: 'port taken',
    text: 'Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use',
    code: 'Conflict',
  },
  {
    phrase: 'name taken',
    text: 'Conflict. The container name "/hyperup" is already in use by container "ab12". You have to remove (or rename) that container to be able to reuse that name.',
    code: 'AlreadyExists',
  },
  {
    phrase: 'API version refused',
    text: 'client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version',
    code: 'EngineFailed',
  },
  {
    phrase: 'reference malformed',
    text: 'invalid reference format: repository name must be lowercase',
    code: 'InvalidConfig',
  },
  {
    phrase: 'not an image archive',
    text: 'open /var/lib/docker/tmp/docker-import-1655149815/repositories: no such file or directory',
    code: 'EngineFailed',
  },
  {
    phrase: 'rate limit',
    text: 'toomanyrequests: You have reached your pull rate limit.',
    code: 'RegistryFailed',
    scope: 'registry',
  },
  {
    phrase: 'digest mismatch',
    text: 'manifest verification failed for digest sha256:0123',
    code: 'DigestMismatch',
    scope: 'registry',
  },
  {
    phrase: 'digest mismatch',
    text: 'filesystem layer verification failed for digest sha256:0123',
    code: 'DigestMismatch',
    scope: 'registry',
  },
  {
    phrase: 'digest mismatch',
    text: 'failed commit on ref "layer-sha256:01": unexpected commit digest sha256:02, expected sha256:01: failed precondition',
    code: 'DigestMismatch',
    scope: 'registry',
  },
  {
    phrase: 'plain HTTP registry',
    text: 'Get "https://10.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client',
    code: 'RegistryFailed',
    scope: 'registry',
  },
  {
    phrase: 'certificate refused',
    text: 'Get "https://registry.invalid/v2/": x509: certificate signed by unknown authority',
    code: 'RegistryFailed',
    scope: 'registry',
  },
  {
    phrase: 'certificate refused',
    text: 'x509: certificate is valid for *.facebook.com, not production.cloudflare.docker.com',
    code: 'RegistryFailed',
    scope: 'registry',
  },
  {
    phrase: 'no such platform',
    text: 'no matching manifest for linux/amd64 in the manifest list entries',
    code: 'ImageUnavailable',
    scope: 'registry',
  },
  {
    phrase: 'no such image at the registry',
    text: 'manifest for 127.0.0.1:5000/pause:3.2 not found: manifest unknown: manifest unknown',
    code: 'ImageUnavailable',
    scope: 'registry',
  },
  {
    phrase: 'no such image at the registry',
    text: "pull access denied for pause, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    code: 'ImageUnavailable',
    scope: 'registry',
  },
  {
    phrase: 'login wanted',
    text: 'Head "https://registry.invalid/v2/pause/manifests/3.2": no basic auth credentials',
    code: 'ImageUnavailable',
    scope: 'registry',
  },
  {
    phrase: 'registry unreachable',
    text: 'Get "https://nosuch.invalid/v2/": dial tcp: lookup nosuch.invalid on 10.0.0.53:53: no such host',
    code: 'RegistryFailed',
    scope: 'registry',
  },
  {
    phrase: 'registry unreachable',
    text: 'Get "http://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused',
    code: 'RegistryFailed',
    scope: 'registry',
  },
  {
    phrase: 'registry unreachable',
    text: 'Get "https://k8s.gcr.io/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)',
    code: 'RegistryFailed',
    scope: 'registry',
  },
  { phrase: 'registry unreachable', text: 'unexpected EOF', code: 'RegistryFailed', scope: 'registry' },
  {
    phrase: 'registry answers with a fault',
    text: 'received unexpected HTTP status: 503 Service Unavailable',
    code: 'RegistryFailed',
    scope: 'registry',
  },
  { phrase: 'no such image', text: 'No such image: pause:3.2', code: 'NotFound' },
  { phrase: 'no such container', text: 'No such container: ab12', code: 'NotFound' },
  { phrase: 'no such container', text: 'No such exec instance: ab12', code: 'NotFound' },
];

for (const { phrase, text, code, scope = 'any' } of cases) {
  t.test(`${phrase}: ${text.slice(0, 60)}`, async (test) => {
    const found = findPhrase(text, scope);
    test.equal(found?.name, phrase);
    test.equal(found?.code, code);
  });
}

t.test('every phrase has a case, and those that a user can act on have a hint', async (test) => {
  const named = new Set(cases.map((each) => each.phrase));
  for (const { name, hint, code } of enginePhrases) {
    test.ok(named.has(name), `${name} has a case`);
    test.ok(hint !== undefined || code === 'NotFound', `${name} has a hint`);
  }
});

t.test("a registry's phrases mean nothing where no registry is spoken to", async (test) => {
  test.equal(findPhrase('dial tcp 127.0.0.1:9: connect: connection refused', 'any'), undefined);
  test.equal(findPhrase('something never heard before', 'registry'), undefined);
});

t.test('who has a name that is taken', async (test) => {
  const text =
    'create container a: Conflict. The container name "/a" is already in use by container "0c1d2e3f". You have to remove (or rename) that container to be able to reuse that name.';
  test.equal(findNameHolder(text), '0c1d2e3f');
  test.equal(findNameHolder('Bind for 0.0.0.0:80 failed: port is already allocated'), undefined);
});
