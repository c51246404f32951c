import t from 'tap';
import type { ContainerSummary } from '../../../src/docker/types.js';
import { podLabels } from '../../../src/provision/component-containers.js';
import { stopPods } from '../../../src/provision/stop-pods.js';

interface Given {
  readonly id: string;
  readonly namespace: string;
  readonly container?: string;
  readonly grace?: string;
  readonly createdAt?: string;
  readonly state?: ContainerSummary['state'];
}

function summary(given: Given): ContainerSummary {
  const { id, namespace, container, grace } = given;
  return {
    id,
    name: id,
    image: 'image',
    imageId: 'sha256:1',
    state: given.state ?? 'running',
    createdAt: given.createdAt ?? '2026-01-02T00:00:00Z',
    labels: {
      [podLabels.podNamespace]: namespace,
      [podLabels.dockerType]: container === undefined ? 'podsandbox' : 'container',
      ...(container === undefined ? {} : { [podLabels.containerName]: container }),
      ...(grace === undefined ? {} : { [podLabels.gracePeriod]: grace }),
    },
  };
}

/** An engine that has these containers, and writes down what is asked of it. */
function listingEngine(containers: readonly ContainerSummary[]) {
  const calls: string[] = [];
  const engine = {
    listContainers: async (filter?: { readonly labels?: readonly string[] }) =>
      containers.filter(({ labels }) =>
        (filter?.labels ?? []).every((wanted) => {
          const [key = '', value] = wanted.split('=');
          return labels[key] === value;
        }),
      ),
    stopContainer: async (id: string, grace: number) => {
      calls.push(`stop ${id} ${grace}`);
    },
    removeContainer: async (id: string) => {
      calls.push(`remove ${id}`);
      return true;
    },
  };
  return { engine: engine as unknown as Parameters<typeof stopPods>[0], calls };
}

const since = '2026-01-01T00:00:00Z';

t.test('users first, then the control plane, etcd, and the sandboxes', async (t) => {
  const { engine, calls } = listingEngine([
    summary({ id: 'etcd', namespace: 'kube-system', container: 'etcd' }),
    summary({ id: 'apiserver', namespace: 'kube-system', container: 'kube-apiserver' }),
    summary({ id: 'web', namespace: 'default', container: 'web', grace: '7' }),
    summary({ id: 'sandbox', namespace: 'default' }),
  ]);
  t.equal(await stopPods(engine, since), 4);
  t.strictSame(calls, [
    'stop web 7',
    'remove web',
    'stop apiserver 4',
    'remove apiserver',
    'stop etcd 4',
    'remove etcd',
    'remove sandbox',
  ]);
});

t.test('each pod has its own grace, within reason', async (t) => {
  const cases = [
    { name: 'as asked', grace: '5', want: 5 },
    { name: 'an hour is too long', grace: '3600', want: 30 },
    { name: 'none is a second', grace: '0', want: 1 },
    { name: 'not said', grace: undefined, want: 30 },
    { name: 'not a number', grace: 'soon', want: 30 },
  ];
  for (const { name, grace, want } of cases) {
    const given = { id: 'web', namespace: 'default', container: 'web', ...(grace === undefined ? {} : { grace }) };
    const { engine, calls } = listingEngine([summary(given)]);
    await stopPods(engine, since);
    t.equal(calls[0], `stop web ${want}`, name);
  }
});

t.test('what was there before stays, what is stopped is only removed', async (t) => {
  const { engine, calls } = listingEngine([
    summary({ id: 'before', namespace: 'default', container: 'x', createdAt: '2025-12-31T23:59:00Z' }),
    summary({ id: 'old-sandbox', namespace: 'default', createdAt: '2025-12-31T23:59:00Z' }),
    summary({ id: 'ended', namespace: 'default', container: 'y', state: 'exited' }),
  ]);
  t.equal(await stopPods(engine, since), 1);
  t.strictSame(calls, ['remove ended']);
});
