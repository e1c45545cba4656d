import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildVersion, messageOf } from '../../base/index.ts';
import { type Command, ExitError } from '../command.ts';
import { metavarOf } from '../flags/help.ts';
import { commonFlags, type CommandSpec, type Flag } from '../flags/index.ts';
import { print } from '../terminal/output.ts';
import { entries, groups } from './index.ts';

/** `isula man DIR`: a page a command, of the same tables as the parser and the help. */
export const man: Command = {
  spec: { name: 'man', usage: 'DIRECTORY', summary: 'Write manual pages into a directory', args: { min: 1, max: 1 }, completes: 'files', flags: [] },
  async run({ args: [directory = ''] }) {
    const pages = new Map([['isula', rootPage()]]);
    for (const entry of entries.values()) pages.set(`isula-${entry.name.replaceAll(' ', '-')}`, page((await entry.load()).spec));
    try {
      mkdirSync(directory, { recursive: true });
      for (const [name, text] of pages) writeFileSync(join(directory, `${name}.1`), text);
    } catch (error) {
      throw new ExitError(1, `Cannot write manual pages to ${directory}: ${messageOf(error)}`);
    }
    print(`${pages.size} pages written to ${directory}\n`);
    return 0;
  },
};

/** Text as roff takes it: no backslash, dash or leading dot means more than itself, and nothing but ASCII. */
export function roff(text: string): string {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/gm, '\\&$&');
  return escaped.replace(/[^\x00-\x7f]/gu, (char) => `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`);
}

/** The head of a page, up to its synopsis. */
export function heading(name: string, summary: string, synopsis: string, section: 1 | 8 = 1): string {
  return [
    `.TH "${name.toUpperCase()}" "${section}" "" "isula ${buildVersion}" "iSula"`, '.SH NAME', `${roff(name)} \\- ${roff(summary)}`, '.SH SYNOPSIS',
    `.B ${roff(name.replaceAll('-', ' '))}`, roff(synopsis), '',
  ].join('\n');
}

/** The list of a page's options. */
export function flagItems(flags: readonly Flag[]): string {
  return flags.filter((flag) => flag.hidden !== true).toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((flag) => {
    const metavar = metavarOf(flag);
    const short = flag.short === undefined ? '' : `\\fB\\-${flag.short}\\fR, `;
    const note = flag.default === undefined || flag.default === '' ? '' : ` (default ${flag.default})`;
    return `.TP\n${short}\\fB\\-\\-${roff(flag.name)}\\fR${metavar === '' ? '' : ` \\fI${roff(metavar)}\\fR`}\n${roff(flag.help + note)}\n`;
  }).join('');
}

function page(spec: CommandSpec): string {
  const own = new Set(spec.flags.map((flag) => flag.short));
  const common = commonFlags.filter((flag) => flag.name !== 'help' && !own.has(flag.short));
  return heading(`isula-${spec.name.replaceAll(' ', '-')}`, spec.summary, spec.usage)
    + (spec.flags.length === 0 ? '' : `.SH OPTIONS\n${flagItems(spec.flags)}`) + (spec.notes === undefined ? '' : `.SH NOTES\n${roff(spec.notes)}\n`)
    + `.SH COMMON OPTIONS\n${flagItems(common)}.SH SEE ALSO\n.BR isula (1)\n`;
}

function rootPage(): string {
  const items = [...entries.values()].map((entry) => `.TP\n\\fBisula ${roff(entry.name)}\\fR\n${roff(entry.summary)}\n`).join('');
  const groupItems = [...groups].map(([name, { summary }]) => `.TP\n\\fBisula ${name}\\fR\n${roff(summary)}\n`).join('');
  const environment = [
    '.SH ENVIRONMENT', '.TP', '\\fBISULAD_HOST\\fR', "The daemon's address, where \\-\\-host is not given.", '.TP', '\\fBISULAD_TLS_VERIFY\\fR',
    '1: as \\-\\-tlsverify.', '.SH FILES', '.TP', '\\fI~/.iSulad/{ca,cert,key}.pem\\fR', 'Used with TLS where no other files are named.', '',
  ].join('\n');
  const front = heading('isula', 'command line of the iSula container engine', '[OPTIONS] COMMAND');
  return `${front}.SH OPTIONS\n${flagItems(commonFlags)}.SH COMMANDS\n${items}.SH GROUPS\n${groupItems}${environment}.SH SEE ALSO\n.BR isulad (8)\n`;
}
