import { mkdir, readdir, realpath, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { extract } from 'tar-stream';
import type { CommandResult } from '../../../src/base/run-command.js';
import { ensureKubeletImage, kubeletContentLabel } from '../../../src/imagebuild/kubelet-image.js';

interface TarFile {
  readonly content: Buffer;
  readonly mode: number | undefined;
  readonly type: string | null | undefined;
}

async function readTar(tar: Readable | Buffer): Promise<Map<string, TarFile>> {
  const files = new Map<string, TarFile>();
  const unpack = extract();
  const done = (async () => {
    for await (const entry of unpack) {
      const { name, mode, type } = entry.header;
      files.set(name, { content: await buffer(entry), mode, type });
    }
  })();
  if (Buffer.isBuffer(tar)) unpack.end(tar);
  else tar.pipe(unpack);
  await done;
  return files;
}

interface Loaded {
  readonly config: { readonly Labels: Record<string, string>; readonly Entrypoint: string[]; readonly Cmd: string[] };
  readonly tags: readonly string[];
  readonly layer: Map<string, TarFile>;
}

interface Scene {
  readonly root: string;
  readonly loaded: Loaded[];
  ldd: (program: string) => Partial<CommandResult>;
  ensure(): ReturnType<typeof ensureKubeletImage>;
}

/** An installed package with a fake Node beside it, and an engine that keeps what it is given. */
async function makeScene(t: Pick<Test, 'testdir'>): Promise<Scene> {
  const root = await realpath(
    t.testdir({
      app: {
        'package.json': '{"name":"hyperup"}',
        images: { kubelet: { 'programs.txt': '# a comment\n\ntrue\n' } },
        dist: { cli: { 'kubelet.js': 'the bundle', 'dns.js': 'the other bundle', 'package.json': 'their kind' } },
        node_modules: {
          '@peculiar': {
            x509: {
              'package.json': '{"dependencies":{"dep":"1"}}',
              build: { 'x509.js': 'x509', 'x509.d.ts': 'types' },
              node_modules: { nested: { 'n.js': 'nested' } },
            },
          },
          'reflect-metadata': { 'package.json': '{}', 'Reflect.js': 'reflect', 'README.md': '#' },
        },
      },
      node_modules: { dep: { 'package.json': '{"dependencies":{"reflect-metadata":"1"}}', 'index.mjs': 'dep' } },
      bin: { 'node-20': 'the program' },
      lib: { 'libc.so.6.real': 'the library', 'ld.so': 'the loader' },
    }),
  );
  await symlink('node-20', join(root, 'bin', 'node'));
  await symlink('libc.so.6.real', join(root, 'lib', 'libc.so.6'));
  const scene: Scene = {
    root,
    loaded: [],
    ldd: () => ({
      stdout: [
        '\tlinux-vdso.so.1 (0x00007ffd)',
        `\tlibc.so.6 => ${root}/lib/libc.so.6 (0x00007f00)`,
        `\t${root}/lib/ld.so (0x00007f01)`,
        '',
      ].join('\n'),
    }),
    ensure: () =>
      ensureKubeletImage({
        engine: {
          async inspectImage(reference) {
            const found = scene.loaded.at(-1);
            if (!found?.tags.includes(reference)) return undefined;
            return { labels: found.config.Labels } as never;
          },
          async loadImage(tar) {
            const files = await readTar(tar);
            const json = (name: string) => JSON.parse(files.get(name)?.content.toString() ?? '');
            const [manifest] = json('manifest.json');
            const layer = files.get(manifest.Layers[0])?.content ?? Buffer.alloc(0);
            scene.loaded.push({
              config: json(manifest.Config).config,
              tags: manifest.RepoTags,
              layer: await readTar(layer),
            });
            return manifest.RepoTags;
          },
        },
        run: async (command, args) => {
          if (command !== 'ldd') throw new Error(`unexpected ${command}`);
          return { command, exitCode: 0, stdout: '', stderr: '', ...scene.ldd(args[0] ?? '') };
        },
        packageRoot: join(root, 'app'),
        packageVersion: '1.2.3',
        nodePath: join(root, 'bin', 'node'),
        nodeVersion: 'v20.18.1',
        cacheDir: join(root, 'cache'),
        architecture: 'amd64',
      }),
  };
  return scene;
}

t.test('what is in it', async (t) => {
  const scene = await makeScene(t);
  t.strictSame(await scene.ensure(), { reference: 'hyperup/kubelet:1.2.3', changed: true });
  const [image] = scene.loaded;
  const files = [...(image?.layer ?? [])].flatMap(([name, { content, mode, type }]) =>
    type === 'file' && name !== 'usr/bin/true' ? [[name, content.toString(), mode?.toString(8)]] : [],
  );
  const lib = `${scene.root.slice(1)}/lib`;
  const modules = 'opt/hyperup/node_modules';
  t.strictSame(
    files.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
    [
      ['etc/passwd', 'root:x:0:0:root:/root:/bin/false\n', '644'],
      ['opt/hyperup/dist/cli/dns.js', 'the other bundle', '644'],
      ['opt/hyperup/dist/cli/kubelet.js', 'the bundle', '644'],
      ['opt/hyperup/dist/cli/package.json', 'their kind', '644'],
      [`${modules}/@peculiar/x509/build/x509.js`, 'x509', '644'],
      [`${modules}/@peculiar/x509/package.json`, '{"dependencies":{"dep":"1"}}', '644'],
      [`${modules}/dep/index.mjs`, 'dep', '644'],
      [`${modules}/dep/package.json`, '{"dependencies":{"reflect-metadata":"1"}}', '644'],
      [`${modules}/reflect-metadata/Reflect.js`, 'reflect', '644'],
      [`${modules}/reflect-metadata/package.json`, '{}', '644'],
      ['opt/hyperup/package.json', '{"name":"hyperup"}', '644'],
      ['usr/local/bin/node', 'the program', '755'],
      [`${lib}/ld.so`, 'the loader', '755'],
      [`${lib}/libc.so.6`, 'the library', '755'],
    ].toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  );
  t.ok(image?.layer.get('usr/bin/true')?.content.length);
  t.equal(image?.layer.get('tmp/')?.mode, 0o1777);
  t.ok(image?.layer.has('proc/'), 'what the engine mounts on');
  t.match(image?.config, { Entrypoint: ['/usr/local/bin/node'], Cmd: ['/opt/hyperup/dist/cli/kubelet.js'] });
  t.strictSame(await readdir(join(scene.root, 'cache')), [], 'nothing is left on the disk');
});

t.test('it is made anew where something of it has changed, and only then', async (t) => {
  const scene = await makeScene(t);
  await scene.ensure();
  t.strictSame(await scene.ensure(), { reference: 'hyperup/kubelet:1.2.3', changed: false });
  const bundle = join(scene.root, 'app', 'dist', 'cli', 'kubelet.js');
  await writeFile(bundle, 'the bundle');
  t.equal((await scene.ensure()).changed, false, 'the same bundle, written again');
  await writeFile(bundle, 'the Bundle');
  t.equal((await scene.ensure()).changed, true, 'another bundle of the same size');
  await writeFile(join(scene.root, 'lib', 'ld.so'), 'another loader');
  t.equal((await scene.ensure()).changed, true, 'a library');
  const labels = scene.loaded.map(({ config }) => config.Labels[kubeletContentLabel]);
  t.equal(new Set(labels).size, 3);
});

t.test('a program without libraries', async (t) => {
  const scene = await makeScene(t);
  scene.ldd = () => ({ exitCode: 1, stderr: '\tnot a dynamic executable\n' });
  await scene.ensure();
  t.notOk([...(scene.loaded[0]?.layer.keys() ?? [])].some((name) => name.endsWith('ld.so')));
});

t.test('what it can not be made without', async (t) => {
  const cases: readonly (readonly [string, (scene: Scene) => unknown, RegExp])[] = [
    ['ldd fails', (scene) => (scene.ldd = () => ({ exitCode: 127, stderr: 'no ldd' })), /ldd ended with 127/],
    [
      'a library is missing',
      (scene) => (scene.ldd = () => ({ stdout: '\tlibx.so.1 => not found\n' })),
      /no libx\.so\.1/,
    ],
    [
      'a program is missing',
      ({ root }) => writeFile(join(root, 'app', 'images', 'kubelet', 'programs.txt'), 'no-such-program\n'),
      /this machine has no no-such-program/,
    ],
    [
      'a package is missing',
      ({ root }) =>
        writeFile(join(root, 'node_modules', 'dep', 'package.json'), '{"dependencies":{"no-such-package":"1"}}'),
      /package no-such-package is not installed/,
    ],
    [
      'the bundle is missing',
      async ({ root }) => {
        await mkdir(join(root, 'elsewhere'));
        await rename(join(root, 'app', 'dist', 'cli', 'kubelet.js'), join(root, 'elsewhere', 'kubelet.js'));
      },
      /kubelet\.js/,
    ],
  ];
  for (const [name, spoil, message] of cases) {
    await t.test(name, async (t) => {
      const scene = await makeScene(t);
      await spoil(scene);
      await t.rejects(scene.ensure(), { code: 'BuildFailed', message });
      t.equal(scene.loaded.length, 0);
    });
  }
});
