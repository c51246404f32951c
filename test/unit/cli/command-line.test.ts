import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import { causeChain, formatError } from '../../../src/cli/error-report.js';
import { textTable } from '../../../src/cli/text-table.js';
import { fakeCli, jsonLines } from './fake-cli.js';

t.test('help and version go to stdout with 0', async (t) => {
  const help = await fakeCli(['--help']);
  t.equal(help.exitCode, 0);
  for (const verb of ['install', 'status', 'verify', 'uninstall', 'images', 'engine', 'kubeconfig', 'render', 'logs']) {
    t.match(help.out, new RegExp(`^  ${verb} `, 'm'), verb);
  }
  t.match(help.out, '\nExamples:\n  sudo hyperup install\n');
  t.match(await fakeCli(['help', 'install']), { exitCode: 0, out: /--dry-run/ });
  t.match(await fakeCli(['install', '--help']), { exitCode: 0, out: /Global Options:[\s\S]*Examples:/ });
  t.match(await fakeCli(['--version']), { exitCode: 0, out: '1.2.3\n' });
  t.match(await fakeCli(['version']), {
    exitCode: 0,
    out: /^hyperup {5}1\.2\.3\nnode .*\nkubernetes {2}v1\.20\.2 \(known: v1\.20\.2\)\n$/,
  });
  t.match(jsonLines((await fakeCli(['version', '--json'])).out), [
    { result: { hyperup: '1.2.3', kubernetes: { default: 'v1.20.2' } } },
  ]);
});

t.test('a malformed command line is 2, told on stderr', async (t) => {
  const cases = [
    { name: 'no verb', argv: [], err: /^Usage: hyperup/ },
    { name: 'no second verb', argv: ['images'], err: /^Usage: hyperup images/ },
    {
      name: 'unknown verb',
      argv: ['instal'],
      err: /^error: unknown command 'instal'\n\(Did you mean install\?\)\nhint: /,
    },
    { name: 'unknown second verb', argv: ['images', 'lst'], err: /unknown command 'lst'/ },
    { name: 'unknown flag', argv: ['status', '--jsn'], err: /unknown option '--jsn'\n\(Did you mean --json\?\)/ },
    { name: "another verb's flag", argv: ['status', '--mirror', 'cn'], err: /unknown option '--mirror'/ },
    {
      name: 'flag without its value',
      argv: ['install', '--api-port'],
      err: /option '--api-port <port>' argument missing/,
    },
    { name: 'too many words', argv: ['status', 'now'], err: /too many arguments/ },
    { name: 'missing word', argv: ['render'], err: /missing required argument 'dir'/ },
    { name: 'loud and quiet', argv: ['status', '-v', '-q'], err: /--verbose and --quiet: choose one/ },
    {
      name: 'bad flag',
      argv: ['install', '--api-port', 'x', '--name', '-'],
      err: /2 faults\n {2}- --name: .*\n {2}- --api-port: /,
    },
    {
      name: 'bad file',
      argv: ['status', '--config', '/c.yaml'],
      configText: 'a: 1',
      err: /a in \/c\.yaml: unknown key/,
    },
  ];
  for (const { name, argv, err, ...options } of cases)
    t.match(await fakeCli(argv, options), { exitCode: 2, out: '', err }, name);
});

t.test('with --json a malformed command line is a result line too', async (t) => {
  for (const argv of [
    ['--json', 'instal'],
    ['install', '--json', '--api-port', '0'],
  ]) {
    const { exitCode, out, err } = await fakeCli(argv);
    t.equal(exitCode, 2);
    t.equal(err, '');
    t.match(jsonLines(out), [{ type: 'result', ok: false, exitCode: 2, error: { code: 'Usage' } }], argv.join(' '));
  }
});

t.test('an error that nobody translated reads as a fault of hyperup', async (t) => {
  const status = async () => {
    throw new TypeError('x is not a function');
  };
  const { exitCode, err } = await fakeCli(['status'], { verbs: { status } });
  t.equal(exitCode, 1);
  t.match(err, 'error: x is not a function\nhint: This is a fault of hyperup itself');
});

t.test('causes', async (t) => {
  const root = new Error('connect ECONNREFUSED');
  const again = new HyperupError('EngineUnreachable', 'reach engine: connect ECONNREFUSED', { cause: root });
  t.strictSame(causeChain(new HyperupError('Internal', 'top', { cause: again })), [
    'reach engine: connect ECONNREFUSED',
  ]);
  t.strictSame(
    causeChain(new HyperupError('Internal', 'top', { cause: new AggregateError([new Error('a'), new Error('b')]) })),
    ['a; b'],
  );
  const loop = new Error('loop');
  loop.cause = loop;
  t.strictSame(causeChain(loop), []);
  t.equal(formatError('text', { verbose: true, color: false }).split('\n')[0], 'error: text');
});

t.test('tables', async (t) => {
  t.equal(
    textTable(
      ['A', 'B', 'C'],
      [
        ['1', '', 'x'],
        ['', '', '\u001B[31myy\u001B[0m'],
      ],
    ),
    'A  C\n1  x\n-  \u001B[31myy\u001B[0m',
  );
  t.equal(textTable(['A'], []), '');
});
