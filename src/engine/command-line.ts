import { readFileSync } from 'node:fs';

/** The arguments of a process, NUL between them; empty when there is no such process. */
export function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
