import type { CommandSpec, Flag } from './types.ts';

const metavars = { bool: '', string: 'string', int: 'int', list: 'list' };

/** The word for a flag's value, docker's way. */
export function metavarOf(flag: Flag): string {
  return flag.metavar ?? metavars[flag.type];
}

/** The flags as docker lays them out: sorted by name, short ones in front, help in a column. */
export function flagLines(flags: readonly Flag[]): string[] {
  const shown = flags.filter((flag) => flag.hidden !== true).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const rows = shown.map((flag) => {
    const metavar = metavarOf(flag);
    const left = `${flag.short === undefined ? '      ' : `  -${flag.short}, `}--${flag.name}${metavar === '' ? '' : ` ${metavar}`}`;
    return { left, help: flag.help + defaultNote(flag) };
  });
  const width = Math.max(...rows.map((row) => row.left.length), 0) + 3;
  return rows.map((row) => row.left.padEnd(width) + row.help.replaceAll('\n', `\n${' '.repeat(width)}`));
}

function defaultNote(flag: Flag): string {
  const value = flag.default;
  if (value === undefined || value === '' || value === 'false' || (flag.type === 'int' && value === '0')) return '';
  return flag.type === 'string' || flag.type === 'list' ? ` (default "${value}")` : ` (default ${value})`;
}

/** Help of one command. */
export function commandHelp(spec: CommandSpec, flags: readonly Flag[]): string {
  const lines = [`Usage:  isula ${spec.name}${spec.usage === '' ? '' : ` ${spec.usage}`}`, '', spec.summary];
  if (flags.length > 0) lines.push('', 'Options:', ...flagLines(flags));
  if (spec.notes !== undefined) lines.push('', spec.notes);
  return `${lines.join('\n')}\n`;
}

/** Help of a group: `isula volume`. */
export function groupHelp(name: string, summary: string, commands: readonly { name: string; summary: string }[]): string {
  const width = Math.max(...commands.map((command) => command.name.length)) + 3;
  const rows = commands.map((command) => `  ${command.name.padEnd(width)}${command.summary}`);
  return [
    `Usage:  isula ${name} COMMAND`, '', summary, '', 'Commands:', ...rows, '',
    `Run 'isula ${name} COMMAND --help' for more information on a command.`, '',
  ].join('\n');
}
