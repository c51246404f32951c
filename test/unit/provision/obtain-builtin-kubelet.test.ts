import { join } from 'node:path';
import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import type { HostChange } from '../../../src/host/journal-types.js';
import type { InstallContext } from '../../../src/provision/install-context.js';
import { obtainBuiltinKubelet } from '../../../src/provision/obtain-builtin-kubelet.js';

/** An install on a machine whose libraries can't be listed, so that nothing big is ever written. */
function makeContext(root: string, there: boolean, recorded: HostChange[]): InstallContext {
  const context = {
    options: { images: { cacheDir: join(root, 'cache') } },
    runtime: {
      packageRoot: root,
      packageVersion: '1.2.3',
      signal: new AbortController().signal,
      host: {
        run: async (command: string) => ({ command, exitCode: 127, stdout: '', stderr: 'ldd: not found' }),
      },
    },
    slots: {
      engine: {
        inspectImage: async () => (there ? { labels: {} } : undefined),
        loadImage: async () => {
          throw new HyperupError('Internal', 'nothing was to be loaded');
        },
      },
      engineInfo: { architecture: 'x86_64' },
      journal: { record: async (change: HostChange) => void recorded.push(change) },
    },
  };
  return context as unknown as InstallContext;
}

t.test('the tag is in the journal before anything is made, unless it was there', async (t) => {
  const root = t.testdir({
    'package.json': '{}',
    images: { kubelet: { 'programs.txt': 'true\n' } },
    dist: { cli: { 'kubelet.js': '' } },
  });
  for (const there of [false, true]) {
    const recorded: HostChange[] = [];
    await t.rejects(obtainBuiltinKubelet(makeContext(root, there, recorded)), { code: 'BuildFailed', message: /ldd/ });
    const change = { kind: 'imageTag', reference: 'hyperup/kubelet:1.2.3', previousId: undefined, pulledAs: undefined };
    t.strictSame(recorded, there ? [] : [change]);
  }
});
