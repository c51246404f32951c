import t from 'tap';
import { chooseApiVersion, compareApiVersions } from '../../../src/docker/api-version.js';

const chosen = [
  { name: 'Engine 20.10', max: '1.41', min: '1.12', want: '1.41' },
  { name: 'Engine 24', max: '1.43', min: '1.12', want: '1.43' },
  { name: 'Engine 29', max: '1.52', min: '1.44', want: '1.52' },
  { name: 'an engine newer than what is known', max: '1.60', min: '1.44', want: '1.52' },
  { name: 'an engine whose oldest is newer than what is known', max: '1.70', min: '1.60', want: '1.60' },
  { name: 'a wanted version that it has', max: '1.52', min: '1.44', wanted: '1.45', want: '1.45' },
  { name: 'a wanted version with its v', max: '1.52', min: '1.44', wanted: 'v1.45', want: '1.45' },
  { name: 'a wanted version beyond what is known', max: '1.60', min: '1.44', wanted: '1.55', want: '1.55' },
];
for (const { name, max, min, wanted, want } of chosen) {
  t.test(name, async (test) => test.equal(chooseApiVersion({ engine: 'x', max, min }, wanted), want));
}

const refused = [
  { name: 'Engine 19.03', max: '1.40', min: '1.12', code: 'EngineFailed', message: '1.40, want 1.41' },
  {
    name: 'a wanted version that is too new',
    max: '1.41',
    min: '1.12',
    wanted: '1.44',
    code: 'InvalidConfig',
    message: 'got 1.44, want 1.41 to 1.41',
  },
  {
    name: 'a wanted version below ours',
    max: '1.52',
    min: '1.24',
    wanted: '1.40',
    code: 'InvalidConfig',
    message: 'want 1.41 to 1.52',
  },
  {
    name: "a wanted version below the engine's",
    max: '1.52',
    min: '1.44',
    wanted: '1.43',
    code: 'InvalidConfig',
    message: 'want 1.44 to 1.52',
  },
  {
    name: 'a wanted version that is none',
    max: '1.52',
    min: '1.44',
    wanted: 'latest',
    code: 'InvalidConfig',
    message: 'got latest',
  },
];
for (const { name, max, min, wanted, code, message } of refused) {
  t.test(`refused: ${name}`, async (test) => {
    test.throws(() => chooseApiVersion({ engine: '9.9', max, min }, wanted), { code, message: new RegExp(message) });
  });
}

t.test('versions compare by number, not by text', async (test) => {
  test.ok(compareApiVersions('1.9', '1.41') < 0);
  test.ok(compareApiVersions('2.0', '1.99') > 0);
  test.equal(compareApiVersions('1.41', '1.41'), 0);
});
