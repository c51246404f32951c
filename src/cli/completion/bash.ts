import type { CompletionNode, CompletionOption } from './completion-node.js';
import { singleQuote } from './shell-quote.js';

/** A completion script for bash 4 and later; needs no bash-completion package. */
export function bashCompletion(nodes: readonly CompletionNode[]): string {
  const inner = nodes.slice(1).map((node) => singleQuote(node.path));
  return `# bash completion of hyperup
_hyperup() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD - 1]}" node=hyperup i
  # bash splits --flag=value in three words
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$node \${COMP_WORDS[i]}" in
      ${inner.join(' | ')}) node="$node \${COMP_WORDS[i]}" ;;
    esac
  done
  COMPREPLY=()
  case "$node" in
${nodes.map(nodeCase).join('\n')}
  esac
}
complete -F _hyperup hyperup
`;
}

function nodeCase(node: CompletionNode): string {
  const values = node.options.filter((option) => option.value !== undefined).map(valueCase);
  const switches = node.options.flatMap((option) => option.names);
  const words = node.commands.map((command) => command.name);
  const argument = node.argument;
  if (argument !== undefined && argument !== 'folder') words.push(...argument.choices);
  const plain = argument === 'folder' ? generate('-d') : generate('-W', words);
  return [
    `    ${singleQuote(node.path)})`,
    '      case "$prev" in',
    ...values,
    '      esac',
    `      if [[ $cur == -* ]]; then ${generate('-W', switches)}; else ${plain}; fi`,
    '      ;;',
  ].join('\n');
}

function valueCase(option: CompletionOption): string {
  const value = option.value;
  const command =
    value === 'file'
      ? generate('-f')
      : value === 'folder'
        ? generate('-d')
        : value === 'other' || value === undefined
          ? ':'
          : generate('-W', value.choices);
  return `        ${option.names.join(' | ')}) ${command}; return ;;`;
}

/** mapfile keeps file names with blanks whole. */
function generate(kind: '-W' | '-f' | '-d', words: readonly string[] = []): string {
  const list = kind === '-W' ? ` ${singleQuote(words.join(' '))}` : '';
  return `mapfile -t COMPREPLY < <(compgen ${kind}${list} -- "$cur")`;
}
