import t from 'tap';
import { isHyperupError } from '../../../src/base/errors.js';
import {
  baseName,
  familiarName,
  formatReference,
  parseReference,
  sameRepository,
  taggedOnly,
} from '../../../src/registry/reference.js';

const hex = 'dbcc1c35ac38df41fd2f5e4130b32ffdb93ebae8b3dbe638c23575912276fc9c';
const sha = `sha256:${hex}`;

interface Good {
  readonly text: string;
  readonly domain?: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
  /** Where it differs from `text`. */
  readonly familiar?: string;
}

const good: readonly Good[] = [
  { text: 'redis', path: 'library/redis' },
  { text: 'redis:latest', path: 'library/redis', tag: 'latest' },
  { text: `redis@${sha}`, path: 'library/redis', digest: sha },
  { text: `busybox:latest@${sha}`, path: 'library/busybox', tag: 'latest', digest: sha },
  { text: 'docker.io/redis', path: 'library/redis', familiar: 'redis' },
  { text: 'docker.io/library/redis', path: 'library/redis', familiar: 'redis' },
  { text: 'library/redis', path: 'library/redis', familiar: 'redis' },
  { text: 'index.docker.io/redis', path: 'library/redis', familiar: 'redis' },
  { text: 'index.docker.io/library/redis:6', path: 'library/redis', tag: '6', familiar: 'redis:6' },
  { text: 'index.docker.io/some/app', path: 'some/app', familiar: 'some/app' },
  { text: 'library/foo/bar', path: 'library/foo/bar' },
  { text: 'docker.io/library/foo/bar', path: 'library/foo/bar', familiar: 'library/foo/bar' },
  { text: 'other/library', path: 'other/library' },
  { text: 'dmcgowan/myapp:v2', path: 'dmcgowan/myapp', tag: 'v2' },
  { text: 'docker/migrator', path: 'docker/migrator' },
  { text: 'test_com/foo', path: 'test_com/foo' },
  { text: 'ubuntu-12.04-base', path: 'library/ubuntu-12.04-base' },
  { text: 'docker---rules/docker', path: 'docker---rules/docker' },
  { text: 'dock__er/docker', path: 'dock__er/docker' },
  { text: 'd/t', path: 'd/t' },
  { text: '192.168.0.1', path: 'library/192.168.0.1' },
  { text: '192.168.0.1:80', path: 'library/192.168.0.1', tag: '80' },
  { text: 'localhost', path: 'library/localhost' },
  { text: 'localhost:5000', path: 'library/localhost', tag: '5000' },
  { text: 'localhost/etcd', domain: 'localhost', path: 'etcd' },
  { text: 'localhost:5000/etcd:3.4.13-0', domain: 'localhost:5000', path: 'etcd', tag: '3.4.13-0' },
  { text: 'k8s.gcr.io/pause:3.2', domain: 'k8s.gcr.io', path: 'pause', tag: '3.2' },
  { text: `k8s.gcr.io/pause@${sha}`, domain: 'k8s.gcr.io', path: 'pause', digest: sha },
  { text: 'registry.k8s.io/coredns/coredns:v1', domain: 'registry.k8s.io', path: 'coredns/coredns', tag: 'v1' },
  { text: 'k8s.gcr.io/hyperkube:v1.20.2', domain: 'k8s.gcr.io', path: 'hyperkube', tag: 'v1.20.2' },
  { text: 'test.com:8080/foo', domain: 'test.com:8080', path: 'foo' },
  { text: 'test-com:8080/foo', domain: 'test-com:8080', path: 'foo' },
  { text: 'xn--n3h.com/foo', domain: 'xn--n3h.com', path: 'foo' },
  { text: '192.168.0.2:25000/debian', domain: '192.168.0.2:25000', path: 'debian' },
  { text: '127.0.0.1/debian', domain: '127.0.0.1', path: 'debian' },
  { text: '[fc00::1]:5000/docker', domain: '[fc00::1]:5000', path: 'docker' },
  { text: '[fc00::1]/docker:1', domain: '[fc00::1]', path: 'docker', tag: '1' },
  { text: '[fc00:1:2:3:4:5:6:7]:5000/library/debian', domain: '[fc00:1:2:3:4:5:6:7]:5000', path: 'library/debian' },
  { text: 'Docker/docker', domain: 'Docker', path: 'docker' },
  { text: 'REGISTRY.example/app', domain: 'REGISTRY.example', path: 'app' },
  { text: 'm.daocloud.io/k8s.gcr.io/etcd:1', domain: 'm.daocloud.io', path: 'k8s.gcr.io/etcd', tag: '1' },
  { text: 'a.b/c:Tag_1.x-Y', domain: 'a.b', path: 'c', tag: 'Tag_1.x-Y' },
  { text: `a.b/c:${'t'.repeat(128)}`, domain: 'a.b', path: 'c', tag: 't'.repeat(128) },
  { text: `docker.io/${hex}`, path: `library/${hex}`, familiar: hex },
  { text: hex.slice(1), path: `library/${hex.slice(1)}` },
  { text: `a.b/c@sha512:${hex}${hex}`, domain: 'a.b', path: 'c', digest: `sha512:${hex}${hex}` },
  { text: `a.b/${'x'.repeat(251)}`, domain: 'a.b', path: 'x'.repeat(251) },
];

