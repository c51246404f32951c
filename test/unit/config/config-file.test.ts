import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseConfigFile } from '../../../src/config/config-file.js';
import { defaultConfigFiles, readConfigFiles } from '../../../src/config/find-config-files.js';

t.test('the default places', async (t) => {
  t.strictSame(defaultConfigFiles({}, '/home/ada'), [
    '/home/ada/.config/hyperup/config.yaml',
    '/etc/hyperup/config.yaml',
  ]);
  t.equal(defaultConfigFiles({ XDG_CONFIG_HOME: '/cfg' }, '/home/ada')[0], '/cfg/hyperup/config.yaml');
});

t.test('reading', async (t) => {
  const dir = t.testdir({
    'a.yaml': 'timeout: 1m\n',
    home: { '.config': { hyperup: { 'config.yaml': 'timeout: 2m\n' } } },
  });
  const host = { homeDir: join(dir, 'home'), workingDir: dir };
  const named = await readConfigFiles('a.yaml', {}, host);
  t.strictSame(named, [{ path: join(dir, 'a.yaml'), text: 'timeout: 1m\n' }], 'a relative name is looked for here');
  const byVariable = await readConfigFiles(undefined, { HYPERUP_CONFIG: join(dir, 'a.yaml') }, host);
  t.strictSame(byVariable, named);
  t.match(await readConfigFiles('missing.yaml', {}, host), [{ failure: /ENOENT/ }], 'a named file must be there');
  t.match(await readConfigFiles(dir, {}, host), [{ failure: /EISDIR/ }]);
  const [first] = await readConfigFiles(undefined, {}, host);
  t.strictSame(first, { path: join(dir, 'home/.config/hyperup/config.yaml'), text: 'timeout: 2m\n' });
  const bare = { homeDir: join(dir, 'nobody'), workingDir: dir };
  t.notOk(
    (await readConfigFiles(undefined, {}, bare)).some((file) => file.path.startsWith(dir)),
    'a default file may be absent',
  );
  mkdirSync(join(dir, 'broken/.config/hyperup/config.yaml'), { recursive: true });
  t.match(
    await readConfigFiles(undefined, {}, { homeDir: join(dir, 'broken'), workingDir: dir }),
    [{ failure: /EISDIR/ }],
    'unreadable is not absent',
  );
  writeFileSync(join(dir, 'a.yaml'), '');
  t.strictSame(parseConfigFile({ path: 'a.yaml', text: '' }), { values: [], faults: [] });
});
