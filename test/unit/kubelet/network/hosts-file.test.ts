import t from 'tap';
import { hostNetworkHostsFile, managedHostsFile } from '../../../../src/kubelet/network/hosts-file.js';

const head = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

t.test('the hosts file of pods', async (t) => {
  t.equal(managedHostsFile(['203.0.113.1'], 'podFoo', '', undefined), `${head}203.0.113.1\tpodFoo\n`);
  t.equal(
    managedHostsFile(['203.0.113.1', 'fd00::6'], 'podFoo', 'domainFoo', [
      { ip: '123.45.67.89', hostnames: ['foo', 'bar', 'baz'] },
      { ip: '456.78.90.123', hostnames: ['park'] },
    ]),
    `${head}203.0.113.1\tpodFoo.domainFoo\tpodFoo\nfd00::6\tpodFoo.domainFoo\tpodFoo\n
# Entries added by HostAliases.
123.45.67.89\tfoo\tbar\tbaz
456.78.90.123\tpark
`,
  );
});

t.test("on the host's network it is the node's", async (t) => {
  t.equal(
    hostNetworkHostsFile('127.0.0.1 localhost\n', [{ ip: '1.2.3.4', hostnames: ['a'] }]),
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n\n# Entries added by HostAliases.\n1.2.3.4\ta\n',
  );
});
