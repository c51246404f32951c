import { Argument, Command, type CommanderError, Help, Option } from 'commander';
import type { OptionPath } from '../config/option-table.js';
import { addBundles } from './bundle-commands.js';
import { flagOf, givenFlags, installFlags } from './flags.js';
import { addLock } from './lock-commands.js';
import type { Action, Invocation } from './session.js';
import { type AddVerb, configOption, repeatable, type VerbDetails } from './verb-parts.js';
import { addWorkloads } from './workload-commands.js';

/** Runs an action for an invocation; the program records nothing itself. */
export type Execute = (invocation: Invocation, load: () => Promise<Action>) => Promise<void>;

export interface ProgramOptions {
  /** Verbs that it doesn't name need no details; absent: all have them. */
  readonly argv?: readonly string[] | undefined;
  readonly version: string;
  readonly execute: Execute;
  readonly writeOut: (text: string) => void;
  readonly writeErr: (text: string) => void;
}

const componentNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
  'dns',
];
const imagePaths: readonly OptionPath[] = [
  'cluster.kubernetesVersion',
  'images.mirrors',
  'images.lock',
  'images.build',
  'images.debianMirror',
];
const queryPaths: readonly OptionPath[] = ['cluster.paths.stateDir', 'timeoutMs'];

/**
 * The whole command tree. Actions are loaded when they run, so that help and completion need nothing but commander.
 * Parse with `parseAsync`; faults of the command line are thrown as commander's errors and not printed.
 */
