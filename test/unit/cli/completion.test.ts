import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { fakeCli } from './fake-cli.js';

const hasShell = (name: string) => spawnSync(name, ['-c', 'true']).status === 0;

/** What the script offers for a command line whose last word is being typed. */
function bashOffers(script: string, words: readonly string[], cwd: string): readonly string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const program = `source "$1"; complete -p hyperup >/dev/null || exit 9
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _hyperup
for word in "\${COMPREPLY[@]}"; do printf '%s\\n' "$word"; done`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', program, 'bash', script], { encoding: 'utf8', cwd });
  if (status !== 0 || stderr !== '') throw new Error(`bash: ${status} ${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}

t.test('bash', { skip: hasShell('bash') ? false : 'bash is not on this machine' }, async (t) => {
  const script = (await fakeCli(['completion', 'bash'])).out;
  const dir = t.testdir({ script, files: { 'a file.yaml': '', folder: {} } });
  const offers = (...words: string[]) => bashOffers(join(dir, 'script'), ['hyperup', ...words], join(dir, 'files'));
  t.strictSame(offers('in'), ['install']);
  t.strictSame([...offers('images', '')].sort(), [
    'build',
    'copy',
    'import',
    'list',
    'load',
    'lock',
    'mirrors',
    'pull',
    'save',
    'serve',
    'sync',
    'tag',
    'verify',
    'watch',
  ]);
  t.strictSame(offers('images', 'pull', '--mi'), ['--mirror']);
  t.strictSame(offers('install', '--js'), ['--json'], 'global flags are offered everywhere');
  t.strictSame(offers('--json', 'engine', 'st'), ['status'], 'flags before the verb');
  t.strictSame(offers('install', '--kubelet', ''), ['auto', 'hyperkube', 'builtin']);
  t.strictSame(offers('install', '--kubelet', '=', 'h'), ['hyperkube'], '--kubelet=h');
  t.strictSame(offers('install', '--kubelet', '='), ['auto', 'hyperkube', 'builtin'], '--kubelet=');
  t.strictSame(offers('install', '--dns', ''), ['auto', 'coredns', 'builtin', 'none']);
  t.strictSame(offers('logs', 'd'), ['dns']);
  t.strictSame(offers('install', '--config', 'a'), ['a file.yaml'], 'a blank does not split a file');
  t.strictSame(offers('status', '--state-dir', ''), ['folder']);
  t.strictSame(offers('install', '--name', ''), [], 'nothing is known of a free value');
  t.strictSame(offers('logs', 'kube-a'), ['kube-apiserver']);
  t.strictSame(offers('completion', 'z'), ['zsh']);
  t.strictSame(offers('status', '--mirror'), [], "another verb's flag is not offered");
});

for (const shell of ['zsh', 'fish']) {
  const skip = hasShell(shell) ? false : `${shell} is not on this machine`;
  t.test(`${shell}: the script parses`, { skip }, async (t) => {
    const { out } = await fakeCli(['completion', shell]);
    const { status, stderr } = spawnSync(shell, [shell === 'zsh' ? '-n' : '--no-execute'], {
      input: out,
      encoding: 'utf8',
    });
    t.equal(stderr, '');
    t.equal(status, 0);
  });
}

t.test('zsh and fish know every command and flag', async (t) => {
  const zsh = (await fakeCli(['completion', 'zsh'])).out;
  t.match(zsh, /^#compdef hyperup\n/);
  t.match(zsh, "    'hyperup engine configure')\n");
  t.match(zsh, "'--registry-mirror:mirror of Docker Hub (repeatable)'");
  t.match(zsh, '--kubelet) compadd auto hyperkube builtin; return ;;');
  const fish = (await fakeCli(['completion', 'fish'])).out;
  t.match(fish, "complete -c hyperup -n '__hyperup_node \\'hyperup images\\'' -a 'pull' -d ");
  t.match(fish, "complete -c hyperup -n '__hyperup_node \\'hyperup logs\\'' -l follow -s f -d ");
  t.match(fish, "-l kubelet -x -a 'auto hyperkube builtin' -d ");
});
