import { readFileSync } from 'node:fs';
import { openLibc } from './libc.ts';

const libc = openLibc({ madvise: { args: ['u64', 'u64', 'i32'], returns: 'i32' } });

const MADV_DONTNEED = 4;

/**
 * Lets go of the pages of this program's machine code: those that are needed are mapped again when they run, from the page cache. Code that
 * only the start needed then counts no more. Only mappings that can never hold changes (r-xp of the executable file).
 */
export function dropOwnCode(): void {
  const executable = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ [1-9]\d* +(\/\S*)$/;
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [, from, to, path] = executable.exec(line) ?? [];
    if (from === undefined || to === undefined || path !== process.execPath) continue;
    const start = BigInt(`0x${from}`);
    libc.madvise(start, BigInt(`0x${to}`) - start, MADV_DONTNEED);
  }
}
