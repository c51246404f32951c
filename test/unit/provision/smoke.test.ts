import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import t from 'tap';
import { smokePod } from '../../../src/provision/smoke.js';
import { clusterNames, type Finding, insideFault, outsideFault } from '../../../src/provision/smoke-names.js';
import { smokePort, smokeServer } from '../../../src/provision/smoke-program.js';
import { releaseFor } from '../../../src/release/release-for.js';

const names = {
  ...clusterNames({ clusterDomain: 'lab.example', serviceCidr: '10.96.0.0/12' }),
  outside: 'world.example.',
};
const api = { addresses: ['10.96.0.1'] };
const whole = 'kubernetes.default.svc.lab.example.';

t.test('what is asked for', async (t) => {
  t.strictSame(names.inside, [whole, 'kubernetes.default']);
  t.equal(names.address, '10.96.0.1');
});

t.test('what is wrong with the answers', async (t) => {
  const cases: readonly [string, Record<string, Finding>, RegExp | undefined, RegExp | undefined][] = [
    [
      'nothing',
      { [whole]: api, 'kubernetes.default': api, 'world.example.': { addresses: ['192.0.2.1'] } },
      undefined,
      undefined,
    ],
    [
      'the search path',
      { [whole]: api, 'kubernetes.default': { error: 'ENOTFOUND' } },
      /kubernetes\.default by.*ENOTFOUND/,
      /no answer/,
    ],
    ['another address', { [whole]: { addresses: ['192.0.2.9'] } }, /at 192\.0\.2\.9, want 10\.96\.0\.1/, /no answer/],
    ['no answer', {}, /no answer/, /world\.example\. outside/],
    [
      'outside',
      { [whole]: api, 'kubernetes.default': api, 'world.example.': { error: 'ETIMEOUT' } },
      undefined,
      /ETIMEOUT/,
    ],
  ];
  for (const [name, found, inside, outside] of cases) {
    const faults = [insideFault(names, found), outsideFault(names, found)];
    for (const [index, want] of [inside, outside].entries()) {
      if (want === undefined) t.equal(faults[index], undefined, name);
      else t.match(faults[index], want, name);
    }
  }
  t.equal(outsideFault({ ...names, outside: undefined }, {}), undefined, 'nothing outside was asked for');
});

t.test('which program the pod runs', async (t) => {
  const options = { release: releaseFor('v1.20.2'), kubeletImage: 'hyperup/kubelet:1.2.3' };
  const imageOf = (given: Parameters<typeof smokePod>[1]) => smokePod('x', given).spec?.containers[0]?.image;
  t.match(imageOf(options), /hyperkube/, "kubectl's file server");
  t.equal(imageOf({ ...options, names }), 'hyperup/kubelet:1.2.3', 'one that can look for names');
  t.equal(
    imageOf({ ...options, release: releaseFor('v1.24.3') }),
    'hyperup/kubelet:1.2.3',
    'where there is no kubectl',
  );
});

t.test('the program is one, and tells its host name and what it finds', async (t) => {
  const free = await new Promise<number>((resolve) => {
    const probe = spawn(process.execPath, [
      '-e',
      "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})",
    ]);
    probe.stdout.on('data', (data) => resolve(Number(data)));
  });
  const program = smokeServer.replace(`listen(${smokePort})`, `listen(${free}, '127.0.0.1')`);
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'ignore', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const ask = async (path: string): Promise<string> => {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${free}${path}`).catch(() => undefined);
      if (answer) return answer.text();
    }
  };
  t.equal(await ask('/smoke/hostname'), hostname());
  const found = JSON.parse(await ask('/smoke/dns?name=a..b.&name=..'));
  t.match(found, { 'a..b.': { error: /^E/ }, '..': { error: /^E/ } }, 'a name that is none is an error, not an end');
  child.kill('SIGTERM');
  t.strictSame(await once(child, 'exit'), [0, null], 'it ends when told to');
});
