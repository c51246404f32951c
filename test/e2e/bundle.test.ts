import { join } from 'node:path';
import t from 'tap';
import { onBareMachine } from './support/bare-machine.js';
import { cliPath, jsonLines } from './support/cli.js';
import { cliJson, type InstallView, type ResultLine, type StatusView, temporaryFolder } from './support/cluster.js';
import { ensureClusterImages } from './support/cluster-images.js';
import { pathWithout } from './support/path-without.js';
import { describeFailure } from './support/program.js';

t.setTimeout(900_000);

t.before(ensureClusterImages);

/** What stands between two marks in the output of a script. */
function section(text: string, name: string): string {
  return (text.split(`<<${name}>>\n`)[1]?.split(/^<</m)[0] ?? '').trim();
}

for (const kubelet of ['auto', 'builtin'] as const) {
  t.test(`a bundle is all that a machine without a network needs, kubelet ${kubelet}`, async (t) => {
    const dir = await temporaryFolder(t);
    const bundle = join(dir, 'hyperup.tar');
    const saved = await cliJson<{ files: string[]; sizeBytes: number }>(
      ['images', 'save', '-o', bundle, '--mirror', 'none'],
      { timeoutMs: 300_000 },
    );
    t.equal(saved.exitCode, 0, 'saved', { said: describeFailure(saved.run) });
    t.same(saved.line.result.files, [bundle], 'one file');

    const cli = `PATH='${await pathWithout('kubectl', dir)}' '${process.execPath}' '${cliPath}'`;
    const run = await onBareMachine(
      t,
      `echo '<<routes>>'; ip route show table all type unicast | grep -v ' dev lo '; ip -o link
      echo '<<images>>'; docker images -q
      echo '<<plan>>'; ${cli} install --bundle '${bundle}' --kubelet ${kubelet} --kubeconfig '${dir}/config' --dry-run --json
      echo '<<install>>'; ${cli} install --bundle '${bundle}' --kubelet ${kubelet} --kubeconfig '${dir}/config' --json; echo
      echo '<<verify>>'; ${cli} verify --json; echo
      echo '<<route>>'; ip route show 10.96.0.0/12
      echo '<<reboot>>'; ip route delete 10.96.0.0/12; docker restart hyperup-kubelet >/dev/null
      for i in $(seq 100); do ip route show 10.96.0.0/12 | grep . && break; sleep 0.1; done
      echo '<<nodes>>'; /usr/local/bin/kubectl --kubeconfig '${dir}/config' get nodes --no-headers
      echo '<<pods>>'; /usr/local/bin/kubectl --kubeconfig '${dir}/config' get pods -A
      echo '<<uninstall>>'; ${cli} uninstall --yes --json; echo
      echo '<<end>>'`,
      600_000,
    );
    const said = { said: describeFailure(run), engine: run.engineLog.slice(-2000) };
    const of = (name: string) => section(run.stdout, name);
    const result = <T>(name: string) => jsonLines(of(name)).at(-1) as ResultLine<T> | undefined;
    t.notMatch(of('routes'), /^default/m, 'no route leads out', said);
    t.equal(of('images'), '', 'the engine has no image');
    const plan = result<{ images: { reference: string; source: string }[] }>('plan')?.result;
    t.ok(
      plan?.images.every(({ source }) => source === 'bundle'),
      'the dry run names the bundle',
      said,
    );
    const install = result<InstallView>('install');
    t.ok(install?.ok, 'installed', said);
    t.ok(install?.result.status.healthy, 'healthy');
    t.equal(install?.result.kubectl, '/usr/local/bin/kubectl', 'kubectl came along');
    t.match(of('nodes'), /\bReady\b/, 'the node is Ready', said);
    const verify = result<StatusView>('verify');
    t.ok(verify?.ok && verify.result.healthy, 'verified', said);
    t.match(of('route'), /^10\.96\.0\.0\/12 dev docker0 .*src /, 'Service addresses have a route', said);
    t.equal(of('reboot'), of('route'), 'a kubelet that starts puts back what a reboot takes away', said);
    t.notMatch(of('install'), /"source":"(?:mirror|upstream)/, 'no registry was asked');
    t.ok(result('uninstall')?.ok, 'taken back', said);
  });
}
