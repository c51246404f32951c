import { Argument, type Command, Option } from 'commander';
import { installFlags } from './flags.js';
import { type AddVerb, configOption, repeatable } from './verb-parts.js';

/** The verbs of `images` for the images of the user's own pods. */
export function addWorkloads(images: Command, verb: AddVerb): void {
  const load = () => import('./actions/workloads.js');
  verb(
    images,
    'import',
    'bring images of your own into the engine through the mirrors, or from files',
    async () => (await load()).importImagesAction,
    () => ({
      arguments: [
        new Argument('<image...>', 'references such as nginx:1.25, or files of docker save and of OCI layouts (.tar)'),
      ],
      options: [
        configOption(),
        ...installFlags(['images.mirrors', 'images.lock']),
        new Option('--platform <platform>', "for linux/ARCH (default: the engine's)"),
        ...installFlags(['dryRun']),
      ],
      examples: [
        'hyperup images import nginx:1.25 quay.io/prometheus/prometheus:v2.45.0 --mirror cn',
        'hyperup images import ./app.tar',
      ],
    }),
  );
  verb(
    images,
    'watch',
    'bring the images that pods wait for in ImagePullBackOff, until interrupted',
    async () => (await load()).watchImagesAction,
    () => ({
      options: [
        configOption(),
        ...installFlags(['cluster.paths.stateDir', 'images.mirrors', 'images.lock']),
        repeatable('--namespace <namespace>', 'look after its pods alone (repeatable; default: all)'),
        new Option('--once', 'see to the pods that wait now and end; 1 if one of them could not be helped'),
      ],
      examples: ['hyperup images watch --mirror cn', 'hyperup images watch --once --namespace shop --mirror cn'],
    }),
  );
}
