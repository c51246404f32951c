import t from 'tap';
import { resolveKubeletOptions } from '../../../../src/kubelet/config/resolve-kubelet-options.js';
import { createNodeReader, readConditions } from '../../../../src/kubelet/node/node-reader.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { facts, makeReading } from './node-reading.js';

const options = resolveKubeletOptions({
  flags: {},
  configuration: new Map([['nodeStatusMaxImages', 2]]),
  parsed: {},
  host: { hostname: 'node-1', defaultAddress: '192.0.2.7', hostRoot: '' },
  defaultVersion: 'v1.20.2',
  defaultPauseImage: 'p',
});

const image = (id: string, sizeBytes: number, tags: readonly string[], digests: readonly string[] = []) => ({
  id,
  tags,
  digests,
  sizeBytes,
  user: '',
  createdAtMs: 0,
});

t.test('images: the biggest, named, and listed no more often than every half minute', async (t) => {
  const clock = makeManualClock();
  let lists = 0;
  let fails = false;
  const read = createNodeReader({
    options,
    facts,
    room: makeReading().room,
    engine: {
      async listImages() {
        lists += 1;
        if (fails) throw new Error('the engine is away');
        return [
          image('1', 5, ['small:1']),
          image('2', 50, []),
          image('3', 20, ['a:1', 'a:2', 'a:3'], ['a@sha256:1', 'a@sha256:2', 'a@sha256:3']),
          image('4', 10, ['b:1']),
        ];
      },
    },
    engineVersion: '20.10',
    clock,
    pressure: () => [],
    isHealthy: () => true,
    volumesInUse: () => [],
  });
  const want = [
    { names: ['a@sha256:1', 'a@sha256:2', 'a@sha256:3', 'a:1', 'a:2'], sizeBytes: 20 },
    { names: ['b:1'], sizeBytes: 10 },
  ];
  t.strictSame((await read()).images, want);
  clock.advance(29_999);
  await read();
  t.equal(lists, 1);
  clock.advance(1);
  fails = true;
  t.strictSame((await read()).images, want, 'an engine that is away keeps what was known');
  t.equal(lists, 2);
});

t.test('conditions', async (t) => {
  const show = (...args: Parameters<typeof readConditions>) =>
    readConditions(...args).map(({ type, isTrue, reason }) => `${type}=${isTrue} ${reason}`);
  t.strictSame(show([], true), [
    'MemoryPressure=false KubeletHasSufficientMemory',
    'DiskPressure=false KubeletHasNoDiskPressure',
    'PIDPressure=false KubeletHasSufficientPID',
    'Ready=true KubeletReady',
  ]);
  t.strictSame(show(['PIDPressure', 'MemoryPressure', 'DiskPressure'], false), [
    'MemoryPressure=true KubeletHasInsufficientMemory',
    'DiskPressure=true KubeletHasDiskPressure',
    'PIDPressure=true KubeletHasInsufficientPID',
    'Ready=false KubeletNotReady',
  ]);
});
