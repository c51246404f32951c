export interface Diagnosis {
  readonly cause: string;
  readonly hint: string;
  /** The machine lacks something: another program in the component's place would fail alike. */
  readonly ofMachine?: true;
}

/** What a component's log says when it can't start, and what that means. One row a cause, the most telling first. */
const causes: readonly (Diagnosis & { readonly pattern: RegExp })[] = [
  {
    pattern: /bind: address already in use|listen tcp \S+: bind/i,
    cause: 'another process has its port',
    hint: 'hyperup preflight names the process; stop it, or install with other ports.',
    ofMachine: true,
  },
  {
    pattern: /no space left on device/i,
    cause: 'the disk is full',
    hint: 'Free some room (docker system df shows what images take), then run the install again.',
    ofMachine: true,
  },
  {
    pattern: /misconfiguration: kubelet cgroup driver|cgroup driver/i,
    cause: 'the kubelet and the engine disagree on the cgroup driver',
    hint: 'The engine was reconfigured since the install: run hyperup install again.',
  },
  {
    pattern: /x509: certificate (has expired|is not yet valid)/i,
    cause: 'a certificate is outside its dates, or the clock is wrong',
    hint: 'Check the date of this machine; hyperup install renews certificates that expired.',
  },
  {
    pattern: /x509: certificate signed by unknown authority/i,
    cause: 'certificates of another cluster are in use',
    hint: 'hyperup uninstall, then install again.',
  },
  {
    pattern: /ErrImagePull|ImagePullBackOff|pull access denied|manifest unknown/i,
    cause: 'an image is missing',
    hint: 'hyperup images list shows which; hyperup images pull --mirror cn gets it.',
  },
  {
    pattern: /operation not permitted|permission denied/i,
    cause: 'the engine may not do what the kubelet asks',
    hint: 'hyperup preflight shows whether privileged containers can run here.',
  },
  {
    pattern: /connection refused|context deadline exceeded|transport is closing/i,
    cause: 'what it depends on does not answer',
    hint: 'Look at the component before it: etcd, then kube-apiserver (hyperup status).',
  },
  {
    pattern: /Out of memory|oom-kill|OOMKilled/i,
    cause: 'the machine is out of memory',
    hint: 'A single node wants 1.5 GB of free memory.',
    ofMachine: true,
  },
];

/** The likely cause that a log's lines give away, if any. */
export function diagnose(log: string): Diagnosis | undefined {
  return causes.find(({ pattern }) => pattern.test(log));
}
