import { Argument, type Command, Option } from 'commander';
import { installFlags } from './flags.js';
import { type AddVerb, configOption, repeatable } from './verb-parts.js';

/** The verbs of `images` that deal with whole sets: bundles and private registries. */
export function addBundles(images: Command, verb: AddVerb): void {
  const load = () => import('./actions/bundle.js');
  const file = () => [new Argument('<file>', 'a bundle of images save, or the list of its chunks')];
  const setOptions = () => [
    configOption(),
    ...installFlags(['cluster.kubernetesVersion', 'cluster.kubelet', 'images.mirrors', 'images.lock']),
    repeatable('--image <reference>', 'an image of your own to take along (repeatable)'),
    repeatable('--addon <name>', 'an add-on of the release, such as coredns (repeatable)'),
    new Option('--platform <platform>', "for machines of OS/ARCH (default: this machine's)"),
    insecureRegistry(),
  ];
  verb(
    images,
    'save',
    'write one file with all that an install on a bare machine needs',
    async () => (await load()).saveImagesAction,
    () => ({
      options: [
        new Option('-o, --output <file>', 'the file to write').makeOptionMandatory(),
        ...setOptions(),
        new Option('--chunk-size <size>', 'split it into files of at most that size, such as 4GiB'),
        new Option('--since <file>', 'leave out the layers that this earlier bundle or lock has'),
        new Option('--compress', "compress the engine's layers: a third of the size, slower to load"),
        ...installFlags(['dryRun']),
      ],
      examples: [
        'hyperup images save -o hyperup.tar --image myapp:1.0 --addon coredns',
        'hyperup images save -o /media/usb/hyperup.tar --chunk-size 4GiB --mirror cn',
      ],
    }),
  );
  verb(
    images,
    'load',
    'bring a bundle into the engine or a registry',
    async () => (await load()).loadImagesAction,
    () => ({
      arguments: file(),
      options: [
        configOption(),
        new Option('--to <target>', 'engine, or docker://HOST[:PORT][/PREFIX]').default('engine'),
        insecureRegistry(),
      ],
      examples: [
        'hyperup images load hyperup.tar',
        'hyperup images load hyperup.tar --to docker://registry.lan:5000/k8s',
      ],
    }),
  );
  verb(
    images,
    'serve',
    'offer a bundle as a read-only registry to the network, until interrupted',
    async () => (await load()).serveImagesAction,
    () => ({
      arguments: file(),
      options: [
        configOption(),
        new Option('--listen <address>', 'where, [HOST]:PORT').default(':5000'),
        new Option('--tls-cert <file>', 'certificate to show, PEM (default: one made here)'),
        new Option('--tls-key <file>', 'its key, PEM'),
        new Option('--plain', 'no TLS: engines then need it as an insecure registry'),
      ],
      examples: ['hyperup images serve hyperup.tar'],
    }),
  );
  verb(
    images,
    'sync',
    'copy the images of a release to a private registry',
    async () => (await load()).syncImagesAction,
    () => ({
      options: [new Option('--to <target>', 'docker://HOST[:PORT][/PREFIX]').makeOptionMandatory(), ...setOptions()],
      examples: ['hyperup images sync --to docker://registry.lan:5000/k8s --mirror cn'],
    }),
  );
}

function insecureRegistry(): Option {
  return repeatable('--insecure-registry <host>', 'registry without trusted TLS, host[:port] (repeatable)');
}
