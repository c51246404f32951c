import t from 'tap';
import { formatImageLocation, locationName, parseImageLocation } from '../../../../src/mirror/content/location.js';

const hex = 'a'.repeat(64);

t.test('locations that are well-formed', async (t) => {
  const cases: readonly (readonly [string, object, string])[] = [
    [
      'docker://busybox',
      { transport: 'docker', reference: 'docker.io/library/busybox:latest' },
      'a name of Docker Hub',
    ],
    ['busybox:1', { transport: 'docker', reference: 'docker.io/library/busybox:1' }, 'a bare reference'],
    ['docker:dind', { transport: 'docker', reference: 'docker.io/library/docker:dind' }, 'an image called docker'],
    ['localhost:5000/a/b', { transport: 'docker', reference: 'localhost:5000/a/b:latest' }, 'a host with a port'],
    [`docker://a.b/c@sha256:${hex}`, { transport: 'docker', reference: `a.b/c@sha256:${hex}` }, 'a digest, and no tag'],
    ['docker-daemon:busybox', { transport: 'docker-daemon', reference: 'docker.io/library/busybox:latest' }, 'engine'],
    [`docker-daemon:sha256:${hex}`, { transport: 'docker-daemon', reference: `sha256:${hex}` }, 'an image id'],
    ['oci:/srv/x', { transport: 'oci', path: '/srv/x', name: undefined }, 'no name'],
    ['oci:x:etcd-3.4', { transport: 'oci', path: 'x', name: 'etcd-3.4' }, 'a name'],
    ['oci:x:a__b:1', { transport: 'oci', path: 'x', name: 'a__b:1' }, 'a name of a repository'],
    ['oci:x:k8s.gcr.io/etcd:3', { transport: 'oci', path: 'x', name: 'k8s.gcr.io/etcd:3' }, 'a name with a colon'],
    ['oci-archive:x.tar:a', { transport: 'oci-archive', path: 'x.tar', name: 'a' }, 'an archive'],
    ['docker-archive:x.tar', { transport: 'docker-archive', path: 'x.tar', name: undefined }, 'all of it'],
    ['docker-archive:x:a:1', { transport: 'docker-archive', path: 'x', name: 'docker.io/library/a:1' }, 'a reference'],
    ['docker-archive:x:@12', { transport: 'docker-archive', path: 'x', name: '@12' }, 'a number'],
  ];
  for (const [text, want, name] of cases) {
    const location = parseImageLocation(text);
    t.strictSame(location, want, name);
    t.strictSame(parseImageLocation(formatImageLocation(location)), want, `${name}, and back`);
  }
  t.equal(locationName(parseImageLocation('oci:x')), '');
  t.equal(locationName(parseImageLocation('oci:x:y')), 'y');
  t.equal(locationName(parseImageLocation('docker://y')), 'docker.io/library/y:latest');
});

t.test('locations that are not', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /it is empty/],
    ['docker://', /it is empty/],
    ['docker://Busybox', /lowercase/],
    ['docker://a b', /white space/],
    ['https://a/b', /URL scheme/],
    ['oci:', /no path/],
    ['oci-archive::x', /no path/],
    ['oci:x:', /nothing follows/],
    ['oci:x:-a', /not a name for an image layout/],
    ['oci:x:a b', /not a name for an image layout/],
    ['oci:a\0b', /zero byte/],
    [`docker-archive:x:a@sha256:${hex}`, /tags, not digests/],
    ['docker-archive:x:@-1', /docker-archive:x:@-1/],
    ['dir:/srv', /no transport "dir:"/],
    ['containers-storage:x', /no transport/],
  ];
  for (const [text, message] of cases) {
    t.throws(() => parseImageLocation(text), { code: 'InvalidConfig', message }, JSON.stringify(text));
  }
});
