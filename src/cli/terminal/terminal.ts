import { fstatSync } from 'node:fs';
import { ExitError } from '../command.ts';

/** Linux device numbers (Documentation/admin-guide/devices.txt): memory devices such as /dev/null, and pseudo-terminals. */
const memoryMajor = 1;
const ptsMajors = { first: 136, last: 143 };

/** True when the descriptor is a terminal. Loading node:tty costs 2 ms: only a rare device is left to it. */
export function isTerminal(fd: 0 | 1 | 2): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice()) return false;
    const major = Math.floor(stat.rdev / 256) & 0xfff;
    if (major === memoryMajor) return false;
    if (major >= ptsMajors.first && major <= ptsMajors.last) return true;
  } catch {
    // A closed descriptor.
    return false;
  }
  const { isatty }: typeof import('node:tty') = require('node:tty');
  return isatty(fd);
}

/** @throws ExitError docker's words, when a terminal is asked for and input is none. */
export function requireTerminal(): void {
  if (!isTerminal(0)) throw new ExitError(1, 'the input device is not a TTY');
}

export interface TerminalSize {
  rows: number;
  columns: number;
}

/** The size of the terminal on standard output or input; undefined where there is none. */
export async function terminalSize(): Promise<TerminalSize | undefined> {
  const { WriteStream } = await import('node:tty');
  for (const fd of [1, 0] as const) {
    if (!isTerminal(fd)) continue;
    const [columns, rows] = new WriteStream(fd).getWindowSize();
    if (columns > 0 && rows > 0) return { rows, columns };
  }
  return undefined;
}
