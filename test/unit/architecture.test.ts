import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';

/** Rooms from the lowest rank to the highest; a room imports lower ranks and itself. */
const ranks: readonly (readonly string[])[] = [
  ['base'],
  ['config', 'release', 'docker', 'kube', 'pki', 'host', 'registry'],
  ['mirror', 'controlplane', 'nodeagent', 'kubelet', 'dns', 'engine', 'preflight', 'imagebuild'],
  ['provision'],
  ['cli', '(entry)'],
];

/** Packages and globals that belong to one room alone. */
const reserved = [
  { room: 'docker', what: 'dockerode', found: (file: SourceFile) => file.packages.includes('dockerode') },
  { room: 'provision', what: 'listr2', found: (file: SourceFile) => file.packages.includes('listr2') },
  { room: 'cli', what: 'commander', found: (file: SourceFile) => file.packages.includes('commander') },
  {
    room: 'config',
    what: 'process.env',
    found: (file: SourceFile) =>
      /\bprocess\s*(\.\s*env\b|\[\s*'env')|\benv\b[^;\n]*from 'node:process'/.test(file.code),
  },
  { room: 'cli', what: 'process.exit', found: (file: SourceFile) => /\bprocess\s*\.\s*exit(Code)?\b/.test(file.code) },
  {
    room: 'cli',
    what: 'the terminal',
    found: (file: SourceFile) => /\bprocess\s*\.\s*(stdout|stderr|stdin)\b|\bconsole\s*\./.test(file.code),
  },
] as const;

interface SourceFile {
  /** From the repository's root. */
  readonly path: string;
  readonly room: string;
  readonly text: string;
  /** The text without comments. */
  readonly code: string;
  /** Files of `src` that it imports, types included. */
  readonly imports: readonly string[];
  readonly packages: readonly string[];
}

const root = join(process.cwd(), 'src');

function sourceFile(path: string, text: string): SourceFile {
  const code = withoutComments(text);
  const statements = code.matchAll(
    /\b(?:import|export)\b[^'"`;]*?\bfrom\s*'([^']+)'|(?<!')\bimport\s*\(?\s*'([^']+)'/g,
  );
  const targets = [...statements].map((match) => match[1] ?? match[2] ?? '');
  return {
    path,
    room: path.split('/').length === 2 ? '(entry)' : (path.split('/')[1] ?? ''),
    text,
    code,
    imports: targets
      .filter((target) => target.startsWith('.'))
      .map((target) => join(dirname(path), target).replace(/\.js$/, '.ts')),
    packages: targets.filter((target) => !target.startsWith('.')),
  };
}

/** Comments that begin a line or follow a blank; a slash and star within a text are left alone. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort()
  .map((path) => sourceFile(join('src', path), readFileSync(join(root, path), 'utf8')));

const rankOf = (room: string) => ranks.findIndex((rooms) => rooms.includes(room));

/** What breaks the ranks in a file's imports. */
function rankFaults(file: SourceFile): readonly string[] {
  return file.imports.flatMap((path) => {
    const room = path.split('/').length === 2 ? '(entry)' : (path.split('/')[1] ?? '');
    if (!path.startsWith('src/')) return [`${file.path} imports ${path}, outside src`];
    if (room === file.room || rankOf(room) < rankOf(file.room)) return [];
    return [`${file.path} (${file.room}) imports ${path} (${room})`];
  });
}

/** Each file that reaches itself through its imports, types included, with the way it takes. */
function cycles(all: readonly SourceFile[]): readonly string[] {
  const byPath = new Map(all.map((file) => [file.path, file]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, way: readonly string[]) => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(' -> '));
    if (way.includes(path) || done.has(path)) return;
    for (const next of byPath.get(path)?.imports ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const { path } of all) visit(path, []);
  return found;
}

t.test('the scan sees what it is meant to see', async (t) => {
  t.ok(files.length > 50, 'src has its files');
  const seen = sourceFile(
    'src/kube/a.ts',
    "import { x } from '../cli/run.js';\nimport type { Y } from './y.js';\nexport * from './z.js';\nconst l = await import('../docker/d.js');\nimport Docker from 'dockerode';\n// import a from 'listr2';\nimport {\n  b,\n} from './b.js';\nimport './side.js';",
  );
  t.strictSame(seen.imports, [
    'src/cli/run.ts',
    'src/kube/y.ts',
    'src/kube/z.ts',
    'src/docker/d.ts',
    'src/kube/b.ts',
    'src/kube/side.ts',
  ]);
  t.strictSame(seen.packages, ['dockerode']);
  t.strictSame(rankFaults(seen), [
    'src/kube/a.ts (kube) imports src/cli/run.ts (cli)',
    'src/kube/a.ts (kube) imports src/docker/d.ts (docker)',
  ]);
  t.strictSame(cycles([sourceFile('src/a/a.ts', "import './b.js';"), sourceFile('src/a/b.ts', "import './a.js';")]), [
    'src/a/a.ts -> src/a/b.ts -> src/a/a.ts',
  ]);
  const exits = sourceFile('src/kube/e.ts', "process.exit(1); process.env.X; process.stdout.write('');");
  t.strictSame(
    reserved.filter((rule) => rule.found(exits)).map((rule) => rule.what),
    ['process.env', 'process.exit', 'the terminal'],
  );
});

t.test('rooms import lower ranks only', async (t) => {
  t.strictSame(
    [...new Set(files.map((file) => file.room))].filter((room) => rankOf(room) < 0),
    [],
    'every room has a rank',
  );
  t.strictSame(files.flatMap(rankFaults), []);
});

t.test('no import cycles', async (t) => {
  t.strictSame(cycles(files), []);
});

t.test('what belongs to one room stays there', async (t) => {
  for (const { room, what, found } of reserved) {
    t.strictSame(
      files.filter((file) => file.room !== room && found(file)).map((file) => file.path),
      [],
      `${what} only in ${room}`,
    );
  }
});

t.test('folders are made by base/make-folder: what Node has for it may never end', (t) => {
  const recursive = /\bmkdir(Sync)?\([^;]*\brecursive:/;
  t.match('await mkdir(dirname(path), { recursive: true });', recursive);
  for (const { path, code } of files) t.notMatch(code, recursive, path);
  t.end();
});

t.test('names and sizes', async (t) => {
  const parts = files.flatMap((file) =>
    dirname(file.path)
      .split('/')
      .concat(file.path.split('/').at(-1) ?? ''),
  );
  t.strictSame(
    parts.filter((part) => /^(utils?|lib|libs|helpers?|common|misc)(\.ts)?$/.test(part)),
    [],
    'no drawers',
  );
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/;
  t.strictSame(
    files.map((file) => file.path).filter((path) => !kebab.test(path.split('/').at(-1) ?? '')),
    [],
    'kebab-case',
  );
  const long = files.filter(
    (file) =>
      file.text.split('\n').length - 1 > 400 && !/^\s*(\/\/|\/\*)[^\n]*\b(long|lines|whole|one file)\b/.test(file.text),
  );
  t.strictSame(
    long.map((file) => relative('src', file.path)),
    [],
    'over 400 lines only where the first comment says why',
  );
});

t.test('what the packages say is what the code imports', async (t) => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
  const used = new Set(files.flatMap((file) => file.packages).filter((name) => !name.startsWith('node:')));
  const names = [...used].map((name) =>
    name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/'),
  );
  t.strictSame(
    [...new Set(names)].filter((name) => dependencies[name] === undefined),
    [],
    'nothing undeclared',
  );
});
