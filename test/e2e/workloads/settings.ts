import type { Test } from 'tap';
import { applyForTest, readManifest, type WorkloadContext } from './context.js';

interface Expectation {
  readonly name: string;
  readonly command: string;
  readonly output: string;
}

const expectations: readonly Expectation[] = [
  { name: 'a key of a ConfigMap as environment', command: 'echo "$COLOUR_OF_ONE"', output: 'green\n' },
  { name: 'a whole ConfigMap as environment', command: 'echo "$ALL_COLOUR"', output: 'green\n' },
  { name: 'a key of a Secret as environment', command: 'printf %s "$TOKEN"', output: 's3cr3t\n' },
  { name: 'a field of the pod as environment', command: 'echo "$POD_NAME"', output: 'settings\n' },
  { name: 'a ConfigMap as files', command: 'ls /settings', output: 'COLOUR\napp.conf\n' },
  { name: 'the content of such a file', command: 'cat /settings/app.conf', output: '[server]\nthreads = 4\n' },
  { name: 'a Secret as files', command: 'cat /credentials/token', output: 's3cr3t\n' },
  {
    name: 'a Secret that is no text, below a folder',
    command: 'od -An -tx1 /credentials/keys/key.bin | tr -d " "',
    output: '00ff1080\n',
  },
  { name: "the mode of a Secret's files", command: 'stat -Lc %a /credentials/token', output: '400\n' },
  {
    name: 'a Secret that is never on a disk',
    command: 'awk \'$2 == "/credentials" { print $3 }\' /proc/mounts',
    output: 'tmpfs\n',
  },
  {
    name: "a Secret that can't be written",
    command: '(echo x >/credentials/token) 2>/dev/null || echo refused',
    output: 'refused\n',
  },
  { name: 'an empty folder to write to', command: 'echo x >/scratch/file && cat /scratch/file', output: 'x\n' },
];

/** A ConfigMap and a Secret, as environment and as files. */
export async function settings(t: Test, context: WorkloadContext): Promise<void> {
  await applyForTest(t, context, await readManifest('settings.yaml'), 'app=settings');
  await context.run(['wait', '--for=condition=Ready', '--timeout=60s', 'pod/settings']);
  for (const { name, command, output } of expectations) {
    t.equal(await context.run(['exec', 'settings', '--', 'sh', '-c', command]), output, name);
  }
}
