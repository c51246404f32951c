import { isLoopback } from '../../preflight/loopback.js';
import { preflightError } from '../../preflight/run-preflight.js';
import { checkMachine } from '../check-machine.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Step } from '../step.js';

/** Every fault of the machine in one go, before anything is changed on it. */
export const preflightStep: Step<InstallContext> = {
  id: 'preflight',
  title: 'Check this machine',
  async run(context, io) {
    const { options, runtime, slots } = context;
    const { result, facts } = await checkMachine(options, runtime, { engine: slot(context, 'engine') });
    const error = preflightError(result);
    if (error) throw error;
    for (const finding of result.findings) {
      if (finding.severity !== 'warn') continue;
      const message = `${finding.title}: ${finding.found}`;
      io.emit({ type: 'note', level: 'warn', message, ...(finding.fix === '' ? {} : { hint: finding.fix }) });
    }
    slots.findings = result.findings;
    if (facts.resolver.known) {
      const { chosen, chosenNameservers } = facts.resolver.value;
      slots.resolvConf = chosen;
      slots.hasResolvers = chosenNameservers.length > 0 && !chosenNameservers.some(isLoopback);
    }
    const warnings = result.findings.filter(({ severity }) => severity === 'warn').length;
    return `${result.findings.length} checks${warnings > 0 ? `, ${warnings} warnings` : ''}`;
  },
};
