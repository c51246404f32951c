// Bundles the command line into dist/cli: node resolves and reads some 900 small files otherwise, which takes half a
// second before anything is done. The library (dist/index.js) stays as tsc compiled it.
import { build } from 'esbuild';

const common = {
  outdir: 'dist/cli',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  logLevel: 'warning',
  // The first is an optional native part of ssh2, which hyperup has no use for; the others are loaded only where a
  // certificate is issued, and don't survive bundling.
  external: ['cpu-features', '@peculiar/x509', 'reflect-metadata'],
  loader: { '.node': 'empty' },
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
await build({ ...common, entryPoints: ['src/cli/main.ts'], splitting: true });
// The kubelet's image holds this one file.
await build({ ...common, entryPoints: ['src/cli/kubelet.ts'], splitting: false, minifySyntax: true, sourcemap: false });