t.test('well-formed references', async (t) => {
  for (const { text, familiar, ...want } of good) {
    const parsed = parseReference(text);
    t.same(parsed, { domain: 'docker.io', ...want }, text.slice(0, 60));
    t.same(parseReference(formatReference(parsed)), parsed, 'format and parse are a pair');
    // A name of 64 hex digits is familiar to Docker as an id, so it can't be read back.
    const short = familiarName(parsed);
    t.equal(short, familiar ?? text);
    if (short !== hex) t.same(parseReference(short), parsed);
  }
});

const bad: readonly { readonly text: string; readonly says: RegExp }[] = [
  { text: '', says: /empty/ },
  { text: hex, says: /image id/ },
  { text: 'https://github.com/docker/docker', says: /URL scheme/ },
  { text: 'docker://busybox', says: /URL scheme/ },
  { text: 'bad name', says: /white space/ },
  { text: 'a/b:1\n', says: /white space/ },
  { text: 'docker/Docker', says: /lowercase/ },
  { text: 'Redis', says: /lowercase/ },
  { text: 'docker.io/docker/Docker', says: /lowercase/ },
  { text: 'k8s.gcr.io/Pause:3.2', says: /lowercase/ },
  { text: '-docker', says: /not a repository name/ },
  { text: 'docker-/docker', says: /not a repository name/ },
  { text: '-docker.io/docker/docker', says: /not a host/ },
  { text: '____/____', says: /not a repository name/ },
  { text: '_docker/_docker', says: /not a repository name/ },
  { text: 'dock..er/docker', says: /not a host/ },
  { text: 'a/dock_.er', says: /not a repository name/ },
  { text: 'a/dock-.er', says: /not a repository name/ },
  { text: 'a/dock___er', says: /not a repository name/ },
  { text: 'docker///docker', says: /empty element/ },
  { text: 'docker/', says: /empty element/ },
  { text: '/docker', says: /empty element/ },
  { text: 'docker.io/', says: /no repository name/ },
  { text: 'a.b/', says: /no repository name/ },
  { text: ':tag', says: /no repository name/ },
  { text: `@${sha}`, says: /no repository name/ },
  { text: 'redis:', says: /not a tag/ },
  { text: 'redis:-1', says: /not a tag/ },
  { text: 'redis:.1', says: /not a tag/ },
  { text: 'redis:1:2', says: /not a tag/ },
  { text: 'redis:a/b', says: /not a host/ },
  { text: `a.b/c:${'t'.repeat(129)}`, says: /not a tag/ },
  { text: 'redis@', says: /not a digest/ },
  { text: 'redis@sha256', says: /not a digest/ },
  { text: 'redis@sha256:abcd', says: /not a digest/ },
  { text: `redis@sha256:${hex.slice(1)}`, says: /63 characters, want 64/ },
  { text: `redis@sha256:${hex.toUpperCase()}`, says: /0-9 and a-f/ },
  { text: `redis@md5:${hex.slice(32)}`, says: /"md5" is not supported/ },
  { text: `redis@${sha}:tag`, says: /not a digest/ },
  { text: `redis@${sha}@${sha}`, says: /not a digest/ },
  { text: '[fc00::1]', says: /not a repository name|not a tag/ },
  { text: '[fe80::1%eth0]:5000/debian', says: /not a host/ },
  { text: '[2001:db8:3:4::192.0.2.33]:5000/debian', says: /not a host/ },
  { text: 'fc00::1:5000/debian', says: /not a host/ },
  { text: 'host:port/app', says: /not a host/ },
  { text: 'ho_st:80/app', says: /not a host/ },
  { text: `a.b/${'x'.repeat(252)}`, says: /longer than 255/ },
];

t.test('malformed references say what is wrong', async (t) => {
  for (const { text, says } of bad) {
    try {
      parseReference(text);
      t.fail(`"${text}" was taken`);
    } catch (error) {
      t.ok(isHyperupError(error, 'InvalidConfig'), `"${text.slice(0, 60)}" is InvalidConfig`);
      t.match(error, { message: says }, text.slice(0, 60));
    }
  }
});

t.test('the parts that other code asks for', async (t) => {
  t.equal(baseName(parseReference('registry.k8s.io/coredns/coredns:v1')), 'coredns');
  t.equal(baseName(parseReference('redis')), 'redis');
  t.same(taggedOnly(parseReference('a.b/c')), { domain: 'a.b', path: 'c', tag: 'latest' });
  t.same(taggedOnly(parseReference(`a.b/c:1@${sha}`)), { domain: 'a.b', path: 'c', tag: '1' });
  t.equal(taggedOnly(parseReference(`a.b/c@${sha}`)), undefined);
  t.ok(sameRepository(parseReference('redis:1'), parseReference(`docker.io/library/redis@${sha}`)));
  t.notOk(sameRepository(parseReference('a.b/c'), parseReference('a.c/c')));
});
