// Bundles the command line into dist/cli: node resolves and reads some 900 small files otherwise, which takes half a
// second before anything is done. The library (dist/index.js) stays as tsc compiled it.
import { join } from 'node:path';
import { build } from 'esbuild';

/** Parts of dockerode that hyperup never calls: SSH connections, BuildKit sessions and its own archives, a third of its code. */
const unused = ['ssh2', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs', 'tar-fs', '@balena/dockerignore'];
const withoutUnused = {
  name: 'without-unused',
  setup({ onResolve, onLoad }) {
    const filter = new RegExp(`^(${unused.join('|')})$`);
    onResolve({ filter }, ({ path }) => ({ path, namespace: 'unused' }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};', loader: 'js' }));
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
 * Of undici connections are taken, of these kinds; fetch, caches, mocks and web sockets would cost the kubelet 6 MB of
 * memory, and every verb the time to read them.
 */
const undiciClients = (...kinds) => ({
  name: 'undici-clients',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, ({ path }) => ({ path, namespace: 'undici-clients' }));
    // HTTP/1.1 alone is spoken, see `registry/transport`; Node's HTTP/2 takes its time to load too.
    onLoad({ filter: /undici\/lib\/dispatcher\/client-h2\.js$/ }, () => ({ contents: 'module.exports = undefined;' }));
    onLoad({ filter: /.*/, namespace: 'undici-clients' }, () => ({
      resolveDir: import.meta.dirname,
      contents: [
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

const common = {
  alias,
  outdir: 'dist/cli',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  logLevel: 'warning',
  plugins: [withoutUnused, withoutLocales, websocketMask],
  // Loaded only where a certificate is issued; they don't survive bundling.
  external: ['@peculiar/x509', 'reflect-metadata'],
  // What CommonJS dependencies take for granted.
  banner: {
    js: [
      "import { createRequire as bundleRequire } from 'node:module';",
      "import { dirname as bundleDirname } from 'node:path';",
      "import { fileURLToPath as bundlePath } from 'node:url';",
      'const require = bundleRequire(import.meta.url);',
      'const __filename = bundlePath(import.meta.url);',
      'const __dirname = bundleDirname(__filename);',
    ].join('\n'),
  },
};

// A chunk a lazy import: a verb loads what it needs.
const kinds = ['Client', 'Pool', 'Agent', 'ProxyAgent'];
await build({
  ...common,
  entryPoints: ['src/cli/main.ts'],
  splitting: true,
  minifySyntax: true,
  minifyWhitespace: true,
  plugins: [...common.plugins, undiciClients(...kinds)],
});
// The kubelet's image holds these two, each a whole program; whatever is in one is in its memory too.
for (const program of ['src/cli/kubelet.ts', 'src/cli/dns.ts']) {
  await build({
    ...common,
    entryPoints: [program],
    splitting: false,
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: false,
    plugins: [...common.plugins, undiciClients('Client', 'Pool')],
  });
}
