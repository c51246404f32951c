import t from 'tap';
import type { ClusterOptions, DnsChoice } from '../../../src/config/types.js';
import { differingOptions } from '../../../src/provision/differing-options.js';
import { makeCluster } from '../../builders/cluster.js';

const { dns: _, ...former } = makeCluster();

t.test('how the options of a cluster differ', async (t) => {
  const cases: readonly [string, Partial<ClusterOptions>, Partial<ClusterOptions>, string][] = [
    ['not at all', makeCluster(), {}, ''],
    ['a name', makeCluster(), { name: 'lab' }, 'name is "hyperup", want "lab"'],
    ['what can be left out', makeCluster(), { podCidr: '10.0.0.0/16' }, 'podCidr is undefined, want "10.0.0.0/16"'],
    ['the DNS server', makeCluster({ dns: 'coredns' }), {}, 'dns is "coredns", want "auto"'],
    ['two', makeCluster(), { name: 'b', apiPort: 1 }, 'name is "hyperup", want "b"; apiPort is 6443, want 1'],
  ];
  for (const [name, recorded, over, want] of cases) t.equal(differingOptions(recorded, makeCluster(over)), want, name);
});

t.test('a cluster from before there was a DNS server', async (t) => {
  const said = (dns: DnsChoice) => differingOptions(former, makeCluster({ dns }));
  t.equal(said('auto'), '', 'stays as it is');
  t.equal(said('none'), '');
  t.equal(said('builtin'), 'dns is "none", want "builtin"');
});
