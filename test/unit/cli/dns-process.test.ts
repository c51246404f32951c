import t from 'tap';
import { dnsHelp } from '../../../src/dns/dns-flags.js';
import { fakeCli } from './fake-cli.js';

t.test('help', async (t) => {
  const { exitCode, out, err } = await fakeCli(['dns', '--help']);
  t.equal(exitCode, 0);
  t.equal(err, '');
  t.equal(out, dnsHelp());
  for (const line of out.split('\n').slice(5)) t.notMatch(line, /…\S/, 'names and summaries are apart');
  t.match(await fakeCli(['help']), { out: /^ {2}dns /m });
});

t.test('flags that nobody knows or that say nothing of use', async (t) => {
  t.match(await fakeCli(['dns', '--nope=1']), { exitCode: 2, err: /--nope/ });
  t.match(await fakeCli(['dns', '--listen=x', '--cache=-1']), {
    exitCode: 2,
    err: /--listen: got "x".*--cache: got "-1"/,
  });
});

t.test('outside of a pod it must be told where the API server is', async (t) => {
  t.match(await fakeCli(['dns']), { exitCode: 2, err: /KUBERNETES_SERVICE_HOST/ });
});
