import t from 'tap';
import { readProxySettings } from '../../../src/config/proxy-settings.js';

t.test('proxies of the environment', async (t) => {
  t.strictSame(readProxySettings({}), { httpProxy: '', httpsProxy: '', noProxy: '' });
  t.strictSame(
    readProxySettings({ http_proxy: 'a', HTTPS_PROXY: 'b', https_proxy: 'c', NO_PROXY: '', no_proxy: 'd' }),
    {
      httpProxy: 'a',
      httpsProxy: 'b',
      noProxy: 'd',
    },
  );
});
