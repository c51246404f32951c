import t from 'tap';
import { isHyperupError } from '../../../src/base/errors.js';
import { mirrorCandidates, parseMirrors } from '../../../src/mirror/mirror-spec.js';
import { mirrorPresets } from '../../../src/mirror/presets.js';
import { formatReference, parseReference } from '../../../src/registry/reference.js';

function candidatesOf(mirror: string, image: string): readonly string[] {
  return parseMirrors([mirror, 'none']).entries.flatMap((entry) =>
    entry === 'upstream' ? [] : mirrorCandidates(entry, parseReference(image)).map(formatReference),
  );
}

const digest = `@sha256:${'a'.repeat(64)}`;

t.test('the names that a mirror may hold an image under', async (t) => {
  const cases: readonly { readonly mirror: string; readonly image: string; readonly want: readonly string[] }[] = [
    { mirror: 'm.example', image: 'k8s.gcr.io/etcd:3.4.13-0', want: ['m.example/etcd:3.4.13-0'] },
    { mirror: 'm.example:5000', image: 'k8s.gcr.io/etcd:1', want: ['m.example:5000/etcd:1'] },
    { mirror: 'm.example/a/b', image: 'k8s.gcr.io/etcd:1', want: ['m.example/a/b/etcd:1'] },
    { mirror: 'm.example/a/', image: 'k8s.gcr.io/etcd:1', want: ['m.example/a/etcd:1'] },
    { mirror: ' m.example ', image: 'k8s.gcr.io/etcd:1', want: ['m.example/etcd:1'] },
    { mirror: 'https://m.example/a', image: 'k8s.gcr.io/etcd:1', want: ['m.example/a/etcd:1'] },
    { mirror: 'localhost', image: 'k8s.gcr.io/etcd:1', want: ['localhost/etcd:1'] },
    { mirror: '[::1]:5000/x', image: 'k8s.gcr.io/etcd:1', want: ['[::1]:5000/x/etcd:1'] },
    {
      mirror: 'm.example/p',
      image: 'registry.k8s.io/coredns/coredns:v1',
      want: ['m.example/p/coredns/coredns:v1', 'm.example/p/coredns:v1'],
    },
    { mirror: 'm.example', image: 'redis:6', want: ['m.example/library/redis:6', 'm.example/redis:6'] },
    { mirror: 'm.example', image: 'redis', want: ['m.example/library/redis:latest', 'm.example/redis:latest'] },
    { mirror: 'm.example', image: `k8s.gcr.io/etcd${digest}`, want: [`m.example/etcd${digest}`] },
    { mirror: 'm.example/x/{name}', image: 'registry.k8s.io/coredns/coredns:v1', want: ['m.example/x/coredns:v1'] },
    { mirror: 'm.example/{path}', image: 'registry.k8s.io/a/b:v1', want: ['m.example/a/b:v1'] },
    { mirror: 'm.example/{domain}/{path}', image: 'k8s.gcr.io/etcd:1', want: ['m.example/k8s.gcr.io/etcd:1'] },
    {
      mirror: 'docker.io/rancher/{name}:{tag}-rancher1',
      image: 'k8s.gcr.io/hyperkube:v1.20.2',
      want: ['docker.io/rancher/hyperkube:v1.20.2-rancher1'],
    },
    {
      mirror: 'aliyun',
      image: 'registry.k8s.io/coredns/coredns:v1',
      want: [
        'registry.aliyuncs.com/google_containers/coredns:v1',
        'registry.cn-hangzhou.aliyuncs.com/google_containers/coredns:v1',
      ],
    },
    { mirror: 'aliyun', image: 'docker.io/library/redis:6', want: [] },
    {
      mirror: 'daocloud',
      image: 'k8s.gcr.io/etcd:3.4.13-0',
      want: ['k8s-gcr.m.daocloud.io/etcd:3.4.13-0', 'm.daocloud.io/k8s.gcr.io/etcd:3.4.13-0'],
    },
    {
      mirror: 'm.example:5000/p',
      image: 'reg.example:8443/a/b/c:v1',
      want: ['m.example:5000/p/a/b/c:v1', 'm.example:5000/p/c:v1'],
    },
    {
      mirror: 'm.example/{domain}/{path}',
      image: 'busybox',
      want: ['m.example/docker.io/library/busybox:latest'],
    },
    { mirror: 'docker.io/acme', image: 'k8s.gcr.io/pause:3.2', want: ['docker.io/acme/pause:3.2'] },
    {
      mirror: 'cn',
      image: 'registry.k8s.io/coredns/coredns:v1.8.6',
      want: [
        'registry.aliyuncs.com/google_containers/coredns:v1.8.6',
        'registry.cn-hangzhou.aliyuncs.com/google_containers/coredns:v1.8.6',
        'k8s.m.daocloud.io/coredns/coredns:v1.8.6',
        'm.daocloud.io/registry.k8s.io/coredns/coredns:v1.8.6',
        'swr.cn-north-4.myhuaweicloud.com/ddn-k8s/registry.k8s.io/coredns/coredns:v1.8.6',
        'k8s.dockerproxy.net/coredns/coredns:v1.8.6',
      ],
    },
    {
      mirror: 'cn',
      image: 'quay.io/calico/node:v3',
      want: [
        'quay.m.daocloud.io/calico/node:v3',
        'm.daocloud.io/quay.io/calico/node:v3',
        'swr.cn-north-4.myhuaweicloud.com/ddn-k8s/quay.io/calico/node:v3',
      ],
    },
    {
      mirror: 'cn',
      image: 'nginx',
      want: [
        'docker.m.daocloud.io/library/nginx:latest',
        'm.daocloud.io/docker.io/library/nginx:latest',
        'swr.cn-north-4.myhuaweicloud.com/ddn-k8s/docker.io/library/nginx:latest',
        'dockerproxy.net/library/nginx:latest',
      ],
    },
    {
      mirror: 'daocloud',
      image: 'redis:6',
      want: ['docker.m.daocloud.io/library/redis:6', 'm.daocloud.io/docker.io/library/redis:6'],
    },
  ];
  for (const { mirror, image, want } of cases) t.same(candidatesOf(mirror, image), want, `${mirror} for ${image}`);
});

