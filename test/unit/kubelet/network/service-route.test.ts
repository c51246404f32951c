import t from 'tap';
import { type Logger, silentLogger } from '../../../../src/base/logger.js';
import { ensureServiceRoute } from '../../../../src/kubelet/network/service-route.js';

const route = { destination: '10.96.0.0/12', link: 'docker0', source: '172.17.0.1' };
const ip = 'ip -4 route add 10.96.0.0/12 dev docker0 src 172.17.0.1';

interface Case {
  readonly name: string;
  readonly hostRoot?: string;
  /** How ip(8) ends; undefined: it can't be run. */
  readonly ends?: { readonly exitCode: number; readonly stderr?: string };
  readonly runs?: string;
  readonly there: boolean;
  readonly warns?: RegExp;
}

const cases: readonly Case[] = [
  { name: 'lost, in a reboot', ends: { exitCode: 0 }, there: true },
  {
    name: 'from a container',
    hostRoot: '/proc/7/root',
    ends: { exitCode: 0 },
    runs: `nsenter --root=/proc/7/root -- ${ip}`,
    there: true,
  },
  { name: 'still there', ends: { exitCode: 2, stderr: 'RTNETLINK answers: File exists\n' }, there: true },
  {
    name: 'an interface that has gone',
    ends: { exitCode: 1, stderr: 'Cannot find device "docker0"\n' },
    there: false,
    warns: /^Cannot find device "docker0"$/,
  },
  { name: 'a host without the program', there: false, warns: /no such program/ },
];

for (const { name, hostRoot = '', ends, runs = ip, there, warns } of cases) {
  t.test(name, async (t) => {
    const ran: string[] = [];
    const warnings: unknown[] = [];
    const run = async (file: string, args: readonly string[]) => {
      ran.push([file, ...args].join(' '));
      if (ends === undefined) throw new Error('no such program');
      return { command: file, stdout: '', stderr: '', ...ends };
    };
    const logger: Logger = { ...silentLogger, warn: (_message, fields) => warnings.push(fields?.['err']) };
    t.equal(await ensureServiceRoute({ route, hostRoot, run, logger }), there);
    t.same(ran, [runs]);
    t.match(warnings, warns === undefined ? [] : [warns]);
    t.equal(warnings.length, warns === undefined ? 0 : 1);
  });
}
