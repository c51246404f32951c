import type { V1Pod } from '../../../src/kube/pod-objects.js';
import { testImage } from '../../e2e/support/test-images.js';

export const benchNamespace = 'hyperup-bench';

/** How many pods the measures with many of them have: half pause, half web server. */
export const podCount = 50;

/** One shell process that ends at once when asked to, whatever it runs beside itself. */
const until = (work: string) => ['sh', '-c', `${work}\ntrap 'exit 0' TERM\nwait`];

function makePod(name: string, spec: NonNullable<V1Pod['spec']>['containers'][number]): V1Pod {
  return { metadata: { name, namespace: benchNamespace, labels: { app: 'bench' } }, spec: { containers: [spec] } };
}

/** A pod that does nothing, of the image that every sandbox is of. */
export function pausePod(name: string, pauseImage: string): V1Pod {
  return makePod(name, { name: 'pause', image: pauseImage, imagePullPolicy: 'IfNotPresent' });
}

/** A pod that serves a page and is Ready once it does; it has a shell, `tar` and `sha256sum`. */
export function webPod(name: string): V1Pod {
  return makePod(name, {
    name: 'web',
    image: testImage('busybox'),
    imagePullPolicy: 'IfNotPresent',
    command: until('mkdir /srv && echo ok > /srv/index.html && httpd -f -p 8080 -h /srv &'),
    ports: [{ containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
  });
}

/** The same pods for everybody. */
export function manyPods(pauseImage: string): readonly V1Pod[] {
  return Array.from({ length: podCount }, (_, index) => {
    const name = `bench-${String(index).padStart(2, '0')}`;
    return index % 2 === 0 ? pausePod(name, pauseImage) : webPod(name);
  });
}

/** True where its Ready condition holds. */
export function isReady(pod: V1Pod | undefined): boolean {
  return pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}
