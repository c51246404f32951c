import type { CompletionNode, CompletionOption } from './completion-node.js';
import { fishQuote } from './shell-quote.js';

/** A completion script for fish. */
export function fishCompletion(nodes: readonly CompletionNode[]): string {
  return `# fish completion of hyperup
function __hyperup_node
    set -l node hyperup
    for word in (commandline -opc)[2..-1]
        if contains -- "$node $word" ${nodes
          .slice(1)
          .map((node) => fishQuote(node.path))
          .join(' ')}
            set node "$node $word"
        end
    end
    test "$node" = "$argv[1]"
end
complete -c hyperup -f
${nodes.flatMap(nodeLines).join('\n')}
`;
}

function nodeLines(node: CompletionNode): readonly string[] {
  const head = `complete -c hyperup -n ${fishQuote(`__hyperup_node ${fishQuote(node.path)}`)}`;
  const commands = node.commands.map(({ name, help }) => `${head} -a ${fishQuote(name)} -d ${fishQuote(help)}`);
  const argument = node.argument;
  if (argument === 'folder') commands.push(`${head} -a '(__fish_complete_directories)'`);
  else if (argument !== undefined) commands.push(`${head} -a ${fishQuote(argument.choices.join(' '))}`);
  return [...commands, ...node.options.map((option) => `${head} ${optionWords(option)}`)];
}

function optionWords(option: CompletionOption): string {
  const names = option.names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  return [...names, ...valueWords(option.value), '-d', fishQuote(option.help)].join(' ');
}

function valueWords(value: CompletionOption['value']): readonly string[] {
  if (value === undefined) return [];
  if (value === 'file') return ['-r', '-F'];
  if (value === 'folder') return ['-x', '-a', "'(__fish_complete_directories)'"];
  if (value === 'other') return ['-x'];
  return ['-x', '-a', fishQuote(value.choices.join(' '))];
}
