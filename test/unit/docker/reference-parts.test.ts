import t from 'tap';
import { pathOf, splitReference } from '../../../src/docker/reference-parts.js';

const digest = `sha256:${'a'.repeat(64)}`;
const cases = [
  { reference: 'pause', repository: 'pause', tag: 'latest' },
  { reference: 'pause:3.2', repository: 'pause', tag: '3.2' },
  { reference: 'k8s.gcr.io/pause:3.2', repository: 'k8s.gcr.io/pause', tag: '3.2' },
  { reference: 'localhost:5000/pause', repository: 'localhost:5000/pause', tag: 'latest' },
  { reference: '[::1]:5000/a/b:1', repository: '[::1]:5000/a/b', tag: '1' },
  { reference: `m:5000/pause@${digest}`, repository: 'm:5000/pause', tag: digest },
  { reference: `m:5000/pause:3.2@${digest}`, repository: 'm:5000/pause', tag: digest },
];
for (const { reference, ...want } of cases) {
  t.test(reference.slice(0, 40), async (test) => test.same(splitReference(reference), want));
}

t.test('a reference in a path keeps its shape and nothing else', async (test) => {
  test.equal(pathOf(`m:5000/a/b@${digest}`), `m:5000/a/b@${digest}`);
  test.equal(pathOf('a?force=1#x y'), 'a%3Fforce%3D1%23x%20y');
});
