import { type InstallContext, slot } from '../install-context.js';
import { runSmoke } from '../smoke.js';
import { readStatus } from '../status.js';
import type { Step } from '../step.js';

/** Begins the smoke test beside what is still coming up. Its failure shows where its step waits for it. */
export function startSmoke(context: InstallContext): void {
  const { options, runtime, release, slots } = context;
  const controller = new AbortController();
  const done = runSmoke({
    kube: slot(context, 'kube'),
    engine: slot(context, 'engine'),
    release,
    runtime: { clock: runtime.clock, signal: AbortSignal.any([runtime.signal, controller.signal]) },
    timeoutMs: options.timeoutMs,
    onWait: (reason) => runtime.emit({ type: 'wait', step: 'smoke', reason }),
  });
  const settled = done.then(
    () => {},
    () => {},
  );
  slots.smoke = {
    done,
    stop: () => {
      controller.abort();
      return settled;
    },
  };
}

export const smokeTestStep: Step<InstallContext> = {
  id: 'smoke',
  title: 'Run a pod and reach it through a Service',
  async run(context) {
    const { options, runtime, slots } = context;
    const { stateDir } = options.cluster.paths;
    const [detail, status] = await Promise.all([
      slot(context, 'smoke').done,
      readStatus(stateDir, slot(context, 'engine'), runtime, 5000),
    ]);
    slots.status = status;
    return detail;
  },
};
