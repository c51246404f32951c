import t from 'tap';
import { logExcerpt } from '../../../src/base/log-excerpt.js';

const stack = (n: number) =>
  `goroutine ${n} [select]:\nk8s.io/kubernetes/pkg/x(...)\n\t/src/x.go:1 +0x1\ncreated by main\n\t/src/y.go:2\n`;

const cases = [
  { name: 'the end of a log', log: 'a\nb\nc\n', lines: 2, want: 'b\nc' },
  {
    name: 'a fatal error without its stacks',
    log: `I1122 starting\nF1122 08:00:00 disk is full\n${stack(1)}\n${stack(2)}\n`,
    lines: 5,
    want: 'I1122 starting\nF1122 08:00:00 disk is full',
  },
  {
    name: 'a fatal error that was followed by another start',
    log: `F1122 08:00:00 disk is full\n${stack(1)}\nI1122 one\nI1122 two\nI1122 three\nI1122 four`,
    lines: 4,
    want: 'F1122 08:00:00 disk is full\n…\nI1122 three\nI1122 four',
  },
  { name: 'a panic', log: `panic: nil map\n\n${stack(7)}`, lines: 3, want: 'panic: nil map' },
  { name: 'an empty log', log: '', lines: 3, want: '' },
];

for (const { name, log, lines, want } of cases) t.test(name, async (t) => t.equal(logExcerpt(log, lines), want));
