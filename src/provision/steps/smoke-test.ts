import { type InstallContext, slot } from '../install-context.js';
import { runSmoke } from '../smoke.js';
import type { Step } from '../step.js';

export const smokeTestStep: Step<InstallContext> = {
  id: 'smoke',
  title: 'Run a pod and reach it through a Service',
  run(context, io) {
    const { options, runtime, release } = context;
    return runSmoke({
      kube: slot(context, 'kube'),
      engine: slot(context, 'engine'),
      release,
      runtime,
      timeoutMs: options.timeoutMs,
      onWait: io.wait,
    });
  },
};
