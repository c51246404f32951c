import t from 'tap';
import * as library from '../../src/index.js';

t.test('the library exports the verbs and the errors', async (t) => {
  const functions = [
    'install',
    'uninstall',
    'status',
    'verify',
    'planInstall',
    'render',
    'defaultInstallOptions',
    'isHyperupError',
  ];
  t.strictSame(Object.keys(library).sort(), [...functions, 'HyperupError'].sort());
});

t.test('options are checked against releases, checks and mirrors', async (t) => {
  const overrides = {
    cluster: { nodeName: 'n', kubernetesVersion: 'v1.2.3' },
    images: { mirrors: ['nowhere'] },
    skipPreflight: ['swop'],
  };
  try {
    library.defaultInstallOptions(overrides);
    t.fail('the faults were not found');
  } catch (error) {
    if (!library.isHyperupError(error, 'InvalidConfig')) throw error;
    t.match(error.details.faults, [/kubernetesVersion: got v1\.2\.3/, /"nowhere"/, /did you mean swap\?/]);
  }
  const options = library.defaultInstallOptions({ cluster: { nodeName: 'n' }, images: { mirrors: ['cn', 'none'] } });
  t.strictSame(options.images.mirrors, ['cn', 'none'], 'presets stay words');
});
