import { HyperupError, isHyperupError } from '../../base/errors.js';
import { connectEngine } from '../../docker/connect.js';
import type { Engine } from '../../docker/types.js';
import { installEngine } from '../../engine/install-engine.js';
import { engineRuntime } from '../engine-verbs.js';
import type { InstallContext } from '../install-context.js';
import type { Step, StepIo } from '../step.js';

/** The engine must run on this machine: hyperup changes the host that the engine's containers share. */
function assertLocal(endpoint: string): void {
  if (endpoint.startsWith('unix://') || /^(tcp|https?):\/\/(localhost|127\.|\[::1\])/.test(endpoint)) return;
  throw new HyperupError(
    'PreflightFailed',
    `use the engine at ${endpoint}: got an engine of another machine, want a local one`,
    { hint: 'Run hyperup on that machine, or unset DOCKER_HOST and choose a local context.' },
  );
}

/** Connects, after installing the distribution's engine where the user allowed that and none answers. */
async function reachEngine({ options, runtime }: InstallContext, io: StepIo): Promise<Engine> {
  const connect = () => connectEngine({ host: options.engineHost, env: runtime.env, signal: runtime.signal });
  try {
    return await connect();
  } catch (error) {
    if (!options.engineInstall || !isHyperupError(error, 'EngineUnreachable')) throw error;
    await installEngine(engineRuntime(options.engineHost, runtime), { emit: io.emit, signal: runtime.signal });
    return connect();
  }
}

export const connectEngineStep: Step<InstallContext> = {
  id: 'engine',
  title: 'Connect to the Docker Engine',
  async run(context, io) {
    const engine = await reachEngine(context, io);
    context.slots.engine = engine;
    const info = await engine.info();
    context.slots.engineInfo = info;
    assertLocal(info.endpoint);
    return `${info.version}, API ${info.apiVersion}`;
  },
};
