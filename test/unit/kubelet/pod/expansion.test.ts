import t from 'tap';
import { expandArgs, expandStrict } from '../../../../src/kubelet/pod/expansion.js';

const environment = new Map([
  ['VAR_A', 'A'],
  ['VAR_B', 'B'],
  ['VAR_C', 'C'],
  ['VAR_REF', '$(VAR_A)'],
  ['VAR_EMPTY', ''],
]);

t.test("references, as upstream's own cases have them", async (t) => {
  const cases: [text: string, want: string][] = [
    ['$(VAR_A)', 'A'],
    ['___$(VAR_B)___', '___B___'],
    ['$(VAR_A)-1$(VAR_A)', 'A-1A'],
    ['f000-$(VAR_A)$(VAR_B)$(VAR_C)', 'f000-ABC'],
    ['foo$(VAR_EMPTY)bar', 'foobar'],
    ['$$(VAR_A)', '$(VAR_A)'],
    ['$$$(VAR_A)', '$A'],
    ['$$$$(VAR_A)', '$$(VAR_A)'],
    ['f000-$$VAR_A', 'f000-$VAR_A'],
    ['$(VAR_REF)', '$(VAR_A)'],
    ['$(VAR_D)', '$(VAR_D)'],
    ['$(VAR_A', '$(VAR_A'],
    ['$($(VAR_A)', '$($(VAR_A)'],
    ['$VAR_A', '$VAR_A'],
    ['VAR_A$', 'VAR_A$'],
    ['foo\\$(VAR_A)', 'foo\\A'],
    ['$()', '$()'],
    ['$é$(VAR_A)', '$éA'],
    ['$(VAR_A))', 'A)'],
    ['', ''],
  ];
  for (const [text, want] of cases) t.same(expandArgs([text], environment), [want], text || '(empty)');
});

t.test('a subpath needs all its values', async (t) => {
  t.equal(expandStrict('logs/$(VAR_A)/$(VAR_B)', environment), 'logs/A/B');
  t.throws(() => expandStrict('$(VAR_EMPTY)/$(X)/$(A)', environment), {
    reason: 'CreateContainerConfigError',
    message: 'missing value for A, VAR_EMPTY, X',
  });
});
