import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { RunCommand } from '../../../src/base/run-command.js';
import { createDockerCredentials } from '../../../src/registry/docker-credentials.js';

const encode = (text: string) => Buffer.from(text).toString('base64');
const user = { kind: 'basic', username: 'ann', password: 'pa:ss' };
const auth = encode('ann:pa:ss');

interface Case {
  readonly name: string;
  readonly file?: unknown;
  readonly host?: string;
  /** What a helper prints, by its name and the server that it is asked for. */
  readonly helpers?: Readonly<Record<string, { readonly exitCode?: number; readonly stdout: string }>>;
  readonly want?: unknown;
  readonly error?: RegExp;
}

const cases: readonly Case[] = [
  { name: 'no file' },
  { name: 'an empty file', file: '' },
  { name: 'nothing for the host', file: { auths: { 'other.example': { auth } } } },
  { name: 'by host', file: { auths: { 'reg.example': { auth } } }, want: user },
  { name: 'by host and port', host: 'reg.example:5000', file: { auths: { 'reg.example:5000': { auth } } }, want: user },
  { name: 'of another port', file: { auths: { 'reg.example:5000': { auth } } } },
  { name: 'by URL', file: { auths: { 'https://reg.example/v2/': { auth } } }, want: user },
  { name: 'by path', file: { auths: { 'reg.example/project': { auth } } }, want: user },
  {
    name: 'the host itself before a path',
    file: { auths: { 'reg.example/project': { auth: encode('bob:x') }, 'reg.example': { auth } } },
    want: user,
  },
  { name: 'Docker Hub', host: 'docker.io', file: { auths: { 'https://index.docker.io/v1/': { auth } } }, want: user },
  { name: 'Docker Hub by its name', host: 'docker.io', file: { auths: { 'docker.io': { auth } } }, want: user },
  {
    name: 'username and password',
    file: { auths: { 'reg.example': { username: 'ann', password: 'pa:ss' } } },
    want: user,
  },
  { name: 'a NUL at the end', file: { auths: { 'reg.example': { auth: encode('ann:pa:ss\0\0') } } }, want: user },
  {
    name: 'an identity token',
    file: { auths: { 'reg.example': { auth: encode('<token>:'), identitytoken: 'tok' } } },
    want: { kind: 'identityToken', token: 'tok' },
  },
  { name: 'an entry left empty for a helper', file: { auths: { 'reg.example': {} } } },
  {
    name: 'a helper of the host',
    file: { credHelpers: { 'reg.example': 'one' }, credsStore: 'two', auths: { 'reg.example': {} } },
    helpers: { 'one reg.example': { stdout: '{"ServerURL":"reg.example","Username":"ann","Secret":"pa:ss"}' } },
    want: user,
  },
  {
    name: 'the common helper',
    host: 'docker.io',
    file: { credsStore: 'two' },
    helpers: {
      'two https://index.docker.io/v1/': { stdout: '{"ServerURL":"x","Username":"<token>","Secret":"tok"}' },
    },
    want: { kind: 'identityToken', token: 'tok' },
  },
  {
    name: 'a helper that has none',
    file: { credsStore: 'two', auths: { 'reg.example': { auth } } },
    helpers: { 'two reg.example': { exitCode: 1, stdout: 'credentials not found in native keychain' } },
    want: user,
  },
  {
    name: 'a helper that fails',
    file: { credsStore: 'two' },
    helpers: { 'two reg.example': { exitCode: 1, stdout: 'pass not initialized' } },
    error: /config\.json: its credential helper docker-credential-two failed for reg\.example: exit 1: pass not init/,
  },
  {
    name: 'a helper that is missing',
    file: { credsStore: 'gone' },
    error: /docker-credential-gone failed for reg\.example: there is no program/,
  },
  {
    name: 'a helper that prints nonsense',
    file: { credsStore: 'two' },
    helpers: { 'two reg.example': { stdout: 'SECRET {' } },
    error: /its answer is not JSON/,
  },
  { name: 'a helper with a path for a name', file: { credsStore: '../../bin/sh' }, error: /credsStore is malformed/ },
  { name: 'not JSON', file: `{"auths":{"reg.example":{"auth":"SECRET" oops`, error: /config\.json: it is not JSON$/ },
  { name: 'of another shape', file: { auths: [] }, error: /auths is malformed/ },
  {
    name: 'an auth that is not base64',
    file: { auths: { 'reg.example': { auth: 'SECRET!' } } },
    error: /auths\["reg\.example"\]\.auth is not/,
  },
  {
    name: 'an auth without a colon',
    file: { auths: { 'reg.example': { auth: encode('SECRET') } } },
    error: /USER:PASSWORD/,
  },
];

for (const { name, file, host = 'reg.example', helpers = {}, want, error } of cases) {
  t.test(name, async (t) => {
    const dir = t.testdir(
      file === undefined ? {} : { 'config.json': typeof file === 'string' ? file : JSON.stringify(file) },
    );
    const run: RunCommand = async (program, args, options) => {
      t.strictSame(args, ['get']);
      const found = helpers[`${program.replace('docker-credential-', '')} ${options?.stdin}`];
      if (found === undefined) throw new Error(`there is no program ${program}`);
      return { command: program, exitCode: found.exitCode ?? 0, stdout: found.stdout, stderr: '' };
    };
    const work = createDockerCredentials({ dir, run }).find(host);
    if (error === undefined) {
      t.strictSame(await work, want);
      return;
    }
    await t.rejects(work, { code: 'InvalidConfig', message: error });
    await work.catch((thrown: unknown) => t.notMatch(JSON.stringify(thrown) + String(thrown), /SECRET/));
  });
}

t.test('a file that is a folder', async (t) => {
  const dir = t.testdir({});
  await mkdir(join(dir, 'config.json'));
  const store = createDockerCredentials({ dir, run: async () => t.fail('runs nothing') as never });
  await t.rejects(store.find('reg.example'), { code: 'InvalidConfig', message: /config\.json: EISDIR/ });
});

t.test('a login is seen without a new start', async (t) => {
  const dir = t.testdir({});
  const store = createDockerCredentials({ dir, run: async () => t.fail('runs nothing') as never });
  t.equal(await store.find('reg.example'), undefined);
  await writeFile(join(dir, 'config.json'), JSON.stringify({ auths: { 'reg.example': { auth } } }));
  t.strictSame(await store.find('reg.example'), user);
});