t.test('the order, upstream and none', async (t) => {
  const cases: readonly { readonly words: readonly string[]; readonly want: readonly string[] }[] = [
    { words: [], want: ['upstream'] },
    { words: ['none'], want: [] },
    { words: ['a.example'], want: ['a.example', 'upstream'] },
    { words: ['b.example', 'a.example'], want: ['b.example', 'a.example', 'upstream'] },
    { words: ['upstream', 'a.example'], want: ['upstream', 'a.example'] },
    { words: ['a.example', 'upstream', 'b.example'], want: ['a.example', 'upstream', 'b.example'] },
    { words: ['a.example', 'none'], want: ['a.example'] },
    { words: ['a.example', 'a.example/', 'https://a.example'], want: ['a.example', 'upstream'] },
    { words: ['huawei', 'a.example'], want: ['swr.cn-north-4.myhuaweicloud.com/ddn-k8s', 'a.example', 'upstream'] },
  ];
  for (const { words, want } of cases) {
    const got = parseMirrors(words).entries.map((entry) => (entry === 'upstream' ? entry : entry.name));
    t.same(got, want, words.join(' '));
  }
});

t.test('what is not a mirror', async (t) => {
  const cases: readonly { readonly words: readonly string[]; readonly says: RegExp }[] = [
    { words: [''], says: /HOST\[:PORT\]/ },
    { words: ['mirrorgooglecontainers'], says: /neither a preset nor a host.*docker\.io\/mirrorgooglecontainers/ },
    { words: ['cnn'], says: /Presets: cn, / },
    { words: ['ftp://a.example'], says: /HOST\[:PORT\]/ },
    { words: ['a.example:port'], says: /HOST\[:PORT\]/ },
    { words: ['a.example:123456'], says: /HOST\[:PORT\]/ },
    { words: ['user@a.example'], says: /HOST\[:PORT\]/ },
    { words: ['a.example/Upper'], says: /lowercase/ },
    { words: ['a.example/a//b'], says: /empty element/ },
    { words: ['a.example/x:1'], says: /tag|repository/ },
    { words: ['a.example/{image}'], says: /"\{image\}" is not known.*\{name\}/ },
    { words: ['a.example/{domain}'], says: /no \{name\} or \{path\}/ },
    { words: ['a.example/{name'], says: /no \{name\} or \{path\}/ },
    { words: ['upstream', 'none'], says: /both "none" and "upstream"/ },
  ];
  for (const { words, says } of cases) {
    try {
      parseMirrors(words);
      t.fail(`${words.join(' ')} was taken`);
    } catch (error) {
      t.ok(isHyperupError(error, 'InvalidConfig'), `"${words.join(' ')}" is InvalidConfig`);
      t.match(isHyperupError(error) ? `${error.message} ${error.hint}` : '', says);
    }
  }
});

t.test('every preset serves Kubernetes images, and each of its mirrors is one that could be written', async (t) => {
  for (const preset of mirrorPresets) {
    t.ok(candidatesOf(preset.name, 'k8s.gcr.io/etcd:3.4.13-0').length > 0, preset.name);
    for (const mirror of preset.mirrors) {
      for (const template of mirror.templates) t.ok(parseMirrors([template]), template);
    }
  }
});
