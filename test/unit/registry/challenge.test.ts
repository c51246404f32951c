import t from 'tap';
import { bearerChallenge, parseChallenges } from '../../../src/registry/challenge.js';

interface Case {
  readonly name: string;
  readonly header: string;
  readonly want: readonly (readonly [string, Readonly<Record<string, string>>])[];
}

const cases: readonly Case[] = [
  { name: 'none', header: '', want: [] },
  {
    name: "Docker Hub's",
    header:
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull"',
    want: [
      [
        'bearer',
        {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:library/busybox:pull',
        },
      ],
    ],
  },
  {
    name: 'basic',
    header: 'Basic realm="a \\"quoted\\" name, with a comma"',
    want: [['basic', { realm: 'a "quoted" name, with a comma' }]],
  },
  { name: 'without parameters', header: 'Basic', want: [['basic', {}]] },
  {
    name: 'two in one header',
    header: 'Basic realm="x", Bearer realm="https://a/t" , service = reg',
    want: [
      ['basic', { realm: 'x' }],
      ['bearer', { realm: 'https://a/t', service: 'reg' }],
    ],
  },
  {
    name: 'with a token68 first',
    header: 'Negotiate YII+/abc==, bearer Realm=https://a/t',
    want: [
      ['negotiate', {}],
      ['bearer', { realm: 'https://a/t' }],
    ],
  },
  {
    name: 'a scope with commas and spaces',
    header: 'Bearer scope="repository:a:pull,push repository:b:pull",realm="https://a/t"',
    want: [['bearer', { scope: 'repository:a:pull,push repository:b:pull', realm: 'https://a/t' }]],
  },
  {
    name: 'a quote that does not end',
    header: 'Bearer realm="https://a/t',
    want: [['bearer', { realm: 'https://a/t' }]],
  },
  { name: 'not a challenge', header: '"…', want: [] },
  { name: 'empty elements', header: ', ,Basic realm="x",,', want: [['basic', { realm: 'x' }]] },
];

for (const { name, header, want } of cases) {
  t.test(name, async (t) => {
    const got = parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
    t.strictSame(got, want);
  });
}

t.test('the challenge that a token answers', async (t) => {
  const of = (header: string) => bearerChallenge(parseChallenges(header));
  t.equal(of('Basic realm="x", Bearer realm="https://a/t"')?.realm.href, 'https://a/t');
  t.strictSame(of('Bearer realm="https://a/t",scope="one  two"')?.scopes, ['one', 'two']);
  t.equal(of('Bearer realm="file:///etc/passwd"'), undefined, 'only HTTP');
  t.equal(of('Bearer realm="here"'), undefined, 'a URL');
  t.equal(of('Bearer service="x"'), undefined, 'a realm');
});
