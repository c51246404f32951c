import t from 'tap';
import { countTap } from '../../tap-count.js';

const cases = [
  { name: 'assertions', tap: 'ok 1 - a\nok 2 - b\nnot ok 3 - c\n1..3', want: [2, 1, 0] },
  {
    name: 'a subtest counts by its assertions',
    tap: '# Subtest: s\n    ok 1 - a\n    ok 2 - b\n    1..2\nok 1 - s # time=1ms\n1..1',
    want: [2, 0, 0],
  },
  {
    name: 'a failure within is not counted again',
    tap: '    not ok 1 - a\n    1..1\nnot ok 1 - s\n1..1',
    want: [0, 1, 0],
  },
  {
    name: 'two deep',
    tap: '        not ok 1 - a\n        ok 2 - b\n        1..2\n    not ok 1 - s\n    ok 2 - c\n    1..2\nnot ok 1 - r',
    want: [2, 1, 0],
  },
  {
    name: 'a subtest that fails by its plan alone',
    tap: '    ok 1 - a\n    1..2\nnot ok 1 - s\n1..1',
    want: [1, 1, 0],
  },
  {
    name: 'a failure before does not excuse the next',
    tap: '    not ok 1 - a\nnot ok 1 - s\n    ok 1 - b\nnot ok 2 - u',
    want: [1, 2, 0],
  },
  { name: 'skips and todos', tap: 'ok 1 - a # SKIP no zsh\nnot ok 2 - b # TODO later\nok 3 - c', want: [1, 0, 2] },
  { name: 'a whole file skipped', tap: 'TAP version 14\n1..0 # no Docker here', want: [0, 0, 1] },
  { name: 'an empty file', tap: 'TAP version 14\n1..0 # no tests found', want: [0, 0, 0] },
  {
    name: 'diagnostics are no test points',
    tap: 'not ok 1 - a\n  ---\n  diff: |\n    ok 7 - fake\n    not ok 8 - fake\n  ...\nok 2 - b',
    want: [1, 1, 0],
  },
  { name: 'bail out', tap: 'ok 1 - a\nBail out! no more', want: [1, 1, 0] },
  { name: 'other output', tap: 'okay then\nnot okay\n  ok but indented by two\nok 1', want: [1, 0, 0] },
] as const;

for (const { name, tap, want } of cases) {
  t.test(name, async (t) => {
    const { passed, failed, skipped } = countTap(tap);
    t.strictSame([passed, failed, skipped], want);
  });
}

t.test('skips keep their reasons', async (t) => {
  t.strictSame(countTap('ok 1 - a # SKIP no zsh').skips, ['a # SKIP no zsh']);
});
