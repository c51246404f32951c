import t from 'tap';
import {
  isSameChange,
  makeEntryLine,
  makeHeaderLine,
  makeUndoneInPlace,
  makeUndoneLine,
  parseJournal,
} from '../../../src/host/journal-format.js';
import type { HostChange, JournalEntry } from '../../../src/host/journal-types.js';

const changes: readonly HostChange[] = [
  { kind: 'directory', path: '/a', owned: true },
  { kind: 'file', path: '/a/b', backup: undefined },
  { kind: 'file', path: '/a/c', backup: '/s/backup/c' },
  { kind: 'sharedMount', path: '/a' },
  { kind: 'sysctl', key: 'net.ipv4.ip_forward', previous: '0', value: '1' },
  { kind: 'container', name: 'kubelet', labels: { 'io.hyperup.managed': 'true' } },
  { kind: 'imageTag', reference: 'pause:3.2', previousId: undefined, pulledAs: 'mirror/pause:3.2' },
  { kind: 'kubeconfig', path: '/k', entry: 'hyperup', previousContext: undefined, created: true },
  { kind: 'netfilter', existingChains: ['nft/ipv4/nat/KUBE-X'] },
  { kind: 'pods', kubeletDir: '/var/lib/kubelet', nodeName: 'vm' },
];
const entries = changes.map(
  (change, index): JournalEntry => ({ id: index + 1, time: '2026-01-02T03:04:05.000Z', change }),
);
const parse = (text: string) => parseJournal(Buffer.from(text), '/s/journal.jsonl');

t.test('every kind of change comes back as it was written', async (t) => {
  const text = makeHeaderLine(['/s']) + entries.map(makeEntryLine).join('');
  const content = parse(text);
  t.match(content, { madeDirs: ['/s'], nextId: 11, soundBytes: text.length, endsWithNewline: true });
  t.strictSame(JSON.parse(JSON.stringify(content.entries)), JSON.parse(JSON.stringify(entries)));
});

t.test('undone entries are left out, their ids are not given again', async (t) => {
  const content = parse(entries.map(makeEntryLine).join('') + makeUndoneLine(10) + makeUndoneLine(2));
  t.same(
    content.entries.map(({ id }) => id),
    [1, 3, 4, 5, 6, 7, 8, 9],
  );
  t.equal(content.nextId, 11);
});

t.test('an entry that is struck out in place leaves the others as they are', async (t) => {
  const whole = Buffer.from(entries.map(makeEntryLine).join(''));
  for (const { id } of entries) {
    const place = parseJournal(whole, 'journal').places.get(id);
    if (!place) throw new Error(`entry ${id} has no place`);
    const text = Buffer.from(whole);
    text.write(makeUndoneInPlace(id, place.length), place.offset);
    t.equal(text.length, whole.length);
    const content = parseJournal(text, 'journal');
    t.same(
      content.entries.map((entry) => entry.id),
      entries.map((entry) => entry.id).filter((each) => each !== id),
    );
    t.equal(content.nextId, 11, 'its id is not given again');
  }
});

t.test('an end that was cut short is dropped', async (t) => {
  const [first = '', second = ''] = entries.map(makeEntryLine);
  const cases = [
    { name: 'half a line', text: first + second.slice(0, 20), sound: first.length, ids: [1] },
    { name: 'blocks of zeros after power loss', text: `${first}\0\0\0\0\0`, sound: first.length, ids: [1] },
    { name: 'half a line and a newline', text: `${first}${second.slice(0, 20)}\n`, sound: first.length, ids: [1] },
    {
      name: 'all but the newline is whole',
      text: first + second.trimEnd(),
      sound: first.length + second.length - 1,
      ids: [1, 2],
    },
    { name: 'an empty file', text: '', sound: 0, ids: [] },
    { name: 'the very first line', text: '{"jour', sound: 0, ids: [] },
  ];
  for (const { name, text, sound, ids } of cases) {
    const content = parse(text);
    t.same({ sound: content.soundBytes, ids: content.entries.map(({ id }) => id) }, { sound, ids }, name);
  }
  t.equal(parse(first + second.trimEnd()).endsWithNewline, false);
});

t.test('a journal that was cut at any byte reads as a prefix of itself', async (t) => {
  const text = makeHeaderLine(['/s']) + entries.map(makeEntryLine).join('') + makeUndoneLine(3);
  const data = Buffer.from(text);
  for (let length = 0; length <= data.length; length += 1) {
    const content = parseJournal(data.subarray(0, length), 'j');
    const whole = content.entries.every((entry) => JSON.stringify(entry) === JSON.stringify(entries[entry.id - 1]));
    if (!whole || content.soundBytes > length) t.fail(`cut at ${length}`);
  }
  t.pass(`${data.length + 1} cuts`);
});

t.test('damage in the middle is refused, naming the line', async (t) => {
  const [first = '', second = '', third = ''] = entries.map(makeEntryLine);
  const cases = [
    { name: 'no JSON', middle: 'nonsense\n' },
    { name: 'another JSON', middle: '{"a":1}\n' },
    { name: 'an unknown kind', middle: '{"id":2,"time":"x","change":{"kind":"teleport","path":"/a"}}\n' },
    { name: 'a half line that another was written after', middle: `${second.slice(0, 30)}\n` },
  ];
  for (const { name, middle } of cases) {
    t.throws(() => parse(first + middle + third), { code: 'Conflict', message: /line 2 / }, name);
  }
  t.throws(() => parse('{"journal":2,"madeDirs":[]}\n'), { code: 'Conflict', message: /format 2/ });
});

t.test('changes are the same by what they are about', async (t) => {
  const directory: HostChange = { kind: 'directory', path: '/a', owned: false };
  t.ok(isSameChange(directory, { kind: 'directory', path: '/a', owned: true }));
  t.notOk(isSameChange(directory, { kind: 'sharedMount', path: '/a' }));
  t.notOk(isSameChange(directory, { kind: 'directory', path: '/b', owned: false }));
  t.ok(isSameChange({ kind: 'netfilter', existingChains: [] }, { kind: 'netfilter', existingChains: ['a'] }));
});
