import { Argument, type Command, Option } from 'commander';
import { installFlags } from './flags.js';
import { type AddVerb, configOption, repeatable } from './verb-parts.js';

/** The verbs of `images` that judge sources: locks and tests of mirrors. */
export function addLock(images: Command, verb: AddVerb): void {
  const load = () => import('./actions/lock.js');
  const file = () => new Option('--file <file>', 'the lock (default: that of --lock, else ./hyperup.lock)');
  verb(
    images,
    'lock',
    "write down what a release's references stand for, so that any mirror is safe",
    async () => (await load()).lockImagesAction,
    () => ({
      arguments: [new Argument('[name...]', 'images by name, such as etcd (default: all that an install may need)')],
      options: [
        configOption(),
        ...installFlags(['cluster.kubernetesVersion', 'cluster.kubelet', 'images.mirrors']),
        file(),
        repeatable('--platform <platform>', "all, or OS/ARCH[/VARIANT] (repeatable; default: the engine's)"),
        new Option('--check', 'write nothing; 1 if the lock is out of date'),
        new Option('--prune', 'take out what is not of this release'),
      ],
      examples: [
        'hyperup images lock --platform all',
        'hyperup images lock --check',
        'hyperup install --lock hyperup.lock --mirror cn',
      ],
    }),
  );
  verb(
    images,
    'verify',
    "hold the engine's images against a lock; 1 if one differs",
    async () => (await load()).verifyImagesAction,
    () => ({
      options: [
        configOption(),
        ...installFlags(['images.mirrors', 'images.lock']),
        file(),
        new Option('--remote', 'also ask the registries what they serve'),
      ],
      examples: ['hyperup images verify', 'hyperup images verify --remote --mirror cn'],
    }),
  );
  verb(
    images,
    'mirrors',
    'test mirrors with a real blob: speed, images, what is wrong; 1 if none serves',
    async () => (await load()).mirrorsAction,
    () => ({
      options: [configOption(), ...installFlags(['cluster.kubernetesVersion', 'cluster.kubelet', 'images.mirrors'])],
      examples: ['hyperup images mirrors', 'hyperup images mirrors --mirror registry.example.com:5000/k8s -v'],
    }),
  );
}
