import { commonFlags, type CommandSpec } from '../flags/index.ts';
import { flagLines, groupHelp } from '../flags/help.ts';
import { entries, groupAliases, groups } from './index.ts';

/** `isula --help`. */
export function rootHelp(spec: CommandSpec): string {
  const rows = (all: readonly { name: string; summary: string }[]): string[] => all.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`);
  const top = [...entries.values()].filter((entry) => !entry.name.includes(' '));
  return [
    `Usage:  isula ${spec.usage}`, '', spec.summary, '', 'Management Commands:',
    ...rows([...groups].map(([name, { summary }]) => ({ name, summary }))), '', 'Commands:', ...rows(top), '', 'Global Options:',
    ...flagLines([...spec.flags, ...commonFlags]), '', "Run 'isula COMMAND --help' for more information on a command.", '',
  ].join('\n');
}

/** `isula volume --help`. */
export function groupHelpOf(name: string): string {
  const group = groups.get(name);
  if (group === undefined) return '';
  const commands = [...group.commands].filter(([word]) => !groupAliases.has(word));
  return groupHelp(name, group.summary, commands.map(([word, target]) => ({ name: word, summary: entries.get(target)?.summary ?? '' })));
}
