import { HyperupError } from '../../base/errors.js';
import { connectEngine } from '../../docker/connect.js';
import type { InstallContext } from '../install-context.js';
import type { Step } from '../step.js';

/** The engine must run on this machine: hyperup changes the host that the engine's containers share. */
function assertLocal(endpoint: string): void {
  if (endpoint.startsWith('unix://') || /^(tcp|https?):\/\/(localhost|127\.|\[::1\])/.test(endpoint)) return;
  throw new HyperupError(
    'PreflightFailed',
    `use the engine at ${endpoint}: got an engine of another machine, want a local one`,
    {
      hint: 'Run hyperup on that machine, or unset DOCKER_HOST and choose a local context.',
    },
  );
}

export const connectEngineStep: Step<InstallContext> = {
  id: 'engine',
  title: 'Connect to the Docker Engine',
  async run({ options, runtime, slots }) {
    const engine = await connectEngine({ host: options.engineHost, env: runtime.env, signal: runtime.signal });
    slots.engine = engine;
    const info = await engine.info();
    slots.engineInfo = info;
    assertLocal(info.endpoint);
    return `${info.version}, API ${info.apiVersion}`;
  },
};
