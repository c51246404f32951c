import type { Command, Option } from 'commander';
import { flagName, type OptionSpec, optionTable } from '../../config/option-table.js';

export interface CompletionOption {
  /** `--follow`, and `-f` where there is one. */
  readonly names: readonly string[];
  readonly help: string;
  /** What its value is; undefined for a switch. */
  readonly value?: 'file' | 'folder' | 'other' | { readonly choices: readonly string[] } | undefined;
}

/** One command of the tree with all that can follow it. */
export interface CompletionNode {
  /** `hyperup images pull`. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly help: string }[];
  readonly options: readonly CompletionOption[];
  /** What the first argument may be. */
  readonly argument?: 'folder' | { readonly choices: readonly string[] } | undefined;
}

const rows: readonly OptionSpec[] = optionTable;

/** The command tree, root first. Options of a command include those of the commands above it. */
export function completionNodes(
  command: Command,
  above: { path: string; options: readonly CompletionOption[] } = { path: '', options: [] },
): readonly CompletionNode[] {
  const path = `${above.path} ${command.name()}`.trim();
  const options = [...command.options.map(completionOption), ...above.options];
  const help: CompletionOption = { names: ['--help', '-h'], help: 'show help' };
  const node: CompletionNode = {
    path,
    commands: command.commands.map((child) => ({ name: child.name(), help: child.description() })),
    options: [...options, help],
    argument: completionArgument(command),
  };
  return [node, ...command.commands.flatMap((child) => completionNodes(child, { path, options }))];
}

function completionOption(option: Option): CompletionOption {
  const names = [option.long, option.short].flatMap((name) => name ?? []);
  return { names, help: option.description, value: completionValue(option) };
}

function completionValue(option: Option): CompletionOption['value'] {
  if (!option.required && !option.optional) return undefined;
  const choices = rows.find((row) => flagName(row) === option.long)?.choices ?? option.argChoices;
  if (choices !== undefined) return { choices };
  const placeholder = /<(\w+)>/.exec(option.flags)?.[1];
  return placeholder === 'file' ? 'file' : placeholder === 'dir' ? 'folder' : 'other';
}

function completionArgument(command: Command): CompletionNode['argument'] {
  const [argument] = command.registeredArguments;
  if (argument?.argChoices !== undefined) return { choices: argument.argChoices };
  return argument?.name() === 'dir' ? 'folder' : undefined;
}
