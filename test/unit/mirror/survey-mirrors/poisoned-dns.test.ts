import t from 'tap';
import { poisonedDns } from '../../../../src/mirror/survey-mirrors/poisoned-dns.js';

const cases: readonly {
  readonly name: string;
  readonly host?: string;
  readonly addresses: readonly string[];
  readonly bogus?: readonly string[];
  readonly says: RegExp | undefined;
}[] = [
  { name: 'a public address', addresses: ['74.125.24.82'], says: undefined },
  { name: 'no address', addresses: [], says: undefined },
  { name: 'this machine', addresses: ['127.0.0.1'], says: /k8s\.gcr\.io resolves to 127\.0\.0\.1 here, this machine/ },
  { name: 'no address at all', addresses: ['0.0.0.0'], says: /0\.0\.0\.0 here, no address/ },
  { name: 'a private address', addresses: ['10.1.2.3'], says: /a private address/ },
  { name: 'the second of two', addresses: ['74.125.24.82', '192.168.0.1'], says: /192\.168\.0\.1/ },
  { name: 'a transparent proxy', addresses: ['198.18.0.7'], says: /transparent proxies/ },
  { name: 'a multicast address', addresses: ['243.185.187.39'], says: /no host can have/ },
  { name: "another company's network", addresses: ['31.13.94.37'], says: /filters are known/ },
  { name: 'a well-known false answer', addresses: ['93.46.8.89'], says: /filters are known/ },
  { name: 'a false IPv6 answer', addresses: ['2001::1f0d:5e25'], says: /filters are known/ },
  { name: 'a true IPv6 answer', addresses: ['2404:6800:4008:c06::52'], says: undefined },
  { name: 'IPv6 of this machine', addresses: ['::1'], says: /this machine/ },
  {
    name: 'the answer to any name',
    addresses: ['203.0.114.5'],
    bogus: ['203.0.114.5'],
    says: /as do names that don't exist/,
  },
  { name: 'a port', host: 'k8s.gcr.io:443', addresses: ['10.0.0.1'], says: /^DNS poisoned: k8s\.gcr\.io resolves/ },
  { name: 'an address as the name', host: '10.0.0.1:5000', addresses: ['10.0.0.1'], says: undefined },
  { name: 'an IPv6 address as the name', host: '[::1]:5000', addresses: ['::1'], says: undefined },
  { name: 'an inner name', host: 'registry.corp', addresses: ['10.0.0.1'], says: undefined },
  { name: 'a bare name', host: 'localhost:5000', addresses: ['127.0.0.1'], says: undefined },
];

t.test('addresses that a filter made up', async (t) => {
  for (const { name, host = 'k8s.gcr.io', addresses, bogus = [], says } of cases) {
    const got = poisonedDns(host, addresses, bogus);
    if (says === undefined) t.equal(got, undefined, name);
    else t.match(got, says, name);
  }
});
