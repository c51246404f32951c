import type { CompletionNode, CompletionOption } from './completion-node.js';
import { singleQuote } from './shell-quote.js';

/** A completion script for zsh: to be put in `fpath` as `_hyperup`, or sourced after compinit. */
export function zshCompletion(nodes: readonly CompletionNode[]): string {
  const inner = nodes.slice(1).map((node) => singleQuote(node.path));
  return `#compdef hyperup
# zsh completion of hyperup
_hyperup() {
  local node=hyperup word prev="\${words[CURRENT-1]}"
  local -a commands flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$node $word" in
      ${inner.join(' | ')}) node="$node $word" ;;
    esac
  done
  case "$node" in
${nodes.map(nodeCase).join('\n')}
  esac
}
if [[ "\${funcstack[1]}" == _hyperup ]]; then
  _hyperup "$@"
else
  compdef _hyperup hyperup
fi
`;
}

function nodeCase(node: CompletionNode): string {
  const argument = node.argument;
  const choices = argument !== undefined && argument !== 'folder' ? argument.choices : [];
  const commands = [...node.commands.map(({ name, help }) => described(name, help)), ...choices.map(singleQuote)];
  const flags = node.options.flatMap((option) => option.names.map((name) => described(name, option.help)));
  const plain = argument === 'folder' ? '_files -/' : '_describe command commands';
  return [
    `    ${singleQuote(node.path)})`,
    `      commands=(${commands.join(' ')})`,
    `      flags=(${flags.join(' ')})`,
    '      case "$prev" in',
    ...node.options.filter((option) => option.value !== undefined).map(valueCase),
    '      esac',
    `      if [[ "\${words[CURRENT]}" == -* ]]; then _describe -o option flags; else ${plain}; fi`,
    '      ;;',
  ].join('\n');
}

function valueCase(option: CompletionOption): string {
  const value = option.value;
  const command =
    value === 'file'
      ? '_files'
      : value === 'folder'
        ? '_files -/'
        : value === 'other' || value === undefined
          ? '_message value'
          : `compadd ${value.choices.join(' ')}`;
  return `        ${option.names.join(' | ')}) ${command}; return ;;`;
}

/** `_describe` splits a word from its description at the first bare colon. */
function described(word: string, help: string): string {
  return singleQuote(`${word.replaceAll(':', '\\:')}:${help}`);
}
