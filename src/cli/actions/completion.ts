import type { Command } from 'commander';
import { bashCompletion } from '../completion/bash.js';
import { completionNodes } from '../completion/completion-node.js';
import { fishCompletion } from '../completion/fish.js';
import { zshCompletion } from '../completion/zsh.js';
import { printResult } from '../output.js';
import type { Action } from '../session.js';

/** `completion SHELL`: a static script, made from the command tree. */
export function completionAction(program: Command): Action {
  return async (session) => {
    const shell = session.invocation.args[0];
    const nodes = completionNodes(program);
    const script =
      shell === 'zsh' ? zshCompletion(nodes) : shell === 'fish' ? fishCompletion(nodes) : bashCompletion(nodes);
    printResult(session, { shell, script }, () => script);
    return 0;
  };
}
