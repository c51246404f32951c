// Bundles the command line into dist/cli: node resolves and reads some 900 small files otherwise, which takes half a
// second before anything is done. As CommonJS: Node's loader of ES modules costs 30 ms more. The library (dist/index.js)
// stays as tsc compiled it.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, transform } from 'esbuild';

/** Of dockerode its connections are used alone (`docker/transport`): not its objects, and no SSH. */
const withoutUnused = {
  name: 'without-unused',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^ssh2$/ }, ({ path }) => ({ path, namespace: 'unused' }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
    onLoad({ filter: /[/]dockerode[/]lib[/]docker\.js$/ }, () => ({
      contents: [
        "const Modem = require('docker-modem');",
        'module.exports = class Docker {',
        '  constructor(options) {',
        '    this.modem = new Modem(options);',
        '  }',
        '};',
      ].join('\n'),
    }));
  },
};

/**
 * What docker-modem loads and hyperup seldom or never uses: Node's TLS, for engines that are reached over it alone; lines
 * for debugging.
 */
const lateParts = {
  name: 'late-parts',
  setup({ onResolve, onLoad }) {
    const isTheirs = ({ importer }) => /[/]node_modules[/]docker-modem[/]/.test(importer);
    onResolve({ filter: /^(https|debug)$/ }, (args) =>
      isTheirs(args) ? { path: args.path, namespace: 'late-parts' } : undefined,
    );
    onLoad({ filter: /^debug$/, namespace: 'late-parts' }, () => ({ contents: 'module.exports = () => () => {};' }));
    onLoad({ filter: /^https$/, namespace: 'late-parts' }, () => ({
      contents: "module.exports = new Proxy({}, { get: (_, name) => require('node:https')[name] });",
    }));
  },
};

/** Zod's messages in 50 languages; its English ones come apart from them. */
const withoutLocales = {
  name: 'without-locales',
  setup({ onLoad }) {
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({ contents: 'export {};' }));
  },
};

/**
 * Commander runs programs for subcommands that are files of their own, which ours are not; what Node has for that takes
 * its time to load.
 */
const withoutPrograms = {
  name: 'without-programs',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer, path }) =>
      importer.includes('/node_modules/commander/') ? { path, namespace: 'without-programs' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'without-programs' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/**
 * Its parser is WebAssembly; V8 would spend a third of a second of one processor on compiling it better, for some dozens
 * of answers. What is set here is how many bytes it has to run through before that.
 */
const keepParserSimple = 'require("node:v8").setFlagsFromString(`--wasm-tiering-budget=${1 << 30}`);';

/**
 * Of undici connections are taken, of these kinds; fetch, caches, mocks and web sockets would cost the kubelet 6 MB of
 * memory, and every verb the time to read them.
 */
const undiciClients = (kinds, first = '') => ({
  name: 'undici-clients',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, ({ path }) => ({ path, namespace: 'undici-clients' }));
    // HTTP/1.1 alone is spoken, see `registry/transport`; Node's HTTP/2 takes its time to load too.
    onLoad({ filter: /undici\/lib\/dispatcher\/client-h2\.js$/ }, () => ({ contents: 'module.exports = undefined;' }));
    onLoad({ filter: /.*/, namespace: 'undici-clients' }, () => ({
      resolveDir: import.meta.dirname,
      contents: [
        first,
        ...kinds.map((kind) => {
          const file = kind.replace(/(?<=.)[A-Z]/g, '-$&').toLowerCase();
          return `exports.${kind} = require('undici/lib/dispatcher/${file}.js');`;
        }),
        "Object.assign(require('undici/lib/dispatcher/dispatcher.js').prototype, require('undici/lib/api'));",
      ].join('\n'),
    }));
  },
});

/** A native package that `ws` uses where it is installed; ours does the same in JavaScript. */
const websocketMask = {
  name: 'websocket-mask',
  setup({ onResolve }) {
    const path = join(import.meta.dirname, 'src/kubelet/server/websocket-mask.ts');
    onResolve({ filter: /^bufferutil$/ }, () => ({ path }));
  },
};

/** Node's own streams in another package, which docker-modem takes for old versions of Node. */
const alias = { 'readable-stream': 'node:stream' };

const folder = 'dist/cli';
const common = {
  alias,
  outdir: folder,
  bundle: true,
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: 'warning',
  // What asks for its own place takes a path too.
  define: { 'import.meta.url': '__filename' },
  plugins: [withoutUnused, withoutLocales, withoutPrograms, lateParts, websocketMask],
  // Loaded only where a certificate is issued; they don't survive bundling.
  external: ['@peculiar/x509', 'reflect-metadata'],
};

// What tsc made of the command line is of no use beside its bundle.
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
await writeFile(join(folder, 'package.json'), '{ "type": "commonjs" }\n');

// A chunk a lazy import: a verb loads what it needs. esbuild makes chunks of ES modules alone.
const chunks = await build({
  ...common,
  entryPoints: ['src/cli/main.ts'],
  format: 'esm',
  splitting: true,
  sourcemap: 'inline',
  write: false,
  plugins: [...common.plugins, undiciClients(['Client', 'Pool', 'Agent', 'ProxyAgent'], keepParserSimple)],
});
for (const { path, text } of chunks.outputFiles) {
  const { code, map } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: common.target,
    supported: { 'dynamic-import': false },
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'external',
    sourcefile: path,
  });
  await writeFile(path, `${code}//# sourceMappingURL=${basename(path)}.map\n`);
  await writeFile(`${path}.map`, map);
}

// The kubelet's image holds these two, each a whole program; whatever is in one is in its memory too.
await build({
  ...common,
  entryPoints: ['src/cli/kubelet.ts', 'src/cli/dns.ts'],
  format: 'cjs',
  plugins: [...common.plugins, undiciClients(['Client', 'Pool'])],
});
