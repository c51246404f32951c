import { openJournal } from '../../host/journal.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Step } from '../step.js';

/** From here on every change to the machine is written down before it is made. */
export const openJournalStep: Step<InstallContext> = {
  id: 'journal',
  title: 'Open the journal',
  async run(context) {
    const { options, runtime, slots } = context;
    slots.journal = await openJournal({
      dir: options.cluster.paths.stateDir,
      clock: runtime.clock,
      command: 'hyperup install',
    });
    const standing = slot(context, 'journal').entries().length;
    return standing === 0 ? undefined : `going on after an earlier run (${standing} changes stand)`;
  },
};
