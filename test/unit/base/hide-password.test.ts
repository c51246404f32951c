import t from 'tap';
import { hidePassword } from '../../../src/base/hide-password.js';

const rows: readonly (readonly [string, string])[] = [
  ['docker://bob:secret@registry.test:5000/x:1', 'docker://bob:…@registry.test:5000/x:1'],
  ['http://bob:secret@registry.test', 'http://bob:…@registry.test'],
  ['read "bob:secret@registry.test/x"', 'read "bob:…@registry.test/x"'],
  [`registry.test:5000/x:1@sha256:${'a'.repeat(64)}`, `registry.test:5000/x:1@sha256:${'a'.repeat(64)}`],
  ['oci:dir@a.b:x', 'oci:dir@a.b:x'],
  ['docker-archive:x:@-1', 'docker-archive:x:@-1'],
  ['registry.test:5000/x:1', 'registry.test:5000/x:1'],
];

for (const [text, shown] of rows) t.equal(hidePassword(text), shown, text);