export function buildProgram(options: ProgramOptions): Command {
  const incomplete: (() => void)[] = [];
  const program = new Command('hyperup')
    .description('A working single-node Kubernetes on any Linux machine with a Docker Engine, in one command.')
    .version(options.version, '-V, --version', 'print the version')
    .option('--json', 'print events and the result as JSON, one value a line, on stdout')
    .option('-v, --verbose', 'print logs, the output of commands and the stack of an error')
    .option('-q, --quiet', 'print nothing but results that were asked for, warnings and errors')
    .option('--no-color', 'no colours (as does NO_COLOR)')
    .addOption(flagOf('engineHost'))
    .configureHelp({
      showGlobalOptions: true,
      visibleCommands: (command) => {
        // A list of commands has the arguments of each.
        for (const complete of incomplete.splice(0)) complete();
        return new Help().visibleCommands(command);
      },
    })
    .configureOutput({ writeOut: options.writeOut, writeErr: options.writeErr, outputError: () => {} })
    .addHelpText(
      'after',
      examples(['sudo hyperup install', 'hyperup status', 'kubectl get nodes', 'sudo hyperup uninstall']),
    );
  // A completion script knows them all.
  const { argv } = options;
  const named = argv?.includes('completion') ? undefined : argv;
  const verb = verbMaker(options.execute, (name, complete) => {
    if (named?.includes(name) ?? true) complete();
    else incomplete.push(complete);
  });

  verb(
    program,
    'install',
    'make a cluster and verify it',
    async () => (await import('./actions/install.js')).installAction,
    () => ({
      options: [configOption(), ...installFlags()],
      examples: [
        'hyperup install --mirror cn --mirror registry.example.com:5000/k8s',
        'hyperup install --install-engine --no-build',
        'hyperup install --dry-run --json',
      ],
    }),
  );
  const status = async () => (await import('./actions/status.js')).statusAction;
  verb(program, 'status', "show each component's health; 1 if anything is down", status, () => ({
    options: queryOptions(),
    examples: ['hyperup status', 'hyperup status --json | tail -n 1 | jq .result.components'],
  }));
  const verify = async () => (await import('./actions/status.js')).verifyAction;
  verb(program, 'verify', 'as status, and run a smoke pod through a Service', verify, () => ({
    options: queryOptions(),
  }));
  const uninstall = async () => (await import('./actions/uninstall.js')).uninstallAction;
  verb(program, 'uninstall', 'take everything back and check that nothing is left', uninstall, () => ({
    options: [
      ...queryOptions(),
      new Option('--keep-data', "keep etcd's data"),
      new Option('--keep-images', 'keep images and the names that were put on them (default)'),
      new Option('--purge-images', 'also remove images that were there for the cluster only'),
      new Option('-y, --yes', "don't ask"),
    ],
    examples: ['hyperup uninstall', 'hyperup uninstall --yes --keep-images'],
  }));

  const images = addImages(program, verb);
  addLock(images, verb);
  addBundles(images, verb);
  addWorkloads(images, verb);
  addEngine(program, verb);
  addKubeconfig(program, verb);

  verb(
    program,
    'render',
    'write what an install would write to DIR, and nothing else',
    async () => (await import('./actions/render.js')).renderAction,
    () => ({
      arguments: [new Argument('<dir>', 'folder, made if absent')],
      options: [configOption(), ...installFlags().filter((option) => option.long !== '--dry-run')],
      examples: ['hyperup render ./out --kubernetes-version v1.19.7'],
    }),
  );
  verb(
    program,
    'logs',
    "print a component's log",
    async () => (await import('./actions/logs.js')).logsAction,
    () => ({
      arguments: [new Argument('<component>', 'whose log').choices(componentNames)],
      options: [
        ...queryOptions(),
        new Option('-f, --follow', 'go on printing until interrupted'),
        new Option('--tail <lines>', 'how many of the last lines to begin with').default('100'),
      ],
      examples: ['hyperup logs kube-apiserver --tail 20', 'hyperup logs kubelet -f'],
    }),
  );
  verb(
    program,
    'preflight',
    "run an install's checks alone; 1 if one fails",
    async () => (await import('./actions/preflight.js')).preflightAction,
    () => ({
      options: [configOption(), ...installFlags().filter((option) => option.long !== '--dry-run')],
      examples: ['hyperup preflight --skip-preflight swap,memory'],
    }),
  );
  verb(
    program,
    'kubelet',
    'run the built-in kubelet in the foreground (--help lists its flags)',
    async () => (await import('./actions/kubelet.js')).kubeletAction,
    () => ({
      arguments: [new Argument('[flags...]', "the kubelet's own flags")],
      passThrough: true,
    }),
  );
  verb(
    program,
    'dns',
    "run the cluster's DNS server in the foreground (--help lists its flags)",
    async () => (await import('./actions/dns.js')).dnsAction,
    () => ({
      arguments: [new Argument('[flags...]', "the server's own flags")],
      passThrough: true,
    }),
  );
  verb(
    program,
    'completion',
    'print a completion script',
    async () => (await import('./actions/completion.js')).completionAction(program),
    () => ({
      arguments: [new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish'])],
      examples: [
        'hyperup completion bash > /etc/bash_completion.d/hyperup',
        'hyperup completion zsh > ~/.zfunc/_hyperup',
        'hyperup completion fish > ~/.config/fish/completions/hyperup.fish',
      ],
    }),
  );
  verb(
    program,
    'version',
    'print versions',
    async () => (await import('./actions/version.js')).versionAction,
    () => ({}),
  );
  return program;
}

/** True for the errors by which commander ends help and version output that was asked for. */
export function isQuietExit(error: CommanderError): boolean {
  return error.exitCode === 0;
}

/** `whenNamed` calls what completes a verb once its details are wanted. */
function verbMaker(execute: Execute, whenNamed: (name: string, complete: () => void) => void): AddVerb {
  return (parent, name, summary, load, makeDetails) => {
    const command = parent.command(name).description(summary);
    whenNamed(name, () => complete(command, makeDetails()));
    const verb = parent.parent === null ? name : `${parent.name()} ${name}`;
    command.action(async () => {
      const invocation: Invocation = {
        verb,
        args: command.args,
        options: command.optsWithGlobals(),
        flags: givenFlags(command),
      };
      await execute(invocation, load);
    });
  };
}

function complete(command: Command, details: VerbDetails): void {
  for (const argument of details.arguments ?? []) command.addArgument(argument);
  for (const option of details.options ?? []) command.addOption(option);
  if (details.passThrough) command.allowUnknownOption().helpOption(false);
  if (details.examples !== undefined) command.addHelpText('after', examples(details.examples));
}

function addImages(program: Command, verb: AddVerb): Command {
  const images = program.command('images').description('the images of a release');
  const load = () => import('./actions/images.js');
  const names = () => [new Argument('[name...]', 'images by name, such as etcd (default: all)')];
  const options = (...extra: readonly OptionPath[]) => [configOption(), ...installFlags([...imagePaths, ...extra])];
  verb(
    images,
    'list',
    'list images and whether the engine has them',
    async () => (await load()).listImagesAction,
    () => ({
      options: [configOption(), ...installFlags(['cluster.kubernetesVersion'])],
    }),
  );
  verb(
    images,
    'pull',
    'get images through mirrors, or build those that none serves',
    async () => (await load()).pullImagesAction,
    () => ({
      arguments: names(),
      options: options(),
      examples: [
        'hyperup images pull --mirror cn',
        'hyperup images pull etcd pause --mirror 127.0.0.1:5000 --no-build',
      ],
    }),
  );
  verb(
    images,
    'build',
    'build images from Debian packages',
    async () => (await load()).buildImagesAction,
    () => ({
      arguments: names(),
      options: [configOption(), ...installFlags(['cluster.kubernetesVersion', 'images.debianMirror'])],
    }),
  );
  verb(
    images,
    'tag',
    "put the canonical names on images that have a mirror's name",
    async () => (await load()).tagImagesAction,
    () => ({
      arguments: names(),
      options: [configOption(), ...installFlags(['cluster.kubernetesVersion', 'images.mirrors'])],
      examples: ['docker load -i images.tar && hyperup images tag --mirror registry.example.com/k8s'],
    }),
  );
  const copy = async () => (await import('./actions/copy-image.js')).copyImageAction;
  verb(images, 'copy', 'copy an image between registries, folders, archives and the engine', copy, () => ({
    arguments: [
      new Argument(
        '<source>',
        'docker://REF, docker-daemon:REF, oci:DIR[:NAME], oci-archive: or docker-archive:FILE[:NAME]',
      ),
      new Argument('<target>', 'where it goes, in the same notation'),
    ],
    options: [
      configOption(),
      ...installFlags(['images.mirrors', 'images.lock', 'dryRun']),
      new Option('--platform <platform>', "the image for OS/ARCH[/VARIANT] (default: this machine's)"),
      new Option('--all', 'the images of all platforms, and their index'),
      repeatable('--insecure-registry <host>', 'registry without trusted TLS, host[:port] (repeatable)'),
    ],
    examples: [
      'hyperup images copy docker://registry.k8s.io/pause:3.9 docker-daemon:registry.k8s.io/pause:3.9 --mirror cn',
      'hyperup images copy --all docker://busybox:1.36 oci:./images:busybox',
      'hyperup images copy docker-archive:app.tar docker://registry.example.com:5000/app:v1',
    ],
  }));
  return images;
}

function addEngine(program: Command, verb: AddVerb): void {
  const engine = program.command('engine').description('the Docker Engine of this machine');
  const load = () => import('./actions/engine.js');
  verb(
    engine,
    'install',
    "install and start the distribution's Docker if no engine answers",
    async () => (await load()).engineInstallAction,
    () => ({
      options: [configOption(), ...installFlags(['timeoutMs'])],
    }),
  );
  verb(
    engine,
    'configure',
    'add registry mirrors and insecure registries to daemon.json',
    async () => (await load()).engineConfigureAction,
    () => ({
      options: [
        configOption(),
        ...installFlags(['timeoutMs']),
        repeatable('--registry-mirror <url>', 'mirror of Docker Hub (repeatable)'),
        repeatable('--insecure-registry <host>', 'registry without trusted TLS, host[:port] or range (repeatable)'),
      ],
      examples: ['hyperup engine configure --registry-mirror https://mirror.example.com'],
    }),
  );
  verb(
    engine,
    'status',
    'show which engine answers; 1 if none',
    async () => (await load()).engineStatusAction,
    () => ({
      options: [configOption(), ...installFlags(['timeoutMs'])],
    }),
  );
}

function addKubeconfig(program: Command, verb: AddVerb): void {
  const kubeconfig = program.command('kubeconfig').description("the administrator's kubeconfig");
  const load = () => import('./actions/kubeconfig.js');
  const options = () => [...queryOptions(), ...installFlags(['kubeconfigPath'])];
  verb(
    kubeconfig,
    'print',
    'print it (it holds a private key)',
    async () => (await load()).printKubeconfigAction,
    () => ({
      options: queryOptions(),
    }),
  );
  verb(
    kubeconfig,
    'merge',
    'merge it into a file and make it current',
    async () => (await load()).mergeKubeconfigAction,
    () => ({
      options: options(),
      examples: ['hyperup kubeconfig merge --kubeconfig ~/.kube/config'],
    }),
  );
  verb(
    kubeconfig,
    'remove',
    "take the cluster's entries out of a file",
    async () => (await load()).removeKubeconfigAction,
    () => ({
      options: options(),
    }),
  );
}

function queryOptions(): readonly Option[] {
  return [configOption(), ...installFlags(queryPaths)];
}

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}
