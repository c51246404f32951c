import t from 'tap';
import { parseBearerChallenge } from '../../../src/mirror/registry-token.js';

t.test('the challenge of a registry that wants a token', async (t) => {
  const cases: readonly { readonly header: string; readonly want: ReturnType<typeof parseBearerChallenge> }[] = [
    {
      header: 'Bearer realm="https://auth.example/token",service="reg.example"',
      want: { realm: 'https://auth.example/token', service: 'reg.example' },
    },
    {
      header: 'bearer service="a, b", scope="repository:x:pull", realm="https://auth.example/t?x=1"',
      want: { realm: 'https://auth.example/t?x=1', service: 'a, b' },
    },
    { header: 'Bearer realm=https://auth.example/t', want: { realm: 'https://auth.example/t', service: undefined } },
    { header: 'Basic realm="private"', want: undefined },
    { header: 'Bearer service="x"', want: undefined },
    { header: '', want: undefined },
  ];
  for (const { header, want } of cases) t.same(parseBearerChallenge(header), want, header);
});
