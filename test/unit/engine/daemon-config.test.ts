import t from 'tap';
import {
  addToDaemonConfig,
  canonicalEntry,
  checkEntries,
  type DaemonLists,
  readDaemonLists,
} from '../../../src/engine/daemon-config.js';

const path = '/etc/docker/daemon.json';
const merged: readonly {
  readonly name: string;
  readonly text: string | undefined;
  readonly wanted: DaemonLists;
  readonly want: string;
}[] = [
  {
    name: 'no file yet',
    text: undefined,
    wanted: { 'registry-mirrors': ['https://m.invalid'] },
    want: '{\n  "registry-mirrors": [\n    "https://m.invalid"\n  ]\n}\n',
  },
  {
    name: 'an empty file',
    text: ' \n',
    wanted: { 'insecure-registries': ['r.invalid:5000'] },
    want: '{\n  "insecure-registries": [\n    "r.invalid:5000"\n  ]\n}\n',
  },
  {
    name: 'unknown keys, their order, nesting and indentation stay',
    text: '{\n\t"zz": {"b": 1, "a": [true, null]},\n\t"registry-mirrors": ["https://old.invalid"],\n\t"data-root": "/d"\n}',
    wanted: { 'registry-mirrors': ['https://new.invalid'], 'insecure-registries': ['10.0.0.0/8'] },
    want: `{
\t"zz": {
\t\t"b": 1,
\t\t"a": [
\t\t\ttrue,
\t\t\tnull
\t\t]
\t},
\t"registry-mirrors": [
\t\t"https://old.invalid",
\t\t"https://new.invalid"
\t],
\t"data-root": "/d",
\t"insecure-registries": [
\t\t"10.0.0.0/8"
\t]
}
`,
  },
];
for (const { name, text, wanted, want } of merged) {
  t.test(`merge: ${name}`, async (test) => {
    const first = addToDaemonConfig(path, text, wanted);
    test.equal(first.text, want);
    test.same(first.added, wanted);
    test.same(addToDaemonConfig(path, first.text, wanted), { text: first.text, added: {} }, 'and once more: nothing');
  });
}

t.test('what is there in another spelling is not added, and the text stays byte for byte', async (test) => {
  const text = '{"registry-mirrors":["https://m.invalid/"],"insecure-registries":["10.0.0.0/8"]}';
  const wanted = { 'registry-mirrors': ['https://m.invalid'], 'insecure-registries': ['10.1.2.3/8'] };
  test.same(addToDaemonConfig(path, text, wanted), { text, added: {} });
});

t.test('an entry that is given twice is added once', async (test) => {
  const { added } = addToDaemonConfig(path, '{}', { 'registry-mirrors': ['https://m.invalid', 'https://m.invalid/'] });
  test.same(added, { 'registry-mirrors': ['https://m.invalid'] });
});

const malformed = [
  { name: 'cut off', text: '{"a": 1', message: /daemon.json: it is not JSON/ },
  { name: 'with a comment', text: '{} // x', message: /not JSON/ },
  { name: 'a list', text: '[]', message: /got \[\], want a JSON object/ },
  { name: 'null', text: 'null', message: /want a JSON object/ },
  {
    name: 'a mirror that is no list',
    text: '{"registry-mirrors": "https://m"}',
    message: /registry-mirrors: got "https/,
  },
  { name: 'a list with a number in it', text: '{"insecure-registries": [1]}', message: /want a list of texts/ },
];
for (const { name, text, message } of malformed) {
  t.test(`malformed: ${name}`, async (test) => {
    const want = { code: 'InvalidConfig', message, hint: /left as it is/ };
    test.throws(() => addToDaemonConfig(path, text, { 'registry-mirrors': ['https://m'] }), want);
    test.throws(() => readDaemonLists(path, text), want);
  });
}

t.test('entries are checked by the rules of the engine, all at once', async (test) => {
  test.same(
    checkEntries({
      'registry-mirrors': ['m.invalid:5000', 'http://n.invalid/'],
      'insecure-registries': ['[::1]:5000', 'fd00::/8', 'a_b.c'],
    }),
    {
      'registry-mirrors': ['https://m.invalid:5000', 'http://n.invalid/'],
      'insecure-registries': ['[::1]:5000', 'fd00::/8', 'a_b.c'],
    },
  );
  const bad = {
    'registry-mirrors': ['https://m.invalid/path', 'ftp://m.invalid', 'https://u:secret@m.invalid', 'https://a b'],
    'insecure-registries': ['http://r.invalid', 'r.invalid/path', '10.0.0.0/99', ''],
  };
  const error = (() => {
    try {
      return checkEntries(bad);
    } catch (thrown) {
      return thrown as { code: string; details: { faults: string[] } };
    }
  })();
  test.match(error, { code: 'InvalidConfig' });
  test.equal('details' in error ? error.details.faults.length : 0, 8, 'one fault for each');
});

t.test('one spelling for what the engine shows in another', async (test) => {
  test.equal(canonicalEntry('https://m.invalid'), 'https://m.invalid/');
  test.equal(canonicalEntry('https://m.invalid//'), 'https://m.invalid/');
  test.equal(canonicalEntry('10.1.2.3/8'), '10.0.0.0/8');
  test.equal(canonicalEntry('r.invalid:5000'), 'r.invalid:5000');
});
