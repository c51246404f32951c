/**
 * The images from the distribution's packages. This file is named so as to run first: the others take the images for
 * granted, and on a machine that never built them that takes some ten minutes.
 */
import t from 'tap';
import { cliJson } from './support/cluster.js';
import { clusterImages } from './support/cluster-images.js';
import { describeFailure, outputOf } from './support/program.js';

t.setTimeout(2_400_000);

interface BuiltView {
  readonly result: readonly { readonly name: string; readonly reference: string; readonly changed: boolean }[];
}

const inspect = async (reference: string, format: string) =>
  (await outputOf('docker', ['image', 'inspect', '--format', format, reference])).trim();

const inImage = (reference: string, ...command: readonly string[]) =>
  outputOf('docker', ['run', '--rm', '--network', 'none', '--label', 'io.hyperup.test=true', reference, ...command]);

t.test('hyperkube, etcd and pause are built, or were before', { timeout: 2_400_000 }, async (t) => {
  const first = await cliJson<BuiltView>(['images', 'build'], { timeoutMs: 2_300_000 });
  t.equal(first.exitCode, 0, 'built', { said: describeFailure(first.run) });
  const again = await cliJson<BuiltView>(['images', 'build']);
  t.equal(again.exitCode, 0);
  t.notOk(/"changed":true/.test(again.run.stdout), 'a second build changes nothing');
});

t.test('they are as small as promised and say what they are made of', async (t) => {
  const sizes = new Map<string, number>();
  for (const { name, reference } of clusterImages) {
    sizes.set(name, Number(await inspect(reference, '{{.Size}}')));
    const packages = await inspect(reference, '{{index .Config.Labels "io.hyperup.packages"}}');
    t.match(packages, /\b(kubernetes|etcd-server)=\d/, `${name} names its packages`);
    t.match(await inspect(reference, '{{index .Config.Labels "org.opencontainers.image.licenses"}}'), /Apache-2.0/);
  }
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  t.ok((sizes.get('hyperkube') ?? Number.POSITIVE_INFINITY) <= 190e6, `hyperkube is ${sizes.get('hyperkube')} bytes`);
  t.ok(total <= 215e6, `all three are ${total} bytes`);
});

t.test('one program is every component, by its first argument or by its name', async (t) => {
  const [hyperkube] = clusterImages.filter(({ name }) => name === 'hyperkube').map(({ reference }) => reference);
  if (hyperkube === undefined) throw new Error('the release has no hyperkube image');
  for (const component of [
    'kube-apiserver',
    'apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'kube-proxy',
    'kubelet',
  ]) {
    t.equal((await inImage(hyperkube, '/hyperkube', component, '--version')).trim(), 'Kubernetes v1.20.2', component);
  }
  t.match(await inImage(hyperkube, 'kubectl', 'version', '--client', '--short'), /Client Version: v1\.20\.2/);
  // What a kubelet and kube-proxy call must run, not only be there.
  for (const command of [
    ['iptables', '--version'],
    ['xtables-legacy-multi', 'iptables', '--version'],
    ['conntrack', '--version'],
    ['socat', '-V'],
    ['nsenter', '--version'],
    ['mount', '--version'],
    ['mount.nfs', '-V'],
    ['ipset', 'help'],
    ['ethtool', '--version'],
    ['nft', '--version'],
    ['du', '-x', '-s', '-B', '1', '/etc'],
    ['find', '/etc', '-xdev', '-printf', '.'],
  ]) {
    t.ok((await inImage(hyperkube, ...command)).length > 0, command.join(' '));
  }
});
