import { isatty } from 'node:tty';
import { ExitError } from '../command.ts';

/** True when the descriptor is a terminal. */
export function isTerminal(fd: 0 | 1 | 2): boolean {
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
